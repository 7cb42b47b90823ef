"""Composes the picture of a clip: segments from given bounds, a scene, and all that stays free."""

import numpy as np

from core.datasets.avworld.grammar import COLOURS, MOTIONS, SCENES
from core.datasets.avworld.script import DrawnPicture, Segment
from core.datasets.avworld.world import FRAMES, WORLD_SECONDS


def even_bounds(count: int) -> list[int]:
    """The first frames of `count` segments of equal length, and the end of the last.

    >>> even_bounds(3)
    [0, 11, 21, 32]
    """
    return [round(FRAMES * i / count) for i in range(count + 1)]


def compose_picture(
    rng: np.random.Generator, bounds: list[int], rings: tuple[float, float] | None = None
) -> DrawnPicture:
    """A picture with a segment between each two bounds; `rings` is the span in seconds that is ringed.

    No two objects have the same colour, and no companion that of its object.
    """
    count = len(bounds) - 1
    colours = rng.permutation(len(COLOURS))[:count]
    segments = []
    for start, end, colour in zip(bounds[:-1], bounds[1:], colours, strict=True):
        companion = (colour + rng.integers(1, len(COLOURS))) % len(COLOURS)
        middle = (start + end) / 2 / FRAMES * WORLD_SECONDS
        segments.append(
            Segment(
                start=start,
                end=end,
                colour=COLOURS[colour],
                companion=COLOURS[companion],
                motion=MOTIONS[rng.integers(len(MOTIONS))],
                ringed=rings is not None and rings[0] < middle < rings[1],
                radius=float(rng.uniform(12, 15)),
                corner=int(rng.integers(4)),
                phase=float(rng.random()),
            )
        )
    scene = SCENES[rng.integers(len(SCENES))]
    return DrawnPicture(scene=scene, seed=int(rng.integers(2**32)), segments=tuple(segments))
