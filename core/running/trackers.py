"""Where `bench run --track` mirrors cells: TensorBoard, Weights & Biases and trackio behind one interface.

Each is imported when it is asked for; TensorBoard and Weights & Biases are extras. trackio is not, for it
keeps Pillow below the version that the lock pins; a user installs it. All write beside the run folders or
where their own variables say (`WANDB_MODE=offline`, `TRACKIO_DIR`); nothing of a cell depends on them.
"""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from core.extras import require_extra, require_package

TrackerName = Literal["trackio", "wandb", "tensorboard"]
"""Trackers; each is the name of its package."""
TRACKER_PROJECT = "av-retrieval-bench"
"""What wandb and trackio call the collection of all cells."""

Figures = Mapping[str, float]
"""Name -> value at a step, or of a measure."""


class TrackedCell(Protocol):
    """A cell as a tracker has it."""

    def log(self, step: int, figures: Figures) -> None:
        """Figures of a training step; steps never fall."""
        ...

    def finish(self, step: int, measures: Figures, *, done: bool) -> None:
        """The measures of a finished cell, or none; nothing comes after it."""
        ...


Opener = Callable[[Path, str, Mapping[str, Any]], TrackedCell]
"""Opens a cell of that name and spec; the folder is the one that holds the run folders."""


class TensorBoardCell:
    """A cell in `RUNS/tensorboard/NAME`; a continued one replaces what it had."""

    def __init__(self, root: Path, name: str, spec: Mapping[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(root / "tensorboard" / name), purge_step=0)
        self.writer.add_text("spec", f"```\n{json.dumps(spec, indent=1)}\n```")

    def log(self, step: int, figures: Figures) -> None:
        """A scalar each."""
        for name, value in figures.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def finish(self, step: int, measures: Figures, *, done: bool) -> None:
        """Measures are scalars at the last step."""
        self.log(step, measures)
        self.writer.close()


class WandbCell:
    """A run of wandb; a continued cell continues its own."""

    def __init__(self, root: Path, name: str, spec: Mapping[str, Any]) -> None:
        import wandb

        self.run = wandb.init(
            project=TRACKER_PROJECT,
            dir=str(root),
            id=name,
            name=name,
            config=dict(spec),
            resume="allow",
            reinit="create_new",  # several cells run at the same time
            settings=wandb.Settings(console="off", silent=True),
        )

    def log(self, step: int, figures: Figures) -> None:
        """A row of its history."""
        self.run.log(dict(figures), step=step)

    def finish(self, step: int, measures: Figures, *, done: bool) -> None:
        """Measures are its summary."""
        self.run.summary.update(dict(measures))
        self.run.finish(exit_code=0 if done else 1)


class TrackioCell:
    """A run of trackio, on this machine unless its own variables say otherwise."""

    def __init__(self, root: Path, name: str, spec: Mapping[str, Any]) -> None:
        import trackio

        self.run = trackio.init(
            project=TRACKER_PROJECT,
            name=name,
            config=dict(spec),
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )

    def log(self, step: int, figures: Figures) -> None:
        """Figures of a step."""
        self.run.log(dict(figures), step=step)

    def finish(self, step: int, measures: Figures, *, done: bool) -> None:
        """Measures are figures of the last step."""
        if measures:
            self.run.log(dict(measures), step=step)
        self.run.finish()


OPENERS: Mapping[TrackerName, Opener] = {
    "trackio": TrackioCell,
    "wandb": WandbCell,
    "tensorboard": TensorBoardCell,
}
"""Tracker -> what opens a cell in it."""


def require_tracker(name: TrackerName) -> None:
    """Raises `BenchError` where a tracker is not installed; imports nothing."""
    require = require_package if name == "trackio" else require_extra
    require(f"--track {name}", name)


def finite_figures(record: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a record that a tracker can draw: numbers, neither NaN nor infinite."""
    return {
        key: float(value)
        for key, value in record.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
