"""The queries that a run answers worst, with what it showed instead."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from core.evaluation.measures import mean_rank
from reports.collect import Run
from reports.gates import sign_note
from reports.lists import ListedVideo, read_lists
from reports.page.library import Library
from reports.queries import Answers, ResultKey

PER_RUN = 12
"""Failures of a run."""
PAGE_FAILURES = 5
"""Candidates of a query, clips with equal pixels counted once."""
PAGE_RESULTS = ResultKey("test")

NO_GATE = {"gate": None, "axis": None, "truth": None, "sign": None}


def failures(runs: Sequence[Run], library: Library) -> list[dict[str, Any]]:
    """The worst answers of one run per configuration, run by run; the worst get their clips first."""
    found = [(run, worst_answers(run)) for run in first_seeds(runs)]
    for place in range(PER_RUN):
        for run, records in found:
            for record in records[place : place + 1]:
                record["clip"] = library.key(run, record["video"])
                for candidate in record["top"]:
                    candidate["clip"] = library.key(run, candidate["video"])
    return [record for _, records in found for record in records]


def first_seeds(runs: Sequence[Run]) -> list[Run]:
    """One run of each configuration and data set that was scored on its test split."""
    first: dict[tuple[str, str], Run] = {}
    for run in runs:
        if PAGE_RESULTS in run.answers:
            first.setdefault((run.spec.dataset, run.label), run)
    return list(first.values())


def worst_answers(run: Run) -> list[dict[str, Any]]:
    """The failures of a run, the lowest rank of the true video first."""
    answers = run.answers[PAGE_RESULTS]
    rank = mean_rank(answers.ranks()).nan_to_num(0).numpy()
    worst = [row for row in np.argsort(-rank, kind="stable")[:PER_RUN].tolist() if rank[row] > 1]
    lists, gates = read_lists(run.directory, PAGE_RESULTS), gates_by_video(run)
    return [
        failure_record(run, answers, row, float(rank[row]), lists.get(int(answers.query[row]), []), gates)
        for row in worst
    ]


def failure_record(
    run: Run,
    answers: Answers,
    row: int,
    rank: float,
    listed: Sequence[ListedVideo],
    gates: Mapping[str, Any],
) -> dict[str, Any]:
    """A failure as the page's script reads it."""
    video = str(answers.video[row])
    return {
        "run": run.name,
        "label": run.label,
        "data": run.spec.dataset,
        "text": str(answers.text[row]),
        "video": video,
        "stratum": str(answers.stratum[row]),
        "rank": rank,
        "score": float(answers.records.own_score[row]),
        "top": one_per_group(listed, answers, str(answers.group[row])),
        **gates.get(video, NO_GATE),
    }


def one_per_group(listed: Sequence[ListedVideo], answers: Answers, own_group: str) -> list[dict[str, Any]]:
    """The best candidates, clips of equal pixels as one: with how many they are and whether the true one is.

    Clips without a caption of their own, whose group is not stored, stand alone.
    """
    group_of = dict(zip(answers.video.tolist(), answers.group.tolist(), strict=True))
    groups: dict[str, list[ListedVideo]] = {}
    for candidate in listed:
        groups.setdefault(group_of.get(candidate.video, candidate.video), []).append(candidate)
    return [
        {
            "video": clips[0].video,
            "score": clips[0].score,
            "position": clips[0].position,
            "alike": [clip.video for clip in clips[1:]],
            "own_pixels": group == own_group,
        }
        for group, clips in list(groups.items())[:PAGE_FAILURES]
    ]


def gates_by_video(run: Run) -> dict[str, dict[str, Any]]:
    """The gate of each video's first caption and, where known, where the sound matters, by its name."""
    gates = run.gates.get(PAGE_RESULTS.split)
    if gates is None:
        return {}
    names, axis, sign = video_names(run), gates.scores.axis, sign_note(gates)
    return {
        names[position]: {
            "gate": rounded_row(gates.values[row]),
            "axis": axis,
            "sign": sign,
            "truth": None if gates.truth is None else rounded_row(gates.truth[row]),
        }
        for row, position in enumerate(gates.video.tolist())
        if position in names
    }


def video_names(run: Run) -> dict[int, str]:
    """Position in the test split -> name of each video that has a caption."""
    answers = run.answers.get(PAGE_RESULTS._replace(direction="v2t"))
    if answers is None:
        return {}
    return dict(zip(answers.query.tolist(), answers.video.tolist(), strict=True))


def rounded_row(values: Tensor) -> list[float]:
    """A row of numbers at the precision of a drawing."""
    return [round(value, 3) for value in values.double().tolist()]
