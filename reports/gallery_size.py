"""R@K over the size of the gallery, of runs whose galleries distractors enlarge: as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from pydantic import TypeAdapter, ValidationError

from core.evaluation.gallery_size import CURVES
from core.evaluation.measures import RECALL_AT
from core.runs import RunDirectory
from reports.results import Results
from reports.table import Table, number

RECALLS = tuple(f"R@{k}" for k in RECALL_AT)


@dataclass(frozen=True)
class CurvePoint:
    """Expected recalls at one size of the gallery, in points."""

    gallery: int
    """Videos that are ranked."""
    recalls: tuple[float, ...]
    """R@K in the order of `RECALLS`."""


@dataclass(frozen=True)
class GalleryCurve:
    """How a configuration's recalls fall while its gallery grows, averaged over the seeds."""

    data: str
    label: str
    points: tuple[CurvePoint, ...]


def gallery_curves(results: Results) -> list[GalleryCurve]:
    """The curve of every configuration that has one."""
    found = []
    for cell in results.cells(condition="leak-free", rescoring="none", direction="t2v"):
        runs = [read_curve(row.run.directory, cell.protocol.split) for row in cell.rows]
        if not all(runs):
            continue
        points = [
            CurvePoint(
                gallery=same[0].gallery,
                recalls=tuple(fmean(values) for values in zip(*(p.recalls for p in same), strict=True)),
            )
            for same in zip(*runs, strict=True)
        ]
        found.append(GalleryCurve(cell.data, cell.label, tuple(points)))
    return found


def read_curve(directory: RunDirectory, split: str) -> Sequence[CurvePoint]:
    """The curve of a split of a run; empty where it has none. Raises `BenchError` for a damaged file."""
    if not (directory.path / CURVES).is_file():
        return ()
    entries = directory.read_json(CURVES).get(split, ())
    try:
        rows = TypeAdapter(list[dict[str, float]]).validate_python(entries)
        return [CurvePoint(gallery=int(r["gallery"]), recalls=tuple(r[n] for n in RECALLS)) for r in rows]
    except (ValidationError, KeyError) as error:
        raise directory.damaged(CURVES, str(error)) from error


def gallery_table(results: Results) -> Table | None:
    """Every curve, a row per size; None where there is none."""
    rows = [
        [curve.data, curve.label, f"{point.gallery:,}", *map(number, point.recalls)]
        for curve in gallery_curves(results)
        for point in curve.points
    ]
    if not rows:
        return None
    note = (
        "Distractors answer no query. The figures are expectations over all choices of so many of them, "
        "computed and not sampled; a distractor that ties counts as ranking higher."
    )
    return Table("R at K over the size of the gallery", ["data", "method", "gallery", *RECALLS], rows, [note])
