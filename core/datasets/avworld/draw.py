"""Draws the scripts of a world.

Each group has its own random generator, seeded by its place (seed, split, stratum, number), so a
clip does not depend on how many others there are or on the order in which they are made.
"""

from collections.abc import Iterator
from typing import get_args

import numpy as np

from core.datasets.avworld.composing import compose_picture, even_bounds
from core.datasets.avworld.grammar import (
    CUE,
    DECOY,
    FILLERS,
    MAX_TOKENS,
    SOUND_PHRASES,
    SOUNDS,
    tokens,
    written_sentence,
)
from core.datasets.avworld.ideas import draw_idea
from core.datasets.avworld.script import (
    DrawnPicture,
    Mention,
    PlayedSound,
    ScriptedClip,
    WrittenCaption,
)
from core.datasets.avworld.world import (
    CAPTIONS_PER_CLIP,
    WORLD_SECONDS,
    Group,
    IdeasWorld,
    SplitName,
    Stratum,
    WorldConfig,
)

Span = tuple[float, float]

WHOLE: Span = (0.0, WORLD_SECONDS)
HALVES: tuple[Span, Span] = ((0.0, WORLD_SECONDS / 2), (WORLD_SECONDS / 2, WORLD_SECONDS))


def draw_split(config: WorldConfig, split: SplitName) -> list[tuple[ScriptedClip, ...]]:
    """The groups of a split, in an order that mixes the strata."""
    groups = [draw_group(config.seed, group) for group in config.groups(split)]
    order = np.random.default_rng([config.seed, _index(SplitName, split)]).permutation(len(groups))
    return [groups[i] for i in order]


def draw_group(seed: int, group: Group) -> tuple[ScriptedClip, ...]:
    """The scripts of one group: four clips that are alike but for what its stratum asks, or a single one."""
    split, stratum = group.split, group.stratum
    rng = np.random.default_rng([seed, _index(SplitName, split), _index(Stratum, stratum), group.number])
    if stratum in IdeasWorld.shares:
        return draw_idea(rng, group)
    rings = _draw_rings(rng, stratum)
    picture = _draw_picture(rng, rings)
    clips = []
    tracks = _draw_tracks(rng, stratum, rings)
    for id, (sounds, relevant, named) in zip(group.clip_ids, tracks, strict=True):
        fewest, most = CAPTIONS_PER_CLIP[split]
        count = int(rng.integers(fewest, most + 1))
        clips.append(
            ScriptedClip(
                id=id,
                group=group.name,
                stratum=stratum,
                picture=picture,
                sounds=sounds,
                floor=float(rng.uniform(-55, -40)),
                relevant=relevant,
                captions=tuple(_draw_captions(rng, picture, named, count)),
            )
        )
    return tuple(clips)


def _index(names: object, name: str) -> int:
    return get_args(names).index(name)


def _draw_rings(rng: np.random.Generator, stratum: Stratum) -> Span | None:
    """The span in which the objects carry rings; decoys look like both kinds of sounding clips."""
    half = HALVES[rng.integers(2)]
    # Of the irrelevant clips, .54 leaves .23 for unseen sounds, and rings for 70 % of the fillers.
    share = 0.54 if stratum == "irrelevant" else 0.7
    decoy = (WHOLE, half)[rng.integers(2)] if rng.random() < share else None
    rings: dict[Stratum, Span | None] = {
        "needed": WHOLE,
        "partial": half,
        "irrelevant": decoy,
        "silent": decoy,
        "off-screen": None,
    }
    return rings[stratum]


def _draw_picture(rng: np.random.Generator, rings: Span | None) -> DrawnPicture:
    # A ring lasts for whole segments, so three segments cannot be ringed for half the clip.
    longer = (3, 4)[rng.integers(2)] if rings in (None, WHOLE) else 4
    return compose_picture(rng, even_bounds(longer if rng.random() < 0.5 else 2), rings)


def _draw_tracks(
    rng: np.random.Generator, stratum: Stratum, rings: Span | None
) -> Iterator[tuple[tuple[PlayedSound, ...], tuple[Span, ...], str | None]]:
    """For each clip of a group: its sounds, the spans where they matter, and the sound to be named."""

    def sound(name: str, span: Span) -> PlayedSound:
        level, seed = float(rng.uniform(-4, 2)), int(rng.integers(2**32))
        return PlayedSound(name=name, start=span[0], end=span[1], level=level, seed=seed)

    a, b, c, d = (SOUNDS[i] for i in rng.permutation(len(SOUNDS))[:4])
    filler = FILLERS[rng.integers(len(FILLERS))]
    if stratum == "needed":
        for name in (a, b, c, d):
            yield (sound(name, WHOLE),), (WHOLE,), name
    elif stratum == "partial":
        assert rings is not None
        for named, other in ((a, b), (b, a), (c, d), (d, c)):
            order = (named, other) if rings == HALVES[0] else (other, named)
            yield tuple(map(sound, order, HALVES)), (rings,), named
    elif stratum == "off-screen":
        # As in partial, but only the sound itself tells which half matters: by the pitch of its pips.
        for named, other in ((a, b), (b, a), (c, d), (d, c)):
            moment, rest = HALVES if rng.random() < 0.5 else HALVES[::-1]
            sounds = sound(named, moment), sound(CUE, moment), sound(other, rest), sound(DECOY, rest)
            yield tuple(sorted(sounds, key=lambda s: s.start)), (moment,), named
    elif stratum == "irrelevant":
        # Without rings, every second clip has a sound of the vocabulary that no caption mentions.
        unseen = rings is None and rng.random() < 0.5
        yield (sound(a if unseen else filler, WHOLE),), (), None
    else:
        yield (), (), None


def _draw_captions(
    rng: np.random.Generator, picture: DrawnPicture, named: str | None, count: int
) -> list[WrittenCaption]:
    captions: dict[str, WrittenCaption] = {}
    while len(captions) < count:
        caption = _draw_caption(rng, picture, named)
        captions.setdefault(caption.text, caption)
    return list(captions.values())


def _draw_caption(rng: np.random.Generator, picture: DrawnPicture, named: str | None) -> WrittenCaption:
    """A caption with some of the optional parts, as many as `MAX_TOKENS` leave room for."""
    count = len(picture.segments)
    said = np.concatenate([rng.random(1) < 0.5, rng.random(count) < 0.75, rng.random(count) < 0.5])
    phrase = SOUND_PHRASES[named][rng.integers(2)] if named else None
    while True:
        scene = picture.scene if said[0] else None
        objects = tuple(
            Mention(
                colour=segment.colour,
                companion=segment.companion if said[1 + i] else None,
                motion=segment.motion if said[1 + count + i] else None,
            )
            for i, segment in enumerate(picture.segments)
        )
        text = written_sentence(scene, objects, phrase)
        if len(tokens(text)) <= MAX_TOKENS:
            return WrittenCaption(text=text, scene=scene, objects=objects, sound=named)
        said[rng.choice(np.flatnonzero(said))] = False
