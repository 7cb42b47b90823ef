"""The best text-to-video R@1 that an observer of limited hearing can reach on a world.

An observer knows the grammar, the rules of the strata and everything that a caption mentions. It
keeps the clips of which the caption could have been written, as far as it perceives them; the clip
it was written of is always among them, and the observer cannot tell them apart. Its expected R@1 on
that caption is one over their number.
"""

from collections.abc import Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from core.dataset import PIXELS_ONLY
from core.datasets.avworld.grammar import COLOURS, CUE, MOTIONS, SCENES, SOUNDS
from core.datasets.avworld.script import Mention, ScriptedClip, Segment, WrittenCaption
from core.datasets.avworld.world import Stratum

WITH_SOUNDS = "+ which sounds occur"
WITH_PARTS = "+ in which part"
OBSERVERS = (PIXELS_ONLY, WITH_SOUNDS, WITH_PARTS)
"""What the observers perceive, each more than the one before: sample level, then frame level."""

MOST_SEGMENTS = 4
ABSENT, UNSAID = -1, -2


def ceilings(clips: Sequence[ScriptedClip]) -> dict[str, dict[str, float]]:
    """Observer -> stratum, and `all`, -> expected text-to-video R@1 in points over the clips' captions."""
    captions = [caption for clip in clips for caption in clip.captions]
    strata = np.array([clip.stratum for clip in clips for _ in clip.captions])
    seen = _picture_fits(captions, clips)
    table: dict[str, dict[str, float]] = {}
    for observer in OBSERVERS:
        credit = 100 / (seen & _sound_fits(captions, clips, observer)).sum(axis=1)
        table[observer] = per_stratum(credit, strata)
    return table


def per_stratum(credit: NDArray[np.float64], strata: NDArray[np.str_]) -> dict[str, float]:
    """The mean of what the captions are worth, `(N,)`: of all, and of each stratum that there is."""
    present = [stratum for stratum in get_args(Stratum) if stratum in strata]
    means = {stratum: float(credit[strata == stratum].mean()) for stratum in present}
    return {"all": float(credit.mean()), **means}


def nameable(clip: ScriptedClip, observer: str) -> set[str | None]:
    """The sounds that a caption of the clip may name, for all that the observer perceives.

    None stands for naming no sound.
    """
    if observer == PIXELS_ONLY:
        return {None, *SOUNDS}
    known: set[str | None] = {sound.name for sound in clip.sounds if sound.name in SOUNDS}
    rings = [segment for segment in clip.picture.segments if segment.ringed]
    if len(known) == 2 and observer == WITH_PARTS:
        if rings:
            middle = sum(rings[0].seconds) / 2
            return {sound.name for sound in clip.sounds if sound.start < middle < sound.end}
        moments = {sound.start for sound in clip.sounds if sound.name == CUE}
        return {sound.name for sound in clip.sounds if sound.name in SOUNDS and sound.start in moments}
    # One known sound all the time and no ring: a sound out of view that does not matter.
    return known if known and (rings or len(clip.sounds) > 1) else {None}


def _picture_fits(captions: Sequence[WrittenCaption], clips: Sequence[ScriptedClip]) -> NDArray[np.bool_]:
    """Whether everything a caption says of the picture holds for a clip, `(N, V)`."""
    said = np.array([_facts(caption.scene, caption.objects) for caption in captions])
    shown = np.array([_facts(clip.picture.scene, clip.picture.segments) for clip in clips])
    fits = np.ones((len(captions), len(clips)), dtype=bool)
    for fact in range(said.shape[1]):
        fits &= (said[:, None, fact] == shown[None, :, fact]) | (said[:, None, fact] == UNSAID)
    return fits


def _facts(scene: str | None, objects: Sequence[Mention] | Sequence[Segment]) -> list[int]:
    """The scene, then colour, companion and motion of each object, as numbers."""
    facts = [SCENES.index(scene) if scene else UNSAID]
    for thing in objects:
        facts.append(COLOURS.index(thing.colour))
        facts.append(COLOURS.index(thing.companion) if thing.companion else UNSAID)
        facts.append(MOTIONS.index(thing.motion) if thing.motion else UNSAID)
    return facts + [ABSENT] * (3 * (MOST_SEGMENTS - len(objects)))


def _sound_fits(
    captions: Sequence[WrittenCaption], clips: Sequence[ScriptedClip], observer: str
) -> NDArray[np.bool_]:
    """Whether the sound that a caption names, or its silence about it, is possible for a clip, `(N, V)`."""
    names = [*SOUNDS, None]
    possible = [nameable(clip, observer) for clip in clips]
    fits = np.array([[name in sounds for sounds in possible] for name in names])
    return fits[[names.index(caption.sound) for caption in captions]]
