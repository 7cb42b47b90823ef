"""Draws the strata that ask what else helps beside sound: which details, moment, word, frame or part counts.

`statements` holds the rule of each stratum: what a caption of a clip may say. Captions are drawn from it,
and the ceilings follow from it. A clip has a sound that no caption names, or none, so sound decides nothing.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from core.datasets.avworld.composing import compose_picture, even_bounds
from core.datasets.avworld.grammar import COLOURS, FILLERS, MOTIONS, SCENES, written_sentence
from core.datasets.avworld.script import (
    DrawnPicture,
    Mention,
    PlayedSound,
    ScriptedClip,
    Segment,
    WrittenCaption,
)
from core.datasets.avworld.world import FRAMES, WORLD_SECONDS, Group, Stratum

BRIEF = 4
"""Frames for which the object of a `brief` clip is shown: half a second."""
EDGE = 6
"""Frames, at least, of the other two objects of a `brief` clip."""


class Statement(NamedTuple):
    """What a caption says."""

    scene: str | None
    """The background, if mentioned."""
    objects: tuple[Mention, ...]
    """The objects that are mentioned, in their order."""


def draw_idea(rng: np.random.Generator, group: Group) -> tuple[ScriptedClip, ...]:
    """The scripts of one group: four clips that are alike but for one fact or object, or a single clip."""
    clips = []
    for id, picture in zip(group.clip_ids, _pictures(rng, group.stratum), strict=True):
        clips.append(
            ScriptedClip(
                id=id,
                group=group.name,
                stratum=group.stratum,
                picture=picture,
                sounds=_filler(rng),
                floor=float(rng.uniform(-55, -40)),
                relevant=(),
                captions=tuple(_captions(rng, picture, group.stratum)),
            )
        )
    return tuple(clips)


def statements(picture: DrawnPicture, stratum: Stratum) -> tuple[tuple[Statement, ...], ...]:
    """All that a caption may say of a picture, in kinds that are equally likely.

    `details`: every detail with one of them wrong, or a single one, beside the colours, which are right.
    `moment`: the scene and one object. `several`: the scene and two objects that follow each other.
    `one-word` and `brief`: everything.
    """
    whole = everything(picture)
    if stratum == "details":
        return tuple(one_wrong(whole)), tuple(one_said(whole))
    if stratum == "moment":
        return (tuple(Statement(whole.scene, (thing,)) for thing in whole.objects),)
    if stratum == "several":
        return (tuple(Statement(whole.scene, two) for two in pairwise(whole.objects)),)
    return ((whole,),)


def everything(picture: DrawnPicture) -> Statement:
    """The statement that leaves nothing out."""
    things = (Mention(colour=s.colour, companion=s.companion, motion=s.motion) for s in picture.segments)
    return Statement(picture.scene, tuple(things))


def one_wrong(whole: Statement) -> Iterator[Statement]:
    """The statements with another scene, another companion or another motion, and all else right."""
    yield from (whole._replace(scene=scene) for scene in SCENES if scene != whole.scene)
    for place, thing in enumerate(whole.objects):
        wrong = [{"companion": name} for name in COLOURS if name not in (thing.colour, thing.companion)]
        wrong += [{"motion": name} for name in MOTIONS if name != thing.motion]
        for change in wrong:
            yield _with_object(whole, place, thing.model_copy(update=change))


def one_said(whole: Statement) -> Iterator[Statement]:
    """The statements of the colours with a single detail: the scene, a companion or a motion."""
    bare = Statement(None, tuple(Mention(colour=thing.colour) for thing in whole.objects))
    yield bare._replace(scene=whole.scene)
    for place, thing in enumerate(whole.objects):
        yield _with_object(bare, place, Mention(colour=thing.colour, companion=thing.companion))
        yield _with_object(bare, place, Mention(colour=thing.colour, motion=thing.motion))


def _with_object(statement: Statement, place: int, thing: Mention) -> Statement:
    objects = statement.objects
    return statement._replace(objects=(*objects[:place], thing, *objects[place + 1 :]))


def _captions(rng: np.random.Generator, picture: DrawnPicture, stratum: Stratum) -> Iterator[WrittenCaption]:
    """One caption, or for `several` all that there can be, in any order."""
    kinds = statements(picture, stratum)
    allowed = kinds[rng.integers(len(kinds))]
    order = rng.permutation(len(allowed))
    for choice in order if stratum == "several" else order[:1]:
        scene, objects = allowed[choice]
        text = written_sentence(scene, objects, None)
        yield WrittenCaption(text=text, scene=scene, objects=objects, sound=None)


def _filler(rng: np.random.Generator) -> tuple[PlayedSound, ...]:
    """A sound that no caption names, for every second clip; the others have no track."""
    if rng.random() < 0.5:
        return ()
    name = FILLERS[rng.integers(len(FILLERS))]
    level, seed = float(rng.uniform(-4, 2)), int(rng.integers(2**32))
    return (PlayedSound(name=name, start=0.0, end=WORLD_SECONDS, level=level, seed=seed),)


def _pictures(rng: np.random.Generator, stratum: Stratum) -> list[DrawnPicture]:
    """The pictures of a group, one per clip."""
    if stratum in ("moment", "several"):
        return [compose_picture(rng, even_bounds(4))]
    if stratum == "brief":
        start = int(rng.integers(EDGE, FRAMES - BRIEF - EDGE + 1))
        return _with_other_object(rng, compose_picture(rng, [0, start, start + BRIEF, FRAMES]))
    # Of four objects a caption could not say everything.
    picture = compose_picture(rng, even_bounds(int(rng.integers(2, 4))))
    return [picture] if stratum == "details" else _with_other_fact(rng, picture)


def _with_other_fact(rng: np.random.Generator, picture: DrawnPicture) -> list[DrawnPicture]:
    """Four pictures that differ in one fact: the scene, or a colour, companion or motion of one object."""
    fact = ("scene", "colour", "companion", "motion")[rng.integers(4)]
    if fact == "scene":
        return [picture.model_copy(update={"scene": scene}) for scene in _four(rng, SCENES)]
    place = int(rng.integers(len(picture.segments)))
    segment = picture.segments[place]
    allowed = {
        "colour": [c for c in _free_colours(picture, place) if c != segment.companion],
        "companion": [colour for colour in COLOURS if colour != segment.colour],
        "motion": list(MOTIONS),
    }
    values = _four(rng, allowed[fact])
    return [_with_segment(picture, place, segment.model_copy(update={fact: value})) for value in values]


def _with_other_object(rng: np.random.Generator, picture: DrawnPicture) -> list[DrawnPicture]:
    """Four pictures that differ in the object in the middle: another colour, companion and motion."""
    pictures = []
    for colour in _four(rng, _free_colours(picture, 1)):
        companions = [other for other in COLOURS if other != colour]
        change = {
            "colour": colour,
            "companion": companions[rng.integers(len(companions))],
            "motion": MOTIONS[rng.integers(len(MOTIONS))],
        }
        pictures.append(_with_segment(picture, 1, picture.segments[1].model_copy(update=change)))
    return pictures


def _free_colours(picture: DrawnPicture, place: int) -> list[str]:
    """The colours that no other object of a picture has."""
    taken = {segment.colour for i, segment in enumerate(picture.segments) if i != place}
    return [colour for colour in COLOURS if colour not in taken]


def _with_segment(picture: DrawnPicture, place: int, segment: Segment) -> DrawnPicture:
    segments = (*picture.segments[:place], segment, *picture.segments[place + 1 :])
    return picture.model_copy(update={"segments": segments})


def _four(rng: np.random.Generator, values: list[str] | tuple[str, ...]) -> list[str]:
    return [values[i] for i in rng.permutation(len(values))[:4]]
