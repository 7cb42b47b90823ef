"""Size: how many texts and videos are scored together, and in which order, changes no score.

The same pairs are scored in small blocks of odd sizes, and in matrices that are larger than the widths,
square or not, with one caption per video or several, from indices built in chunks of 1, of 37 and at once.
"""

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from core.audit.change import Change, tolerances
from core.audit.noise_features import SMALL, NoiseFeatures
from core.audit.rounding import MOST_ROUNDING, rounding
from core.audit.subject import Subject
from core.audit.verdict import Verdict, judged
from core.batch import Texts, Videos
from core.method import Method
from core.scoring.scoring import ScoringIndex, build_index

BLOCK_TEXTS, BLOCK_VIDEOS = 31, 29
"""Of the reference: primes, never square, never a multiple."""
LARGE = 512
"""Texts and videos of the largest square; a run's index is built in chunks of 256."""
DEEP = 64
"""Texts with `LARGE` videos where the square does not fit: more than in a tile of the engine."""
SURPLUS = 8
"""Texts beyond it."""
SIZE_STEPS, SIZE_FURTHER = 8, 12
"""Of training, as many as other checks have."""
OTHER_PAIRS = 24
"""Pairs of each layout that no rule picks."""
HUGE = 2**40
"""Bytes of a tile that takes everything at once."""
LARGEST_TENSOR = 2**29
"""Bytes that a matrix scored at once may take; beyond it the engine's own tiles are used."""


@dataclass(frozen=True)
class Layout:
    """Texts and videos that are scored together, by their numbers in the world."""

    name: str
    texts: Tensor
    videos: Tensor
    chunk: int = LARGE
    """Videos that are indexed together."""
    own: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    """`(N,)`: position of the video that each text would be stored with; text i with video i if empty."""

    def suspects(self) -> tuple[Tensor, Tensor]:
        """Positions `(K,)` of the texts and videos of pairs where a leak would show: every text's own video
        under each rule by which one could be found, and some others."""
        count, gallery = len(self.texts), len(self.videos)
        number = torch.arange(count)
        rules = [
            number % gallery,
            gallery - 1 - number % gallery,
            number * gallery // count,
            self.own if len(self.own) else number % gallery,
        ]
        generator = torch.Generator().manual_seed(count)
        texts, videos = (torch.randint(end, (OTHER_PAIRS,), generator=generator) for end in (count, gallery))
        return torch.cat((number.repeat(len(rules)), texts)), torch.cat((*rules, videos))


def layouts(largest: int) -> list[Layout]:
    """What is scored, up to `largest` texts with all videos."""
    straight = torch.arange(LARGE + SURPLUS)
    shuffled = torch.randperm(LARGE + SURPLUS, generator=torch.Generator().manual_seed(0))
    five = torch.arange(130) // 5
    mixed = five[torch.randperm(130, generator=torch.Generator().manual_seed(1))]
    found = [
        Layout("128 texts x 128 videos", straight[:128], straight[:128], chunk=37),
        Layout("200 texts x 150 videos", straight[:200], straight[:150]),
        Layout("77 texts x 77 videos in another order", shuffled[:77], straight[:77].flip(0)),
        Layout("5 captions per video in order", straight[:130], straight[:26], chunk=1, own=five),
        Layout("5 captions per video, shuffled", straight[:130], straight[:26], chunk=1, own=mixed),
        Layout(f"{LARGE + SURPLUS} texts x 13 videos", straight, straight[:13]),
        Layout(f"13 texts x {LARGE} videos", straight[:13], straight[:LARGE]),
    ]
    if largest:
        found.append(Layout(f"{largest} texts x {LARGE} videos", straight[:largest], straight[:LARGE]))
    return found


@dataclass(frozen=True)
class Reference:
    """Scores of single pairs, from blocks of odd sizes."""

    subject: Subject
    method: Method
    world: NoiseFeatures

    @cached_property
    def blocks(self) -> dict[tuple[int, int], Tensor]:
        """What has been scored."""
        return {}

    @cached_property
    def indices(self) -> dict[tuple[tuple[int, ...], int], ScoringIndex]:
        """What has been built: of which videos, in chunks of how many."""
        return {}

    def index(self, videos: Tensor, chunk: int) -> ScoringIndex:
        """Of the videos of those numbers, some at a time; built once."""
        key = tuple(videos.tolist()), chunk
        if key not in self.indices:
            self.indices[key] = self.subject.index(self.method, self.world.videos[videos], chunk)
        return self.indices[key]

    def pairs(self, texts: Tensor, videos: Tensor) -> tuple[Tensor, Tensor]:
        """Scores `(K,)` of texts with videos by number, and what each may change by."""
        codes = torch.stack((texts // BLOCK_TEXTS, videos // BLOCK_VIDEOS), 1)
        found, allowed = torch.empty(len(texts)), torch.empty(len(texts), dtype=torch.float64)
        for row, column in codes.unique(dim=0).tolist():
            here = (codes[:, 0] == row) & (codes[:, 1] == column)
            block = self.block(row, column)
            t, v = texts[here] - row * BLOCK_TEXTS, videos[here] - column * BLOCK_VIDEOS
            found[here] = block[t, v]
            allowed[here] = tolerances(block)[t]
        return found, allowed

    def block(self, row: int, column: int) -> Tensor:
        """The scores of a block, scored once."""
        if (row, column) not in self.blocks:
            texts = slice(row * BLOCK_TEXTS, (row + 1) * BLOCK_TEXTS)
            videos = slice(column * BLOCK_VIDEOS, (column + 1) * BLOCK_VIDEOS)
            index = self.index(torch.arange(len(self.world.videos)), BLOCK_VIDEOS)
            self.blocks[row, column] = self.subject.scores(
                self.method, self.world.texts[texts], index[videos], tile_bytes=HUGE
            )
        return self.blocks[row, column]


def changed(
    subject: Subject, method: Method, world: NoiseFeatures, layout: Layout, reference: Reference
) -> Change:
    """How far the suspects of a layout are from the reference."""
    index = reference.index(layout.videos, layout.chunk)
    tile_bytes = HUGE if at_once(method, len(layout.texts), len(layout.videos)) else None
    scores = subject.scores(method, world.texts[layout.texts], index, tile_bytes=tile_bytes)
    texts, videos = layout.suspects()
    if method.needs.gallery:
        expected, allowed = in_same_gallery(subject, method, world, layout)
    else:
        expected, allowed = reference.pairs(layout.texts[texts], layout.videos[videos])
    change = Change.between(scores[texts, videos], expected, allowed)
    if 1 < change.excess <= MOST_ROUNDING and not change.undefined:  # a second look: it may be rounding

        def again(texts: Texts, videos: Videos) -> Tensor:
            return subject.scores(
                method, texts, subject.index(method, videos, layout.chunk), tile_bytes=tile_bytes
            )

        rows = rounding(again, world.texts[layout.texts], world.videos[layout.videos], scores)
        change = Change.between(scores[texts, videos], expected, torch.maximum(allowed, rows[texts]))
    worst = change.pair[0]
    pair = (int(layout.texts[texts[worst]]), int(layout.videos[videos[worst]]))
    return Change(change.largest, change.allowed, change.mean, change.undefined, pair)


def in_same_gallery(
    subject: Subject, method: Method, world: NoiseFeatures, layout: Layout
) -> tuple[Tensor, Tensor]:
    """The reference where scores depend on the gallery: its videos reversed, the texts in blocks."""
    index = subject.index(method, world.videos[layout.videos.flip(0)])
    parts = [subject.scores(method, world.texts[some], index) for some in layout.texts.split(BLOCK_TEXTS)]
    scores, (texts, videos) = torch.cat(parts).flip(1), layout.suspects()
    return scores[texts, videos], tolerances(scores)[texts]


def floats_of(method: Method) -> int:
    """Numbers per pair that scoring takes."""
    if method.exact and not method.exact.obstacle:
        return method.exact.floats_per_pair
    return method.needs.floats_per_pair or method.dimensions.frames * method.dimensions.width


def at_once(method: Method, texts: int, videos: int) -> bool:
    """Whether so many pairs are scored as one tile; what does not fit, the engine never scores as one."""
    return 4 * floats_of(method) * texts * videos <= LARGEST_TENSOR


def size(subject: Subject) -> Verdict:
    """Every layout, by a trained method of narrow features; the released condition has its own checks."""
    if subject.condition == "released":
        meaning = "What the released condition depends on, pairing says."
        return subject.verdict("size", "not applicable", "released scores", meaning)
    small = subject.of_shape(SMALL, steps=SIZE_STEPS, further=SIZE_FURTHER)
    method = small.practice.method
    world = NoiseFeatures.draw(LARGE + SURPLUS, LARGE, seed=1, shape=SMALL)
    largest = next((texts for texts in (LARGE, DEEP) if at_once(method, texts, LARGE)), 0)
    reference = Reference(small, method, world)
    found = {layout.name: changed(small, method, world, layout, reference) for layout in layouts(largest)}
    name, worst = max(found.items(), key=lambda item: (item[1].undefined > 0, item[1].excess))
    figure = f"score change over {len(found)} layouts, up to {list(found)[-1]}: {worst}"
    meaning = "Scores do not depend on how many texts and videos are scored together, or on their order."
    if not worst.none:
        where = "`index`" if index_depends_on_chunks(small, method, world) else "`score`"
        meaning = f"In {name}, {worst.where}: look at {where} for what reads the number or order of its rows."
    return subject.verdict("size", judged(worst.none), figure, meaning)


def index_depends_on_chunks(subject: Subject, method: Method, world: NoiseFeatures) -> bool:
    """Whether scores of one block differ between an index of these videos alone and one of all."""
    texts, videos = world.texts[:BLOCK_TEXTS], world.videos
    alone = subject.scores(
        method, texts, build_index(method, videos[:BLOCK_VIDEOS], chunk=1), tile_bytes=HUGE
    )
    every = subject.index(method, videos, LARGE)[:BLOCK_VIDEOS]
    return not Change.between(subject.scores(method, texts, every, tile_bytes=HUGE), alone).none
