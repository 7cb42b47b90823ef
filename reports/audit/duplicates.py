"""Ties and duplicates of a run: captions that belong to several videos, clips that share their pixels."""

from dataclasses import dataclass

import pandas as pd
import torch

from core.audit.verdict import Verdict
from core.evaluation.metrics import credit
from reports.audit.protocols import RunSubject
from reports.queries import read_rows

COLUMNS = ["text", "video", "group", "best_wrong_video", "rank_optimistic", "rank_pessimistic"]


@dataclass(frozen=True)
class Duplicates:
    """What cannot be told apart among queries, and what it can cost."""

    captions: int
    """Captions that stand with more than one video."""
    clips: int
    """Videos that share their pixels with another."""
    effect: float
    """Points of R@1 lost, at most, to a video of the same caption or the same pixels."""
    spread: float
    """Points of R@1 between ties behind and ties before the query's own video."""


def duplicates_of(rows: pd.DataFrame) -> Duplicates:
    """From text-to-video queries with the columns `COLUMNS`.

    Whenever the best wrong video has the caption or the pixels of the right one, the query is counted as a
    hit; what that adds to R@1 bounds the effect.
    """
    videos_of = rows.groupby("text", observed=True)["video"].nunique()
    group_of = dict(zip(rows["video"], rows["group"], strict=True))
    sizes = pd.Series(group_of).value_counts()
    texts_of = rows.groupby("video", observed=True)["text"].agg(frozenset).to_dict()
    wrong = rows["best_wrong_video"]
    alike = [
        rival != own and (group_of.get(rival) == group or text in texts_of.get(rival, ()))
        for rival, own, group, text in zip(wrong, rows["video"], rows["group"], rows["text"], strict=True)
    ]
    best, worst = (torch.tensor(rows[name].to_numpy(dtype=float)) for name in COLUMNS[-2:])
    defined = best.isfinite()
    own = credit(best, worst - best, 1)[defined]
    forgiven = own.clone()
    forgiven[torch.tensor(alike)[defined]] = 1.0
    spread = (best == 1).double()[defined].mean() - (worst == 1).double()[defined].mean()
    return Duplicates(
        captions=int((videos_of > 1).sum()),
        clips=int(sizes[sizes > 1].sum()),
        effect=100 * float((forgiven - own).mean()),
        spread=100 * float(spread),
    )


def ties(subject: RunSubject) -> Verdict:
    """Counts duplicates and ties; figures take ties in random order, so nothing here can fail."""
    protocol = {
        "split": subject.split,
        "condition": subject.condition,
        "rescoring": "none",
        "direction": "t2v",
    }
    filters = [(name, "==", value) for name, value in protocol.items()]
    rows = read_rows(subject.run.directory, "queries.parquet", COLUMNS, filters).astype(
        {name: "object" for name in COLUMNS[:4]}
    )
    found = duplicates_of(rows)
    figure = (
        f"{found.captions} captions of several videos, {found.clips} clips that share pixels: at most "
        f"{found.effect:.1f} points of R@1; the order of ties moves {found.spread:.1f}"
    )
    meaning = "Ties count in random order; a search that took any duplicate as right gains no more than this."
    return subject.verdict("ties", "pass", figure, meaning)
