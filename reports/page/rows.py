"""The rows of the page's table, and the ranks from which it compares two runs."""

from typing import Any

import torch

from core.evaluation.measures import MEASURES
from reports.accuracy import milliseconds, reliable
from reports.convergence import convergence_notes
from reports.queries import Answers, ResultKey
from reports.results import Results, SeededRows
from reports.shown import interval_in_words, shown_interval
from reports.table import number

BADGES = {"leak-free": "leak-free", "released": "released scoring"}
COMPARED = tuple(ResultKey("test", direction=direction) for direction in ("t2v", "v2t"))


def result_rows(results: Results) -> list[dict[str, Any]]:
    """A row per run, split, condition, rescoring and direction."""
    found = []
    for row in results.rows:
        cell, asked = SeededRows(row.data, row.run.label, [row]), row.answers.entry.protocol
        training = row.run.spec.training
        found.append(
            {
                "run": row.run.name,
                "label": row.run.label,
                "data": row.data,
                "seed": row.run.spec.seeds.initialisation,
                **row.protocol._asdict(),
                "figures": [
                    {
                        "value": None if cell.undefined else cell.figure(measure),
                        "text": shown_interval(cell, measure),
                    }
                    for measure in MEASURES.values()
                ],
                "milliseconds": milliseconds(cell),
                "time": number(milliseconds(cell), 2) + ("" if reliable(cell) else " ?"),
                "badge": BADGES[row.protocol.condition],
                "terms": f"{asked.split} split, {asked.queries} queries, {asked.gallery} candidates, "
                f"rescoring {asked.rescoring} ({asked.rescoring_uses}), checkpoint by "
                f"{training.selection}, ties in random order, gallery {asked.gallery_fingerprint[:8]}",
                "interval": interval_in_words(cell),
                "queries": asked.queries,
            }
        )
    return found


def galleries(results: Results) -> list[dict[str, Any]]:
    """Queries of each gallery and direction once, with the ranks of every run that was asked them."""
    found = []
    for asked in COMPARED:
        rows = results.select(**asked._asdict())
        groups: dict[tuple[str, str], list[Any]] = {}
        for row in rows:
            key = (row.data, row.answers.entry.protocol.gallery_fingerprint)
            groups.setdefault(key, []).append(row)
        for (data, _), alike in groups.items():
            first = alike[0].answers
            found.append(
                {
                    "name": f"{data}, {asked.direction}",
                    "texts": first.text.tolist(),
                    "videos": first.video.tolist(),
                    "clusters": first.clusters.tolist(),
                    "runs": [
                        {
                            "run": row.run.name,
                            "label": row.run.label,
                            "notes": convergence_notes([row.run]),
                            **ranks(row.answers),
                        }
                        for row in alike
                    ],
                }
            )
    return found


def ranks(answers: Answers) -> dict[str, list[int]]:
    """Rank with ties behind, and how many tie; 0 for an undefined query."""
    found = answers.ranks()
    known = found.first.isfinite()
    return {
        "best": found.first.nan_to_num(0).long().tolist(),
        "ties": torch.where(known, found.width, 0).long().tolist(),
    }
