"""The contract: what `index` and `score` return has the right shape and is a number; scoring changes nothing.

It comes first, and where it fails nothing else is asked: other checks would misread such scores.
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor

from core.audit.subject import Subject
from core.audit.verdict import Verdict, judged
from core.batch import Rows
from core.method import Method
from core.scoring.noise import scoring_noise
from core.scoring.scoring import exact_arithmetic

SHAPE_ASKED = 7, 10
"""Texts and videos: two numbers that no mistake confuses."""


def contract(subject: Subject, *, fresh: bool = True) -> Verdict:
    """What a fresh and a trained method return, and their weights and buffers before and after.

    Without `fresh`, the trained one alone is asked.
    """
    found = next(problems(subject, fresh), "")
    texts, videos = SHAPE_ASKED
    figure = found or f"({texts}, {videos}) finite scores, fresh and trained; weights and buffers stay"
    meaning = (
        "It returns what the contract asks for." if not found else "No other check was run: fix this first."
    )
    return subject.verdict("contract", judged(not found), figure, meaning)


def problems(subject: Subject, fresh: bool) -> Iterator[str]:
    """What is wrong, the first thing first."""
    if fresh:
        yield from of_scores(subject, subject.untrained(), "fresh")
    if subject.practice.unfit:
        yield f"`loss`: {subject.practice.unfit}, on noise of unit variance"
    yield from of_scores(subject, subject.practice.method, "trained")


def of_scores(subject: Subject, method: Method, state: str) -> Iterator[str]:
    """Of one method; scores of the released condition may be undefined, and are not looked at here."""
    asked, candidates = SHAPE_ASKED
    texts, videos = subject.world.texts[:asked], subject.world.videos[:candidates]
    before = {name: tensor.clone() for name, tensor in method.state_dict().items()}
    noise = scoring_noise(method.config, 0, released=False)
    with exact_arithmetic(method):
        with subject.blamed("index"):
            rows = method.index(videos)
        yield from of_index(rows, candidates, state)
        with subject.blamed("score"):
            scores = method.score(texts, rows, noise)
    yield from of_matrix(scores, state)
    after = method.state_dict()
    changed = [name for name in before if name not in after or not same(before[name], after[name])]
    changed += [name for name in after if name not in before]
    if changed:
        yield f"`{changed[0]}` changes while a {state} method scores; what comes first would decide the rest"


def same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same numbers, NaN included."""
    if torch.equal(one, other):
        return True
    return one.shape == other.shape and bool(((one == other) | ((one != one) & (other != other))).all())


def of_index(rows: Any, count: int, state: str) -> Iterator[str]:
    """What is wrong with an index of `count` videos."""
    if not (isinstance(rows, Rows) and is_dataclass(rows)):
        yield f"`index` returns {type(rows).__name__}, not a dataclass that derives from core.batch.Rows"
        return
    tensors = list(named_tensors(rows))
    if not tensors:
        yield f"`index` returns a {type(rows).__name__} without rows: it holds no tensor"
    for name, tensor in tensors:
        if not isinstance(tensor, Tensor):
            yield f"`index` keeps a {type(tensor).__name__} in `{name}`; an index holds tensors only"
        elif not tensor.dim() or len(tensor) != count:
            shape = tuple(tensor.shape)
            yield f"`index` keeps {shape} in `{name}` of {count} videos; the first axis counts videos"
        elif not bool(tensor.isfinite().all()):
            row = int((~tensor.isfinite()).nonzero()[0, 0])
            yield f"`index` of a {state} method is not finite in `{name}`, video {row}"


def named_tensors(rows: Rows) -> Iterator[tuple[str, Any]]:
    """The fields of an index, those of records in it included; absent ones left out."""
    for field in fields(rows):
        value = getattr(rows, field.name)
        if isinstance(value, Rows):
            yield from ((f"{field.name}.{name}", tensor) for name, tensor in named_tensors(value))
        elif value is not None:
            yield field.name, value


def of_matrix(scores: Any, state: str) -> Iterator[str]:
    """What is wrong with scores of `SHAPE_ASKED`."""
    texts, videos = SHAPE_ASKED
    if not isinstance(scores, Tensor):
        yield f"`score` returns {type(scores).__name__}, not a tensor ({texts}, {videos})"
        return
    shape = tuple(scores.shape)
    if shape != SHAPE_ASKED:
        what = {
            (): "a single number",
            (texts, 1): "one score per text",
            (texts,): "one score per text",
            (videos,): "one score per video",
            (1, videos): "one score per video",
            (videos, texts): "videos in rows: transpose it",
        }.get(shape, "another shape")
        yield f"`score` returns {shape} for {texts} texts and {videos} videos, {what}; it must be (N, V)"
    elif not scores.is_floating_point():
        yield f"`score` returns {scores.dtype}, not floating-point numbers"
    elif not bool(scores.isfinite().all()):
        text, video = (~scores.isfinite()).nonzero()[0].tolist()
        value, count = float(scores[text, video]), int((~scores.isfinite()).sum())
        yield (
            f"`score` of a {state} method is {value} for text {text} with video {video}, and not finite in "
            f"{count} of {scores.numel()} pairs"
        )
