"""Every figure for which something has been run, as PNG and SVG, and why the others are left out."""

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure
from pydantic import ValidationError

from core.errors import BenchError
from core.running.timings import Study
from reports.figures.accuracy import cost_figure, frames_figure
from reports.figures.calibration import calibration_figure
from reports.figures.cone import cone_figure
from reports.figures.gates import first_gate_figure
from reports.figures.similarities import similarity_figure
from reports.figures.style import explain, save
from reports.tables import Results
from reports.timing_figure import timing_figure

WITHOUT_RUNS = {"latency", "cone"}
"""Figures in which no run is named."""


def figures(results: Results, study: Path) -> dict[str, Callable[[], Figure | str]]:
    """Name -> what draws it, or says why it cannot."""
    return {
        "gates": lambda: first_gate_figure(results.runs),
        "calibration": lambda: calibration_figure(list(results.runs)),
        "similarities": lambda: similarity_figure(list(results.runs)),
        "frames": lambda: frames_figure(results),
        "cost": lambda: cost_figure(results),
        "latency": lambda: latency_figure(study),
        "cone": cone_figure,
    }


def latency_figure(study: Path) -> Figure | str:
    """Growth of the latency with the gallery, from a study of `bench time`; or why there is none.

    Raises `BenchError` where the file holds none.
    """
    if not study.exists():
        return f"no timing study at {study}; `bench time` makes one"
    try:
        return timing_figure(Study.model_validate_json(study.read_text(encoding="utf-8")))
    except (OSError, ValidationError) as error:
        raise BenchError(f"{study} holds no timing study; delete it and run `bench time` again") from error


def write_figures(results: Results, study: Path, folder: Path) -> tuple[list[Path], list[str]]:
    """The files written into an existing folder, and a line for each figure that was left out."""
    paths, notes = [], []
    for name, draw in figures(results, study).items():
        drawn = draw()
        if isinstance(drawn, str):
            notes.append(f"figure {name}: {drawn}")
        else:
            if results.notes and name not in WITHOUT_RUNS:
                explain(drawn, results.notes)
            paths += save(drawn, name, folder)
    return paths, notes
