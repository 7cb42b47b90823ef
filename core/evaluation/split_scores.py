"""A split's captions and videos, encoded and scored as a run's spec says."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from core.batch import Texts
from core.errors import BenchError
from core.evaluation.ablation import ablated
from core.evaluation.streaming import Strips, room_for, scored_once, strip_width
from core.retriever import Retriever, SplitData
from core.scoring.noise import scoring_noise
from core.scoring.scoring import Condition, ScoringIndex, build_index, exact_arithmetic, score_matrix
from core.scoring.tiles import blocks
from core.spec import RunSpec

LEAK_FREE: tuple[Condition, ...] = ("leak-free",)
"""What nobody names: only what scores as a search engine could is then kept."""

OnPairs = Callable[[int], None]
"""Called with the number of pairs that were scored since the last call."""


def ignore_pairs(pairs: int) -> None:
    """An `OnPairs` that does nothing."""


@dataclass(frozen=True)
class Encoded:
    """A split as scoring needs it."""

    texts: Texts
    index: ScoringIndex
    pairing: Tensor
    """`(N,)` int64: video position of each text."""
    index_seconds: float = 0.0
    """What encoding the videos and building the index took."""
    text_seconds: float = 0.0
    """What encoding the texts took."""


def clock() -> float:
    """Seconds on a clock that runs on only when the GPU, where there is one, has done its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def encode(
    retriever: Retriever, data: SplitData, spec: RunSpec, conditions: Collection[Condition] = LEAK_FREE
) -> Encoded:
    """Encodes a split's captions and videos and builds the index of its videos for some conditions."""
    with exact_arithmetic(retriever.method):
        retriever.eval()
        started = clock()
        texts = retriever.encode_texts(data)
        encoded = clock()
        how = spec.evaluation
        videos = ablated(retriever.encode_videos(data), how.audio, how.picture, retriever.blank_frame)
    index = build_index(
        retriever.method, videos, engine=spec.evaluation.engine, released="released" in conditions
    )
    return Encoded(texts, index, data.pairing, clock() - encoded, encoded - started)


def scores_of(
    retriever: Retriever,
    encoded: Encoded,
    condition: Condition,
    spec: RunSpec,
    on_pairs: OnPairs = ignore_pairs,
) -> Tensor:
    """All scores `(N, V)` of an encoded split."""
    return score_matrix(
        retriever.method,
        encoded.texts,
        encoded.index,
        condition=condition,
        pairing=encoded.pairing,
        noise=scoring_noise(retriever.method.config, spec.seeds.noise, released=condition == "released"),
        precision=spec.evaluation.precision,
        on_pairs=on_pairs,
    )


@contextmanager
def strips_of(
    retriever: Retriever,
    encoded: Encoded,
    condition: Condition,
    spec: RunSpec,
    folder: Path,
    on_pairs: OnPairs = ignore_pairs,
) -> Iterator[Strips]:
    """The same scores, some videos at a time; `on_pairs` hears of all that are scored.

    A second pass reads what the first has kept in `folder`, or scores again where its disk has no room.
    """
    texts, videos = len(encoded.texts), len(encoded.index)
    if retriever.method.needs.gallery:
        raise BenchError(
            f"the scores of {retriever.method.name} depend on the gallery, so all of them must fit into "
            f"memory at once; raise evaluation.memory_budget (now {spec.evaluation.memory_budget} MiB)"
        )

    def strips() -> Iterator[tuple[slice, Tensor]]:
        for part in blocks(videos, strip_width(texts)):
            some = Encoded(encoded.texts, encoded.index[part], encoded.pairing - part.start)
            yield part, scores_of(retriever, some, condition, spec, on_pairs)

    if not room_for(folder, texts, videos):
        yield strips
        return
    with scored_once(strips, folder) as once:
        yield once


def fits(texts: int, videos: int, spec: RunSpec) -> bool:
    """Whether the matrix of all scores stays within the budget."""
    return 4 * texts * videos <= spec.evaluation.memory_budget * 2**20


def pairs_to_score(data: SplitData, spec: RunSpec, folder: Path) -> int:
    """Pairs that one condition scores: strips are scored twice where `folder` has no room to keep them."""
    texts, videos = len(data.tokens), len(data.rows)
    once = fits(texts, videos, spec) or room_for(folder, texts, videos)
    return texts * videos * (1 if once else 2)


def check_budget(sizes: Mapping[str, tuple[int, int]], spec: RunSpec) -> None:
    """Raises `BenchError` where a rescoring is asked for whose matrix goes beyond the budget.

    `sizes` are the texts and videos of each split.
    """
    wanted = [name for name in spec.evaluation.rescoring if name != "none"]
    for name in spec.evaluation.splits:
        texts, videos = sizes[name]
        if wanted and not fits(texts, videos, spec):
            size, budget = 4 * texts * videos / 2**20, spec.evaluation.memory_budget
            raise BenchError(
                f"{name}: {', '.join(wanted)} need all {texts} x {videos} scores, {size:,.0f} MiB, and "
                f'evaluation.memory_budget is {budget}; raise it, or set evaluation.rescoring=["none"]'
            )
