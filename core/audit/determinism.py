"""Determinism: the same seed gives the same scores; other seeds of the noise give others, if it has any."""

import torch

from core.audit.change import Change
from core.audit.noise_features import NoiseFeatures
from core.audit.subject import VIDEOS, Subject
from core.audit.verdict import Verdict, judged
from core.evaluation.ranking import text_to_video
from core.evaluation.tie_policies import recall_credit

NOISE_SEEDS = 5
SLICES_ASKED = (slice(0, 9), slice(9, VIDEOS), slice(3, 5), slice(0, 9))
"""Queries that are asked of one index; the last are the first again."""


def determinism(subject: Subject) -> Verdict:
    """Scores of two methods made from one seed, and of one that is asked again after other queries.

    With the spread of scores and R@1 over seeds of the noise.
    """
    world = NoiseFeatures.draw(VIDEOS, VIDEOS, seed=0, shape=subject.shape)
    first, again = (subject.scores(subject.untrained(), world.texts, world.videos) for _ in range(2))
    method, seeds = subject.untrained(), range(NOISE_SEEDS)
    trained = subject.practice.method
    index = subject.index(trained, world.videos)
    asked = [subject.scores(trained, world.texts[some], index) for some in SLICES_ASKED]
    draws = torch.stack(
        [subject.scores(method, world.texts, world.videos, noise_seed=seed) for seed in seeds]
    )
    same, memory = torch.equal(first, again), Change.between(asked[-1], asked[0])
    repeated = "bit-identical" if same else f"differs by {Change.between(first, again).largest:.1e}"
    if not memory.none:
        repeated += f", asked again {memory}"
    records = [text_to_video(scores, torch.arange(VIDEOS), undefined="allow") for scores in draws]
    recall = 100 * torch.stack([recall_credit(queries, 1).nanmean() for queries in records])
    noise = "no noise"
    if not torch.equal(draws[0], draws[1]):
        spread = f"score {float(draws.std(0).mean()):.4f}, R@1 {float(recall.std()):.1f} points"
        noise = f"standard deviation over {NOISE_SEEDS} noise seeds: {spread}"
    meaning = (
        "The same seed gives the same scores." if same else "The same seed gives other scores every time."
    )
    if same and not memory.none:
        meaning = f"Asked again after other queries, {memory.where}: `score` remembers."
    figure = f"same seed {repeated}; {noise}"
    return subject.verdict("determinism", judged(same and memory.none), figure, meaning)
