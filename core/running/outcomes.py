"""A cell's life in some process, and how it ended: told by its folder, whatever became of the process."""

import traceback
from dataclasses import dataclass
from typing import Literal

from core.errors import BenchError
from core.progress import Progress, Tone
from core.running.cells import run_cell
from core.runs import RunDirectory
from core.spec import RunSpec


@dataclass(frozen=True)
class Cell:
    """A cell to be run."""

    spec: RunSpec
    directory: RunDirectory


@dataclass(frozen=True)
class Outcome:
    """How a cell ended."""

    cell: Cell
    state: Literal["done", "failed", "interrupted"]
    message: str = ""
    """Of a failed cell: what went wrong, in one line."""
    mendable: bool = False
    """Whether the user can mend it, as a damaged file; else it is a defect or a killed process."""
    where: str = ""
    """The node of a cluster that ran it."""

    @property
    def tone(self) -> Tone:
        """Of the line that tells it."""
        return "good" if self.state == "done" else "bad"


def run_and_mark(cell: Cell, progress: Progress) -> str:
    """Runs a cell in this process and leaves its end in the folder's status.json.

    Returns why the cell could not be entered, in one line; empty where it was.
    """
    directory = cell.directory
    try:
        with directory.locked():
            (directory.path / "error.txt").unlink(missing_ok=True)
            try:
                run_cell(cell.spec, directory, progress)
            except KeyboardInterrupt:
                directory.set_status("interrupted")
            except BenchError as error:
                directory.set_status("failed", message=str(error), mendable=True)
            except Exception as error:  # a defect of one cell must not stop the others; it is logged whole
                (directory.path / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
                directory.set_status("failed", message=f"{type(error).__name__}: {error}")
    except BenchError as error:
        return str(error)
    return ""


def outcome_of(cell: Cell, refused: str, ending: str, where: str = "") -> Outcome:
    """How a cell ended: `refused` if it could not be entered, else what its folder says.

    `ending` says how the process ended, for one that could not write its own end; it is marked as failed.
    """
    if refused:
        return Outcome(cell, "failed", refused, mendable=True, where=where)
    status = cell.directory.status()
    state = status.get("state")
    if state in ("done", "failed", "interrupted"):
        return Outcome(cell, state, status.get("message", ""), bool(status.get("mendable")), where)
    cell.directory.set_status("failed", message=ending)
    return Outcome(cell, "failed", ending, where=where)


def describe(outcome: Outcome) -> str:
    """An outcome as one line; a failed cell comes with the path of its log."""
    directory = outcome.cell.directory
    name = directory.path.name + (f"  on {outcome.where}" if outcome.where else "")
    if outcome.state == "done":
        return f"done {name}  {directory.read_json('manifest.json')['wall_seconds']:.0f} s"
    logs = (directory.path / file for file in ("error.txt", "log.jsonl"))
    log = next((f"  (log: {path})" for path in logs if path.exists()), "")
    return f"{outcome.state} {name}  {outcome.message}{log}"
