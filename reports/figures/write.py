"""Every figure for which something has been run, as PNG and SVG, and why the others are left out.

A figure is drawn again only where what it shows has changed: figures.json keeps what each was drawn from.
Why one was left out is found out each time, for it may depend on more: data that have been prepared since.
"""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Literal

from core.datasets import find_dataset
from core.paths import written_whole
from reports.results import Results

Extra = Literal["cone"]
"""Figures that are drawn only where they are asked for: they do not depend on any run."""

FIGURE_CAPTIONS = {
    "gates": "The audio gate of a typical clip of each stratum.",
    "calibration": "Calibration of audio gates: how often the sound matters, over the value of the gate.",
    "similarities": "Cosine similarities of matched and of other pairs, leak-free, test split.",
    "learning": "R@1 on the split that selects the checkpoint, over the epochs.",
    "gallery": "R@1 over the size of the gallery, which distractors enlarge.",
    "frames": "R@1 over the number of frames, with 95 % intervals.",
    "cost": "R@1 over the time of a query, with 95 % intervals.",
    "latency": "Time of 1,000 queries over the size of the gallery.",
    "cone": "Share of a sphere in a cone around a text, exact and by GAID's formula (arXiv 2508.01711).",
}
"""Figure -> its caption in a report, in the order in which they are shown."""

FIGURES_FILE = "figures.json"


def write_figures(
    results: Results, study: Path, folder: Path, extra: Sequence[Extra] = ()
) -> tuple[list[Path], list[str]]:
    """The files in an existing folder, drawn where they are not up to date, and why others are left out."""
    current, kept = source_of(results, study), drawn_before(folder)
    wanted = [name for name in FIGURE_CAPTIONS if name != "cone" or name in extra]
    record = {
        name: current
        for name in wanted
        if kept.get(name) == current and all(file.exists() for file in files_of(name, folder))
    }
    left_out: dict[str, str] = {}
    if len(record) < len(wanted):
        from reports.figures.drawings import draw_figure  # matplotlib takes a second to be imported

        for name in wanted:
            if name not in record:
                left_out[name] = draw_figure(name, results, study, folder)
                if not left_out[name]:
                    record[name] = current
        with written_whole(folder / FIGURES_FILE) as temporary:
            temporary.write_text(json.dumps(record, indent=1), encoding="utf-8")
    paths = [file for name in wanted if name in record for file in files_of(name, folder)]
    return paths, [f"figure {name}: {why}" for name, why in left_out.items() if why]


def files_of(name: str, folder: Path) -> list[Path]:
    """The files of a figure."""
    return [folder / f"{name}.{kind}" for kind in ("png", "svg")]


def drawn_before(folder: Path) -> dict[str, str]:
    """What the figures of a folder were drawn from, by name; nothing where that is not known."""
    try:
        found = json.loads((folder / FIGURES_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    kept = found if isinstance(found, dict) else {}
    return {name: value for name, value in kept.items() if isinstance(value, str)}


def source_of(results: Results, study: Path) -> str:
    """A digest of all that figures are drawn from: the runs, their names, the timing study and the code."""
    digest = sha256()
    for run in results.runs:
        digest.update(f"{run.name} {run.label} {find_dataset(run.spec.dataset).ready()}".encode())
        for file in sorted(run.directory.path.iterdir()):
            state = file.stat()
            digest.update(f"{file.name} {state.st_size} {state.st_mtime_ns}".encode())
    digest.update(str([list(results.notes), sorted({row.data for row in results.rows})]).encode())
    digest.update(study.read_bytes() if study.is_file() else b"")
    for file in sorted(Path(__file__).parent.parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
