"""The best text-to-video R@1 that an observer can reach on a world of ideas.

The observer knows the grammar, the strata of clips and captions with their rules, and everything that is
seen. It keeps the clips of the caption's stratum of which the caption could have been written. Each is as
likely, so its expected R@1 on that caption is one over their number. An observer that sees only a few frames
cannot choose between clips that look the same there, and chooses where it has kept most of those.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

import numpy as np

from core.dataset import PIXELS_ONLY
from core.datasets.avworld.ceilings import per_stratum
from core.datasets.avworld.ideas import Statement, statements
from core.datasets.avworld.script import DrawnPicture, ScriptedClip
from core.datasets.avworld.world import FRAMES, Stratum

FEW = 4
"""Frames that the observer of few frames sees."""
FEW_FRAMES = f"{FEW} frames only"


def ideas_ceilings(clips: Sequence[ScriptedClip]) -> dict[str, dict[str, float]]:
    """Observer -> stratum, and `all`, -> expected text-to-video R@1 in points over the clips' captions."""
    looks = [few_frames(clip.picture) for clip in clips]
    kept: defaultdict[tuple[Stratum, Statement], list[Hashable]] = defaultdict(list)
    for clip, look in zip(clips, looks, strict=True):
        for said in {said for kind in statements(clip.picture, clip.stratum) for said in kind}:
            kept[clip.stratum, said].append(look)
    alike = Counter(looks)
    credits: dict[str, list[float]] = {FEW_FRAMES: [], PIXELS_ONLY: []}
    for clip in clips:
        for caption in clip.captions:
            found = kept[clip.stratum, Statement(caption.scene, caption.objects)]
            best = max(count / alike[look] for look, count in Counter(found).items())
            credits[FEW_FRAMES].append(100 * best / len(found))
            credits[PIXELS_ONLY].append(100 / len(found))
    strata = np.array([clip.stratum for clip in clips for _ in clip.captions])
    return {observer: per_stratum(np.array(credit), strata) for observer, credit in credits.items()}


def few_frames(picture: DrawnPicture) -> Hashable:
    """Equal for pictures that are equal in the middles of `FEW` equal parts."""
    frames = [FRAMES * (2 * i + 1) // (2 * FEW) for i in range(FEW)]
    seen = [next(s for s in picture.segments if s.start <= frame < s.end) for frame in frames]
    return picture.scene, picture.seed, *(segment.model_copy(update={"end": FRAMES}) for segment in seen)
