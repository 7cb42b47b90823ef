"""Mirrors the log and the measures of running cells into a tracker, from what their folders say.

The mirror reads log.jsonl, epochs.jsonl and metrics.json while cells run, wherever they run: in processes,
on a cluster, or trained by several devices. A cell knows nothing of it. A tracker that fails is one line and
costs its own view of that cell, not the cell.
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import BenchError
from core.progress import Progress
from core.running.outcomes import Cell
from core.running.trackers import OPENERS, TrackedCell, TrackerName, finite_figures, require_tracker
from core.runs import RunDirectory

MIRROR_LOOK = 1.0
"""Seconds between two looks at the folders."""


@dataclass
class Followed:
    """A cell that is mirrored."""

    directory: RunDirectory
    tracked: TrackedCell | None = None
    """None until the cell begins."""
    at: int = 0
    """Bytes of log.jsonl that have been read."""
    step: int = 0
    """The last step that was mirrored."""
    looks: int = 0
    """Lines of epochs.jsonl that were mirrored."""
    ended: bool = False
    """Whether nothing more is mirrored of it."""


class Mirror:
    """Mirrors cells into a tracker; without one it does nothing."""

    def __init__(self, tracker: TrackerName | None, progress: Progress) -> None:
        self.tracker, self.progress = tracker, progress
        self.cells: list[Followed] = []

    def follow(self, cells: Sequence[Cell]) -> None:
        """From now on these cells are mirrored, too."""
        if self.tracker:
            self.cells += [Followed(cell.directory) for cell in cells]

    def look(self, *, last: bool = False) -> None:
        """Mirrors what is new; with `last` ends every cell, finished or not."""
        for cell in self.cells:
            if cell.ended:
                continue
            try:
                self.mirror(cell, last=last)
            except Exception as error:  # of a library that talks to other machines: anything may be raised
                cell.ended = True
                reason = " ".join(str(error).split()) or type(error).__name__
                self.progress.say(
                    f"--track {self.tracker}: {cell.directory.path.name} is no longer mirrored ({reason}); "
                    "the cell itself runs on"
                )

    def mirror(self, cell: Followed, *, last: bool) -> None:
        """Mirrors what is new of a cell; raises whatever the tracker raises."""
        path = cell.directory.path
        state = state_of_cell(cell.directory)
        records = list(new_records(cell, path / "log.jsonl"))
        if cell.tracked is None and (records or state in ("running", "done")) and self.tracker:
            spec = cell.directory.read_json("spec.json")
            cell.tracked = OPENERS[self.tracker](path.parent, path.name, spec)
        if cell.tracked is None:
            cell.ended = last
            return
        for record in records:
            cell.step = record["step"]
            figures = finite_figures({key: value for key, value in record.items() if key != "step"})
            cell.tracked.log(cell.step, {f"train/{key}": value for key, value in figures.items()})
        looks = complete_lines(path / "epochs.jsonl")
        for line in looks[cell.looks :]:
            cell.tracked.log(
                cell.step, {f"select/{k}": v for k, v in finite_figures(json.loads(line)).items()}
            )
        cell.looks = max(cell.looks, len(looks))
        if state == "done" or last:
            cell.ended = True
            done = state == "done"
            cell.tracked.finish(cell.step, measures_of(cell.directory) if done else {}, done=done)


@contextmanager
def mirrored(tracker: TrackerName | None, progress: Progress) -> Iterator[Mirror]:
    """Mirrors the cells that the block has followed until it ends.

    Raises `BenchError` where the tracker is not installed.
    """
    mirror = Mirror(tracker, progress)
    if tracker is None:
        yield mirror
        return
    require_tracker(tracker)
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(MIRROR_LOOK):
            mirror.look()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield mirror
    finally:
        ended.set()
        watcher.join()
        mirror.look(last=True)


def state_of_cell(directory: RunDirectory) -> str:
    """What a cell's status.json says; "" where nobody has entered it or the folder is gone."""
    try:
        return str(directory.status().get("state", ""))
    except BenchError:
        return ""


def new_records(cell: Followed, log: Path) -> Iterator[Mapping[str, Any]]:
    """The complete lines of a log that are new; steps that a continued cell writes again are passed over."""
    try:
        with log.open("rb") as file:
            if cell.at > file.seek(0, 2):  # it was cut to the steps that were kept
                cell.at = 0
            file.seek(cell.at)
            content = file.read()
    except FileNotFoundError:
        cell.at = 0
        return
    complete = content[: content.rfind(b"\n") + 1]
    cell.at += len(complete)
    for line in complete.splitlines():
        record = json.loads(line)
        if record["step"] > cell.step:
            yield record


def complete_lines(path: Path) -> list[str]:
    """The lines of a file that is written whole; none where it is not there."""
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def measures_of(directory: RunDirectory) -> dict[str, float]:
    """The measures of a finished cell, `SPLIT/CONDITION/RESCORING/DIRECTION/MEASURE` -> value."""
    found: dict[str, float] = {}
    for entry in directory.read_json("metrics.json")["results"]:
        protocol = entry["protocol"]
        names = (*(protocol[key] for key in ("split", "condition", "rescoring")), entry["direction"])
        figures = finite_figures(entry["metrics"]["expected"])
        found |= {"/".join((*names, measure)): value for measure, value in figures.items()}
    return found
