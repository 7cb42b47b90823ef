"""What draws each figure; imports matplotlib, so only what has to be drawn imports it."""

from pathlib import Path

from matplotlib.figure import Figure
from pydantic import ValidationError

from core.errors import BenchError
from core.timing.records import Study
from reports.figures.accuracy import cost_figure, frames_figure
from reports.figures.calibration import calibration_figure
from reports.figures.cone import cone_figure
from reports.figures.gallery import gallery_figure
from reports.figures.gates import first_gate_figure
from reports.figures.learning import learning_figure
from reports.figures.similarities import similarity_figure
from reports.figures.style import explain_labels, save
from reports.results import Results
from reports.timing.figure import timing_figure

WITHOUT_RUNS = {"latency", "cone"}
"""Figures in which no run is named."""


def draw_figure(name: str, results: Results, study: Path, folder: Path) -> str:
    """Draws a figure into its files; returns why it was left out, or nothing."""
    drawings = {
        "gates": lambda: first_gate_figure(results.runs),
        "calibration": lambda: calibration_figure(results.runs),
        "similarities": lambda: similarity_figure(results),
        "learning": lambda: learning_figure(results.runs),
        "gallery": lambda: gallery_figure(results),
        "frames": lambda: frames_figure(results),
        "cost": lambda: cost_figure(results),
        "latency": lambda: latency_figure(study),
        "cone": cone_figure,
    }
    found = drawings[name]()
    if isinstance(found, str):
        return found
    if results.notes and name not in WITHOUT_RUNS:
        explain_labels(found, results.notes)
    save(found, name, folder)
    return ""


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
