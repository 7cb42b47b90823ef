"""A cell's life in some process, and how it ended: told by its folder, whatever became of the process."""

import errno
import os
import traceback
from dataclasses import dataclass
from typing import Literal

from core.errors import BenchError
from core.paths import ELSEWHERE, is_full, remove_leftovers
from core.plugin_errors import PluginError
from core.progress import Progress, Tone
from core.running.cells import run_cell
from core.running.code import code_fingerprint
from core.runs import RunDirectory
from core.spec import RunSpec

UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
"""What the system says where it lets nobody write; the administrator's access says nothing of it."""


@dataclass(frozen=True)
class Cell:
    """A cell to be run."""

    spec: RunSpec
    directory: RunDirectory
    code: str = ""
    """Fingerprint of the code that its folder is named after; "" where nobody compares it."""


@dataclass(frozen=True)
class Outcome:
    """How a cell ended."""

    cell: Cell
    state: Literal["done", "failed", "interrupted"]
    message: str = ""
    """Of a failed cell: what went wrong, in one line."""
    fixable: bool = False
    """Whether the user can fix it, as a damaged file; else it is a defect or a killed process."""
    where: str = ""
    """The node of a cluster that ran it."""
    seconds: float = 0.0
    """Wall time of a cell that is done, over all its sessions."""

    @property
    def tone(self) -> Tone:
        """Of the line that tells it."""
        return "good" if self.state == "done" else "bad"


def run_and_mark(cell: Cell, progress: Progress) -> str:
    """Runs a cell in this process and leaves its end in the folder's status.json.

    Returns in one line why the cell could not be entered, or its end not be left there; else nothing.
    """
    directory = cell.directory
    try:
        with directory.locked():
            remove_leftovers(directory.path)
            (directory.path / "error.txt").unlink(missing_ok=True)
            try:
                require_code(cell)
                run_cell(cell.spec, directory, progress)
                directory.require_spec()
            except KeyboardInterrupt:
                directory.set_status("interrupted")
            except BenchError as error:
                directory.require_spec()
                if isinstance(error, PluginError):  # what lies behind the line is kept for --traceback
                    (directory.path / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
                directory.set_status("failed", message=str(error), fixable=True)
            except Exception as error:  # a defect of one cell must not stop the others; its traceback is kept
                if reason := obstacle(directory, error):
                    return reason
                (directory.path / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
                directory.set_status("failed", message=f"{type(error).__name__}: {error}")
    except BenchError as error:
        return obstacle(directory, error) or str(error)
    except OSError as error:
        return obstacle(directory, error) or f"{directory.path}: {error}"
    return ""


def require_code(cell: Cell) -> None:
    """Raises `BenchError` where the cell's code is no longer the one that its folder is named after."""
    if cell.code and code_fingerprint(cell.spec) != cell.code:
        raise BenchError(
            f"the code of {cell.spec.method} or of the engine was edited after this command began; "
            "the same command runs the cell with the new code"
        )


def obstacle(directory: RunDirectory, error: Exception) -> str:
    """Why a run folder cannot be written, in one line; empty where it can and the error is another."""
    path = directory.path
    try:
        directory.require_spec()
    except BenchError as deleted:
        return str(deleted)
    if is_full(error, path):
        return str(error) if isinstance(error, BenchError) else f"{path}: the disk is full; {ELSEWHERE}"
    refused = isinstance(error, OSError) and error.errno in UNWRITABLE
    if refused or not os.access(path, os.W_OK):
        return f"{path} cannot be written any more; make it writable or choose another folder with --runs"
    return ""


def outcome_of(cell: Cell, refused: str, ending: str, where: str = "") -> Outcome:
    """How a cell ended: `refused` if it could not be entered or marked, else what its folder says.

    `ending` says how the process ended, for one that could not write its own end; it is marked as failed.
    """
    if refused:
        return Outcome(cell, "failed", refused, fixable=True, where=where)
    try:
        status = cell.directory.status()
        state = status.get("state")
        if state == "done":
            seconds = float(cell.directory.read_json("manifest.json")["wall_seconds"])
            return Outcome(cell, "done", where=where, seconds=seconds)
        if state in ("failed", "interrupted"):
            return Outcome(cell, state, status.get("message", ""), bool(status.get("fixable")), where)
        if reason := obstacle(cell.directory, OSError()):
            return Outcome(cell, "failed", f"{ending}; {reason}", fixable=True, where=where)
        cell.directory.set_status("failed", message=ending)
    except (BenchError, OSError) as error:
        reason = obstacle(cell.directory, error) or str(error)
        return Outcome(cell, "failed", f"{ending}; {reason}", fixable=True, where=where)
    return Outcome(cell, "failed", ending, where=where)


def outcome_line(outcome: Outcome) -> str:
    """An outcome as one line; a failed cell comes with the path of its log."""
    directory = outcome.cell.directory
    name = directory.path.name + (f"  on {outcome.where}" if outcome.where else "")
    if outcome.state == "done":
        return f"done {name}  {outcome.seconds:.0f} s"
    logs = (directory.path / file for file in ("error.txt", "log.jsonl"))
    log = next((f"  (log: {path})" for path in logs if path.exists()), "")
    return f"{outcome.state} {name}  {outcome.message}{log}"
