"""Scores of all (text, video) pairs in tiles: exactly by algebra where a method has it, else by its modules.

No Python work per pair and no `(N, V, D)` tensor. `build_index` asks the method for what each video needs
and checks random pairs of the algebra against the modules; `score_tiles` and `score_matrix` read the index.
Scores do not depend on tile sizes or tile order. The modules are right for any method: they are the
reference that the algebra is held against, and what scores where a method names an obstacle.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core.batch import Rows, Texts, Videos
from core.errors import BenchError
from core.method import Dimensions, Method, NoiseSource
from core.scoring.guards import check_texts, check_videos, self_check, weights_state
from core.scoring.names import Condition as Condition
from core.scoring.names import Engine as Engine
from core.scoring.names import Precision as Precision
from core.scoring.tiles import (
    Tile,
    blocks,
    deep_shape,
    default_tile_bytes,
    in_room,
    scored_in_room,
    wide_shape,
)

RELEASED_VIDEOS = 64
"""Videos that the authors' evaluation fuses and pools with their own captions at a time."""
RELEASED_BYTES = 16 * 2**20
"""Largest block of its scores."""

MATMUL_PRECISION = {"float32": "highest", "tf32": "high", "bfloat16": "medium"}
"""Torch's names; a device that lacks the lower precision stays with float32."""


@dataclass(frozen=True)
class ScoringIndex:
    """What scoring keeps of V videos, made by `build_index`."""

    rows: Rows
    """What the method's modules need of each video, free of any text."""
    basis: Rows | None
    """What the exact engine needs of each video; None where the modules score."""
    obstacle: str
    """Why the modules score, e.g. "token-level gate"; empty where the exact engine does."""
    weights: tuple[tuple[int, int], ...]
    """See `weights_state`; a method whose weights have changed since is refused."""
    dimensions: Dimensions
    """Of the method."""

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, part: slice) -> "ScoringIndex":
        """The index of some of the videos."""
        basis = None if self.basis is None else self.basis[part]
        return replace(self, rows=self.rows[part], basis=basis)

    @property
    def engine(self) -> str:
        """What scores, with the reason where it is not the exact engine; for a run's protocol."""
        return f"modules ({self.obstacle})" if self.obstacle else "exact"


@contextmanager
def exact_arithmetic(method: Method, precision: Precision = "float32") -> Iterator[None]:
    """Evaluation mode, no gradients, and products no less precise than said, for the length of a block."""
    training, before = method.training, torch.get_float32_matmul_precision()
    method.eval()
    torch.set_float32_matmul_precision(MATMUL_PRECISION[precision])
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_float32_matmul_precision(before)
        method.train(training)


def build_index(
    method: Method, videos: Videos, *, engine: Engine = "exact", chunk: int = 256
) -> ScoringIndex:
    """The index of V videos, made `chunk` at a time, with a self-check of the exact engine.

    Raises `BenchError` for features that no encoder should return, and where the self-check fails.
    """
    check_videos(videos)
    obstacle = method.exact_obstacle if engine == "exact" else "as asked"
    with exact_arithmetic(method):
        rows = in_chunks(lambda part: method.index(videos[part]), len(videos), chunk)
        basis = None
        if not obstacle:
            basis = in_chunks(lambda part: method.exact_index(rows[part]), len(videos), chunk)
            self_check(method, videos, rows, basis)
    return ScoringIndex(rows, basis, obstacle, weights_state(method), method.dimensions)


def in_chunks(make: Callable[[slice], Rows], count: int, chunk: int) -> Rows:
    """What `make` returns of `count` videos, asked for `chunk` at a time or, without room, fewer."""
    made = (rows for part in blocks(count, chunk) for _, rows in in_room(make, part))
    return Rows.collect(made, count)


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
    method: Method,
    texts: Texts,
    index: ScoringIndex,
    noise: NoiseSource,
    *,
    condition: Condition = "leak-free",
    pairing: Tensor | None = None,
    precision: Precision = "float32",
    tile_bytes: int | None = None,
) -> Iterator[Tile]:
    """Scores of texts `(N,)` against an index of V videos, tile by tile, divided by exp(logit_scale).

    `pairing` `(N,)` int64 names each text's own video; only `released` may see it, and needs it where the
    authors' evaluation pools with the video's own caption. Raises `BenchError` for an index that does not
    belong to the method as it is now.
    """
    check_index(method, index)
    check_texts(texts, method.dimensions.width)
    if condition == "released" and method.own_caption_scoring:
        if pairing is None:
            raise ValueError(
                "the released condition pools with the video's own caption and needs the pairing"
            )
        yield from released_tiles(method, texts, index, noise, pairing, precision)
        return
    exact, held = (False, index.rows) if index.basis is None else (True, index.basis)
    floats = method.exact_floats_per_pair if exact else method.floats_per_pair
    pairs = max(1, (tile_bytes or default_tile_bytes(texts.embeds.device, exact)) // (4 * floats))
    rows, columns = (deep_shape if exact else wide_shape)(pairs, len(texts), len(index))
    for block in blocks(len(texts), rows):
        with exact_arithmetic(method, precision):
            score = scorer(method, texts[block], noise, exact=exact)
        for part in blocks(len(index), columns):
            with exact_arithmetic(method, precision):
                scores = score(held[part])
            yield Tile(block, part, scores)


def scorer(method: Method, texts: Texts, noise: NoiseSource, *, exact: bool) -> Callable[[Rows], Tensor]:
    """Scores `(n, v)` of some texts as a function of bases or, by the modules, of rows of videos."""
    if exact:
        queries = method.exact_queries(texts, noise)
        return lambda videos: scored_in_room(lambda n, v: method.exact_score(n, v, noise), queries, videos)
    return lambda videos: scored_in_room(lambda n, v: method.score(n, v, noise), texts, videos)


def released_tiles(
    method: Method,
    texts: Texts,
    index: ScoringIndex,
    noise: NoiseSource,
    pairing: Tensor,
    precision: Precision,
) -> Iterator[Tile]:
    """Scores of the authors' evaluation, all texts against some videos at a time.

    A video's score with any text depends on its own captions, wherever they stand among the texts.
    """
    score = method.released_score if index.basis is None else method.exact_released_score
    columns = max(1, min(RELEASED_VIDEOS, RELEASED_BYTES // (4 * len(texts))))
    own = pairing.to(texts.embeds.device)

    def scored(part: slice) -> Tensor:
        with exact_arithmetic(method, precision):
            return score(texts, index.rows[part], own - part.start, noise)

    for block in blocks(len(index), columns):
        for part, scores in in_room(scored, block):
            yield Tile(slice(0, len(texts)), part, scores)


def score_matrix(
    method: Method,
    texts: Texts,
    index: ScoringIndex,
    *,
    condition: Condition = "leak-free",
    pairing: Tensor | None = None,
    noise: NoiseSource,
    precision: Precision = "float32",
    tile_bytes: int | None = None,
    on_pairs: Callable[[int], None] = lambda count: None,
) -> Tensor:
    """All scores `(N, V)` float32 on the CPU; see `score_tiles`.

    `on_pairs` is called with the number of pairs of each tile when it is done.
    """
    scores = torch.empty(len(texts), len(index))
    for tile in score_tiles(
        method,
        texts,
        index,
        noise,
        condition=condition,
        pairing=pairing,
        precision=precision,
        tile_bytes=tile_bytes,
    ):
        scores[tile.texts, tile.videos] = tile.scores.float().cpu()
        on_pairs(tile.scores.numel())
    return scores
