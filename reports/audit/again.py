"""What a run's checkpoint scores when it is scored again, in a process of its own, in other circumstances."""

import math
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from core.audit.change import Change, tolerances
from core.audit.verdict import Verdict, judged
from core.errors import BenchError
from core.evaluation.measures import recall
from core.evaluation.statistics import bootstrap_interval
from core.plugin_errors import PluginError
from core.run_files import CHECKPOINT
from core.running.score_again import RECORDS, SCORES
from core.runs import RunDirectory
from reports.audit.protocols import RunSubject
from reports.table import number

PLAIN = "as in the run"
"""The variant that nothing is changed in."""
COPIED = 0.01
"""Share of the scored videos that may be copies of training videos."""


class NotScored(BenchError):
    """Why a run cannot be scored again on this machine."""


@dataclass(frozen=True)
class ScoredAgain:
    """What the other process found."""

    records: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    @classmethod
    def of(cls, directory: RunDirectory) -> "ScoredAgain":
        """Raises `PluginError` where the method's code fails, `NotScored` for anything else in the way."""
        if not (directory.path / CHECKPOINT).is_file():
            raise NotScored(f"{directory.path.name} has no {CHECKPOINT}")
        with TemporaryDirectory(prefix="bench-again-") as folder:
            command = [
                sys.executable,
                "-m",
                "core.running.score_again",
                str(directory.path.resolve()),
                folder,
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            place = Path(folder)
            if not (place / RECORDS).is_file():
                last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
                raise BenchError(f"scoring {directory.path.name} again ended early: {last}")
            records = RunDirectory(place).read_json(RECORDS)
            if "refused" in records:
                error = (PluginError if records["plugin"] else NotScored)(records["refused"])
                if records["behind"]:
                    error.add_note(records["behind"])
                raise error
            return cls(records, load_file(place / SCORES))

    @property
    def expected(self) -> Tensor:
        """Scores `(N, V)` as the run computes them."""
        return self.tensors[f"{PLAIN}/scores"]

    def changes(self) -> Iterator[tuple[str, Change]]:
        """How far each other variant is from it."""
        allowed = tolerances(self.expected)
        for key, scores in self.tensors.items():
            name, _, what = key.rpartition("/")
            if what == "scores" and name != PLAIN:
                rows = self.tensors[f"{name}/query"]
                change = Change.between(scores, self.expected[rows], allowed[rows])
                yield name, change.renumbered(rows.tolist(), range(scores.shape[1]))


def scored_again(subject: RunSubject) -> list[Verdict]:
    """Every check that needs the checkpoint and the data; one line where they are not here."""
    if subject.condition != "leak-free":
        meaning = "What released scores depend on, the audit of the method says."
        return [subject.verdict("scored again", "not applicable", "released scores", meaning)]
    try:
        again = ScoredAgain.of(subject.run.directory)
    except NotScored as error:
        meaning = "The checkpoint was not scored again."
        return [subject.verdict("scored again", "not applicable", str(error), meaning)]
    checks: Sequence[Callable[[RunSubject, ScoredAgain], Verdict]] = (
        same_ranks,
        independence,
        ceiling,
        copies,
        training_data,
    )
    return [check(subject, again) for check in checks]


def same_ranks(subject: RunSubject, again: ScoredAgain) -> Verdict:
    """The scores of the queries with their own videos, and their ranks, beside those of the run.

    Where rounding decides, a rank may be any that it allows.
    """
    stored = subject.text_to_video()
    place = {int(query): row for row, query in enumerate(stored.query.tolist())}
    rows = torch.tensor([place[query] for query in again.tensors["query"].tolist()])
    own = again.expected.gather(1, again.tensors["pairing"][:, None])[:, 0].double()
    change = Change.between(own, stored.records.own_score[rows].double(), tolerances(again.expected))
    higher, not_lower = better_videos(again)
    counts = stored.records.counts
    ahead, ties = counts.greater[rows], counts.ties[rows]
    moved = (ahead > not_lower) | (ahead + ties < higher)
    meaning = "The checkpoint gives the scores and ranks that the run has stored."
    if not change.none:
        query = int(again.tensors["query"][change.pair[0]])
        meaning = (
            f"The checkpoint does not give the stored scores: query {query} with its own video differs by "
            f"{change.largest:.2g}, tolerance {change.allowed:.1g}."
        )
    elif moved.any():
        first = int(moved.nonzero()[0, 0])
        meaning = (
            f"The checkpoint does not give the stored ranks: {int(ahead[first])} videos were ahead of the "
            f"own one of query {int(again.tensors['query'][first])}, and now {int(higher[first])} are."
        )
    good = change.none and not bool(moved.any())
    if not good and again.records["code"] != subject.run.manifest.fingerprints.get("code"):
        meaning += " The code has changed since; run the cell again."
    figure = f"{len(rows)} queries, own score off by {change}, {int(moved.sum())} other ranks"
    return subject.verdict("scored again", judged(good), figure, meaning)


def better_videos(again: ScoredAgain) -> tuple[Tensor, Tensor]:
    """How many videos score higher than each query's own, `(N,)`, and how many may, within the tolerance.

    Queries whose own score is undefined have every rank.
    """
    scores, pairing = again.expected.double(), again.tensors["pairing"][:, None]
    own, allowed = scores.gather(1, pairing), 2 * tolerances(again.expected)[:, None]
    difference = (scores - own).scatter(1, pairing, -torch.inf)
    possible = (difference >= -allowed) | difference.isnan()
    return (difference > allowed).sum(1), possible.sum(1)


def independence(subject: RunSubject, again: ScoredAgain) -> Verdict:
    """Queries shuffled, half removed, one at a time; videos in another order; other keys."""
    found = dict(again.changes())
    worst = max(found, key=lambda name: (found[name].undefined > 0, found[name].excess))
    meaning = "A score depends on its text and its video alone, with the weights of the run too."
    if again.records["gallery"]:
        meaning = "A score depends on its text, its video and, as declared, on the gallery."
    if not found[worst].none:
        where = {"other keys": "what looks names up", "videos in another order": "`index` and `score`"}
        looked = where.get(worst, "`score`")
        meaning = f"With {worst}, {found[worst].where}: look at {looked}."
    figure = "score change: " + ", ".join(f"{name} {change}" for name, change in found.items())
    return subject.verdict("independence", judged(found[worst].none), figure, meaning)


def ceiling(subject: RunSubject, again: ScoredAgain) -> Verdict:
    """R@1 of a method that hears nothing, beside what pixels alone allow in a world that knows it."""
    most, check = again.records["ceiling"], "ceiling"
    if again.records["sound"] or most is None:
        what = "it uses sound" if again.records["sound"] else "no ceiling is known"
        meaning = "Only methods without sound, in a world that knows it, have this bound."
        return subject.verdict(check, "not applicable", what, meaning)
    answers = subject.text_to_video()
    hits = recall(answers.ranks(), 1)
    counted = hits.isfinite()
    found = bootstrap_interval(hits[counted], answers.clusters[counted], seed=0)
    good = found.low <= most or math.isclose(found.low, most)
    interval = f"{number(found.low)} to {number(found.high)}"
    figure = f"R@1 {number(found.estimate)} (95 % {interval}), pixels allow {number(most)}"
    meaning = "It finds no more than its pixels can tell."
    if not good:
        meaning = "It finds more than pixels can tell, without sound: it knows something of the answers."
    return subject.verdict(check, judged(good), figure, meaning)


def copies(subject: RunSubject, again: ScoredAgain) -> Verdict:
    """What of the scored split the training split has too."""
    found = again.records["copies"]
    shared = max(found["files"], found["clips"])
    good = shared <= COPIED * found["videos"]
    named = [f", e.g. {found[name]}" if found[name] else "" for name in ("caption", "file", "clip")]
    figure = (
        f"also in train: {found['captions']} of {found['queries']} captions{named[0]}; {found['files']} of "
        f"{found['videos']} files{named[1]}; {found['clips']} by their decoded frames{named[2]}"
    )
    meaning = "The scored videos are not those that it was trained on."
    if not good:
        meaning = "Scored videos are copies of training videos: leave them out of one of the splits."
    return subject.verdict("copies", judged(good), figure, meaning)


def training_data(subject: RunSubject, again: ScoredAgain) -> Verdict:
    """What the encoders' weights were trained on, as they declare it."""
    found: Mapping[str, str] = again.records["training_data"]
    figure = "; ".join(f"{name}: {data or 'not declared'}" for name, data in found.items())
    meaning = "What the encoders have seen before is named; whether a clip is among it is not known here."
    declared = all(found.values())
    return subject.verdict("training data", "pass" if declared else "not applicable", figure, meaning)
