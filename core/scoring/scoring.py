"""Scores of all (text, video) pairs in tiles: exactly by algebra where a method has it, else by its modules.

No Python work per pair and no `(N, V, D)` tensor. `build_index` asks the method for what each video needs
and checks random pairs of the algebra against the modules; `score_tiles` and `score_matrix` read the index.
Scores do not depend on tile sizes or tile order. The modules are right for any method: they are the
reference that the algebra is compared with, and what scores where a method names an obstacle.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypedDict, Unpack

import torch
from torch import Tensor

from core.batch import Rows, Texts, Videos
from core.errors import BenchError
from core.method import Dimensions, Method, NoiseSource
from core.plugin_errors import calling
from core.scoring.guards import (
    check_rows,
    check_scores,
    check_texts,
    check_videos,
    modules_of,
    self_check,
    weights_state,
)
from core.scoring.names import Condition as Condition
from core.scoring.names import Engine as Engine
from core.scoring.names import Precision as Precision
from core.scoring.tiles import (
    Tile,
    blocks,
    default_tile_bytes,
    shape_for_algebra,
    shape_for_modules,
    videos_with_oom_retry,
    with_oom_retry,
)

EVERY = slice(None)
"""All of some rows."""
RELEASED_VIDEOS = 64
"""Videos that the authors' evaluation fuses and pools with their own captions at a time."""
RELEASED_BYTES = 16 * 2**20
"""Largest block of its scores."""

MATMUL_PRECISION = {"float32": "highest", "tf32": "high", "bfloat16": "medium"}
"""Torch's names; a device that lacks the lower precision stays with float32."""


@dataclass(frozen=True)
class ScoringIndex:
    """What scoring keeps of V videos, made by `build_index`: no more than its engine reads."""

    videos: Rows
    """What leak-free scores read: bases of the exact engine, or what the method's modules need."""
    released: Rows | None
    """What released scores read, where the authors' scoring is another; else None."""
    obstacle: str
    """Why the modules score, e.g. "token fusion"; empty where the exact engine does."""
    weights: tuple[tuple[int, int], ...]
    """See `weights_state`; a method whose weights have changed since is refused."""
    dimensions: Dimensions
    """Of the method."""

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, part: slice) -> "ScoringIndex":
        """The index of some of the videos."""
        released = None if self.released is None else self.released[part]
        return replace(self, videos=self.videos[part], released=released)

    @property
    def engine(self) -> str:
        """What scores, in words: `exact`, or `modules` and why."""
        return f"modules ({self.obstacle})" if self.obstacle else "exact"


class How(TypedDict, total=False):
    """How a matrix is scored, beyond what is scored."""

    condition: Condition
    """Leak-free unless given."""
    pairing: Tensor | None
    """`(N,)` int64, each text's own video; only `released` may see it."""
    precision: Precision
    """float32 unless given."""
    tile_bytes: int | None
    """Size of a tile; the device's default unless given."""


@contextmanager
def exact_arithmetic(method: Method, precision: Precision = "float32") -> Iterator[None]:
    """Evaluation mode, no gradients, and products no less precise than said, for the length of a block."""
    training, before = method.training, torch.get_float32_matmul_precision()
    # telling every module takes as long as a small tile, so they are told only where one trains
    trains = any(module.training for module in modules_of(method))
    if trains:
        method.eval()
    torch.set_float32_matmul_precision(MATMUL_PRECISION[precision])
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_float32_matmul_precision(before)
        if trains:
            method.train(training)


def build_index(
    method: Method,
    videos: Videos,
    *,
    engine: Engine = "exact",
    chunk: int = 256,
    check: bool = True,
    released: bool = True,
) -> ScoringIndex:
    """The index of V videos, made `chunk` at a time, with a self-check of the exact engine.

    `check` is off only where the same weights have passed the self-check before, `released` where nobody will
    ask for the authors' scores: what only they read is then not kept.

    Raises `BenchError` for features that no encoder should return, and where the self-check fails.
    """
    check_videos(videos)
    chunk = len(videos) if method.needs.gallery else chunk
    exact = method.exact
    obstacle = obstacle_to_algebra(method) if engine == "exact" else "as asked"

    def made(part: slice) -> Rows:
        with calling(method, "index"):
            rows: Rows = method.index(videos[part])
        check_rows(method, rows, len(videos[part].keys))
        return rows

    with exact_arithmetic(method), calling(method, "exact.index"):
        if exact is None or obstacle:
            rows = in_chunks(made, len(videos), chunk)
            kept = rows if method.released and released else None
            return ScoringIndex(rows, kept, obstacle, weights_state(method), method.dimensions)
        # released scoring reads what the modules made of the videos; the algebra replaces it elsewhere
        kept = in_chunks(made, len(videos), chunk) if method.released and released else None
        basis = in_chunks(
            lambda part: exact.index(made(part) if kept is None else kept[part]), len(videos), chunk
        )
        if check:
            self_check(method, exact, videos, basis)
    return ScoringIndex(basis, kept, "", weights_state(method), method.dimensions)


def in_chunks(make: Callable[[slice], Rows], count: int, chunk: int) -> Rows:
    """What `make` returns of `count` videos, asked for `chunk` at a time or, where memory runs out, fewer."""
    made = (rows for part in blocks(count, chunk) for _, rows in videos_with_oom_retry(make, part))
    return Rows.collect(made, count)


def obstacle_to_algebra(method: Method) -> str:
    """Why a method has no algebra as it is configured; empty where it has."""
    return method.exact.obstacle if method.exact else "no algebra for this method"


def check_index(method: Method, index: ScoringIndex) -> None:
    """Raises `BenchError` for an index of another shape, or of weights that have changed since."""
    if index.dimensions != method.dimensions:
        made, now = index.dimensions, method.dimensions
        raise BenchError(
            f"the index holds videos of {made.frames} frames x {made.width}, {method.name} takes "
            f"{now.frames} x {now.width}; build the index again"
        )
    if index.weights != weights_state(method):
        raise BenchError(f"{method.name}'s weights have changed since the index was built; build it again")


def score_tiles(
    method: Method, texts: Texts, index: ScoringIndex, noise: NoiseSource, **how: Unpack[How]
) -> Iterator[Tile]:
    """Scores of texts `(N,)` against an index of V videos, tile by tile, divided by exp(logit_scale).

    Raises `BenchError` for an index that does not belong to the method as it is now, `ValueError` where the
    authors' scoring is asked for without the pairing.
    """
    check_index(method, index)
    check_texts(texts, method)
    if how.get("condition") == "released" and method.released:
        pairing = how.get("pairing")
        if pairing is None:
            raise ValueError(
                "the released condition scores with the video's own captions: it needs the pairing"
            )
        yield from released_tiles(method, texts, index, noise, pairing, how.get("precision", "float32"))
        return
    algebra = None if index.obstacle else method.exact
    # 4 bytes per number, so many numbers per pair: so many pairs fit into a tile
    floats = algebra.floats_per_pair if algebra else floats_per_pair(method)
    tile_bytes = how.get("tile_bytes") or default_tile_bytes(texts.embeds.device, algebra is not None)
    pairs = max(1, tile_bytes // (4 * floats))
    sides = pairs, len(texts), len(index)
    rows, columns = (
        shape_for_algebra(*sides, algebra.texts_per_video) if algebra else shape_for_modules(*sides)
    )
    if method.needs.gallery:
        rows, columns = max(1, pairs // len(index)), len(index)
    score = algebra.score if algebra else method.score
    for block in blocks(len(texts), rows):
        with exact_arithmetic(method, how.get("precision", "float32")), calling(method, "exact.queries"):
            # once per block of texts, whatever the number of videos
            asked = algebra.queries(texts[block], noise) if algebra else texts[block]
        for part in blocks(len(index), columns):
            with exact_arithmetic(method, how.get("precision", "float32")), calling(method, "score"):
                scores = with_oom_retry(score, asked, index.videos[part], noise)
            check_scores(method, scores, len(asked), part.stop - part.start)
            yield Tile(block, part, scores)


def floats_per_pair(method: Method) -> int:
    """What a pair takes where modules score, in numbers; fused frames unless the method says otherwise."""
    return method.needs.floats_per_pair or method.dimensions.frames * method.dimensions.width


def released_tiles(
    method: Method,
    texts: Texts,
    index: ScoringIndex,
    noise: NoiseSource,
    pairing: Tensor,
    precision: Precision,
) -> Iterator[Tile]:
    """Scores of the authors' evaluation, all texts against some videos at a time, or its own tiles.

    A video's score with any text depends on its own captions, wherever they stand among the texts.
    """
    released, rows = method.released, index.released
    if released is None or rows is None:
        raise ValueError(f"{method.name}'s index was built without what released scoring reads")
    score = released.score if index.obstacle else released.score_by_algebra
    # positions of the videos in the gallery; a tile is told those relative to its own first video
    own = pairing.to(texts.embeds.device)

    def scored(part: slice, block: slice = EVERY) -> Tensor:
        with exact_arithmetic(method, precision), calling(method, "released.score"):
            return score(texts[block], rows[part], own[block] - part.start, noise)

    if released.tile:  # scores depend on it, so that nothing may make it smaller
        for block in blocks(len(texts), released.tile[0]):
            for part in blocks(len(index), released.tile[1]):
                yield Tile(block, part, scored(part, block))
        return
    # all captions of a video have to be in a tile, so only the videos are split
    columns = max(1, min(RELEASED_VIDEOS, RELEASED_BYTES // (4 * len(texts))))
    for block in blocks(len(index), columns):
        for part, scores in videos_with_oom_retry(scored, block):
            yield Tile(slice(0, len(texts)), part, scores)


def score_matrix(
    method: Method,
    texts: Texts,
    index: ScoringIndex,
    *,
    noise: NoiseSource,
    on_pairs: Callable[[int], None] = lambda count: None,
    **how: Unpack[How],
) -> Tensor:
    """All scores `(N, V)` float32 on the CPU; see `score_tiles`.

    `on_pairs` is called with the number of pairs of each tile when it is done.
    """
    scores = torch.empty(len(texts), len(index))
    for tile in score_tiles(method, texts, index, noise, **how):
        scores[tile.texts, tile.videos] = tile.scores.float().cpu()
        on_pairs(tile.scores.numel())
    return scores
