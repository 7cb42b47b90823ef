"""Draws the frames of a clip: a still background, one moving object per segment, its companion, its rings.

Edges are smoothed over one pixel by a coverage between 0 and 1 that blends a colour over the frame.
"""

import numpy as np
from numpy.typing import NDArray

from core.datasets.avworld.script import DrawnPicture, Segment
from core.datasets.avworld.world import FPS, PIXELS

Pixels = NDArray[np.float32]

PAINTS: dict[str, tuple[int, int, int]] = {
    "red": (220, 30, 30),
    "yellow": (250, 225, 40),
    "green": (30, 165, 50),
    "cyan": (50, 220, 230),
    "blue": (35, 60, 225),
    "purple": (135, 35, 180),
    "pink": (255, 140, 195),
    "black": (12, 12, 12),
}
WHITE = (255, 255, 255)

CYCLE = 1.1
"""Seconds of one swing, bounce or growth and of two blinks; no multiple of the distance of frames."""

_Y, _X = np.mgrid[0:PIXELS, 0:PIXELS].astype(np.float32)


def frames(picture: DrawnPicture) -> NDArray[np.uint8]:
    """The picture's frames, `(FRAMES, PIXELS, PIXELS, 3)` RGB."""
    ground = background(picture.scene, picture.seed)
    return np.concatenate([_segment(ground, segment) for segment in picture.segments])


def background(scene: str, seed: int) -> Pixels:
    """The still background, `(PIXELS, PIXELS, 3)` of 0 to 255: muted, so that the objects stand out."""
    rng = np.random.default_rng(seed)
    shift, turn = rng.uniform(0, 2 * np.pi, 2)
    height = _Y / PIXELS
    if scene == "forest":
        base, wave = (96, 116, 88), np.sin(_X * 0.7 + shift) * (0.6 + 0.4 * np.sin(_X * 0.23 + turn))
    elif scene == "desert":
        base, wave = (186, 164, 124), np.sin(_Y * 0.35 + 2 * np.sin(_X * 0.1 + shift))
    elif scene == "sea":
        base, wave = (104, 134, 156), np.sin(_Y * 0.8 + shift) * np.sin(_X * 0.25 + _Y * 0.1 + turn)
    elif scene == "city":
        base, wave = (132, 128, 132), np.sign(np.sin(_X * 0.4 + shift) * np.sin(_Y * 0.4 + turn))
    elif scene == "snow":
        base, wave = (164, 172, 184), np.sin(_X * 0.5 + shift) * np.sin(_Y * 0.5 + turn) - height
    else:
        base, wave = (84, 74, 68), np.sin(np.hypot(_X - 32, _Y - 32) * 0.45 + shift) - height
    ground: Pixels = np.array(base, np.float32) + np.float32(14) * wave[..., None]
    return ground.astype(np.float32)


def _segment(ground: Pixels, segment: Segment) -> NDArray[np.uint8]:
    """The frames of one segment, `(segment.end - segment.start, PIXELS, PIXELS, 3)`."""
    count = segment.end - segment.start
    canvas = np.repeat(ground[None], count, axis=0)
    turn = (np.arange(count) / FPS / CYCLE + segment.phase).astype(np.float32)[:, None, None]
    middle = PIXELS / 2
    across = middle + (11 * np.sin(2 * np.pi * turn) if segment.motion == "slides" else 0)
    down = middle + (10 - 20 * np.abs(np.sin(np.pi * turn)) if segment.motion == "bounces" else 0)
    radius = segment.radius * (0.45 + 0.6 * (turn % 1) if segment.motion == "grows" else 1)
    dx, dy = _X - across, _Y - down
    distance, angle = np.hypot(dx, dy), np.arctan2(dy, dx)

    disc = _inside(radius - distance)
    if segment.motion == "blinks":
        disc = np.where(turn % 0.5 < 0.25, disc, disc * _inside(distance - radius + 3))
    if segment.motion == "spins":
        disc = disc * (1 - (np.cos(3 * (angle - 2 * np.pi * turn / 3)) > 0.55) * (distance > 4))
    _paint(canvas, disc, PAINTS[segment.colour])
    if segment.ringed:
        arcs = _inside(1.5 - np.abs(distance - segment.radius - 4)) * (np.abs(np.cos(angle)) > 0.55)
        _paint(canvas, arcs, WHITE)
    corner_x, corner_y = (9 if side == 0 else PIXELS - 10 for side in divmod(segment.corner, 2))
    companion = _inside(6.5 - np.hypot(_X - corner_x, _Y - corner_y))
    _paint(canvas, companion, PAINTS[segment.companion])
    return canvas.clip(0, 255).astype(np.uint8)


def _inside(depth: Pixels) -> Pixels:
    """Coverage of pixels that lie `depth` pixels inside an edge."""
    coverage: Pixels = np.clip(depth + 0.5, 0, 1)
    return coverage


def _paint(canvas: Pixels, coverage: Pixels, paint: tuple[int, int, int]) -> None:
    """Blends `paint` over `canvas` `(F, H, W, 3)` in place where `coverage`, `([F,] H, W)`, is above 0."""
    canvas += coverage[..., None] * (np.array(paint, np.float32) - canvas)
