"""Automatic captions of a world's clips: what a captioner that errs might say of the picture alone.

They are made from the picture's script with fixed rates of error and with draws of their own, so they know
neither the sound nor what the captions of the data set mention. Their sentences are built otherwise ("a red
thing, a blue thing spins in the sea", never ", then"), so that none is ever a caption of the data set.
"""

from collections.abc import Iterable

import numpy as np

from core.datasets.avworld.grammar import COLOURS, MOTIONS, SCENES
from core.datasets.avworld.script import ScriptedClip, Segment
from core.datasets.avworld.world import WORLD_VERSION
from core.store.video_captions import VideoCaption

NONE = 0.1
"""Share of the clips without an automatic caption."""
MISSED = 0.1
"""Chance that an object is overlooked; of a clip with all of them overlooked the last is named."""
WRONG = 0.15
"""Chance that a colour, a motion or the scene is named wrongly, that is drawn anew from all its values."""
MOTION_SAID = 0.5
"""Chance that an object's motion is named."""
COMPANION_SAID = 0.3
"""Chance that an object's companion is named."""
SCENE_SAID = 0.7
"""Chance that the scene is named."""


def automatic_captions(clips: Iterable[ScriptedClip]) -> Iterable[VideoCaption]:
    """A line of `captions.jsonl` for each clip that gets a caption; sounds are never described."""
    for clip in clips:
        sentence = automatic_caption(clip)
        if sentence is not None:
            yield VideoCaption(id=clip.id, visual=sentence)


def automatic_caption(clip: ScriptedClip) -> str | None:
    """What is said of a clip's picture, the same whenever it is asked; None for one clip in ten."""
    rng = np.random.default_rng([WORLD_VERSION, *clip.id.encode()])
    if rng.random() < NONE:
        return None
    segments = [s for s in clip.picture.segments if rng.random() >= MISSED] or [clip.picture.segments[-1]]
    sentence = ", ".join(_seen_thing(rng, segment) for segment in segments)
    if rng.random() < SCENE_SAID:
        sentence += f" in the {_mostly_true(rng, clip.picture.scene, SCENES)}"
    return sentence


def _seen_thing(rng: np.random.Generator, segment: Segment) -> str:
    words = f"a {_mostly_true(rng, segment.colour, COLOURS)} thing"
    if rng.random() < COMPANION_SAID:
        words += f" with a {_mostly_true(rng, segment.companion, COLOURS)} companion"
    if rng.random() < MOTION_SAID:
        words += f" {_mostly_true(rng, segment.motion, MOTIONS)}"
    return words


def _mostly_true(rng: np.random.Generator, truth: str, values: tuple[str, ...]) -> str:
    """The truth, or now and then any value."""
    return values[rng.integers(len(values))] if rng.random() < WRONG else truth
