"""The ceilings, against closed forms and against an observer that learns from examples what can be named."""

import re
from collections import defaultdict
from itertools import pairwise

import pytest

from core.datasets.avworld.ceilings import OBSERVERS, PIXELS_ONLY, WITH_PARTS, WITH_SOUNDS, ceilings
from core.datasets.avworld.draw import draw_group, draw_split
from core.datasets.avworld.grammar import SOUND_PHRASES, SOUNDS
from core.datasets.avworld.script import ScriptedClip
from core.datasets.avworld.world import WORLDS, Group, SoundWorld, SplitName, Stratum

pytestmark = pytest.mark.slow

Perception = tuple[object, ...]


def clips_of(config: SoundWorld, split: SplitName) -> list[ScriptedClip]:
    return [clip for group in draw_split(config, split) for clip in group]


@pytest.mark.parametrize(
    ("stratum", "expected"),
    [
        ("needed", {PIXELS_ONLY: 25, WITH_SOUNDS: 100, WITH_PARTS: 100}),
        ("partial", {PIXELS_ONLY: 25, WITH_SOUNDS: 50, WITH_PARTS: 100}),
        ("off-screen", {PIXELS_ONLY: 25, WITH_SOUNDS: 50, WITH_PARTS: 100}),
        ("irrelevant", {PIXELS_ONLY: 100, WITH_SOUNDS: 100, WITH_PARTS: 100}),
        ("silent", {PIXELS_ONLY: 100, WITH_SOUNDS: 100, WITH_PARTS: 100}),
    ],
)
def test_a_group_by_itself_has_the_ceiling_of_its_construction(
    stratum: Stratum, expected: dict[str, float]
) -> None:
    group = draw_group(0, Group("test", stratum, 0))
    for observer, points in expected.items():
        assert ceilings(group)[observer] == {"all": pytest.approx(points), stratum: pytest.approx(points)}


def test_two_copies_of_a_clip_halve_the_ceiling() -> None:
    (clip,) = draw_group(0, Group("test", "silent", 0))
    assert ceilings([clip, clip])[WITH_PARTS]["all"] == pytest.approx(50)


def perceive(clip: ScriptedClip, observer: str) -> tuple[Perception, list[str]]:
    """What an observer perceives besides colours, sounds by number; and the sounds by their number."""
    rings = tuple((s.start, s.end, s.ringed) for s in clip.picture.segments)
    heard = [(s.name, s.start, s.end) for s in clip.sounds]
    if observer == WITH_SOUNDS:
        heard = [(name, 0, 4) for name in sorted({name for name, _, _ in heard})]
    known = [name for name, _, _ in heard if name in SOUNDS]
    numbered = [(known.index(name) if name in known else name, start, end) for name, start, end in heard]
    return (rings, *numbered), known


@pytest.fixture(scope="module")
def examples() -> dict[str, dict[Perception, set[int | None]]]:
    """For each observer and perception: the numbers of the sounds that captions of such clips named."""
    named: dict[str, dict[Perception, set[int | None]]] = {
        WITH_SOUNDS: defaultdict(set),
        WITH_PARTS: defaultdict(set),
    }
    for clip in (clip for seed in (5, 6, 7) for clip in clips_of(SoundWorld(seed=seed), "train")):
        for observer, table in named.items():
            perception, known = perceive(clip, observer)
            sound = clip.captions[0].sound
            table[perception].add(known.index(sound) if sound else None)
    return named


def describes(text: str, clip: ScriptedClip) -> bool:
    """Whether the visible part of a caption is true of a clip, by the words alone."""
    visible = text.partition("; ")[0]
    scene, things = re.fullmatch(r"(?:in the (\w+) )?(.*)", visible).groups()  # type: ignore[union-attr]
    if scene not in (None, clip.picture.scene) or things.count(", then") != len(clip.picture.segments) - 1:
        return False
    for thing, segment in zip(things.split(", then "), clip.picture.segments, strict=True):
        companion = re.search(r"with a (\w+) companion", thing)
        motion = re.search(r"(slides|bounces|spins|grows|blinks)$", thing)
        if (
            thing.split()[1] != segment.colour
            or (companion and companion[1] != segment.companion)
            or (motion and motion[1] != segment.motion)
        ):
            return False
    return True


@pytest.mark.parametrize("split", ["val", "test", "test-multi"])
def test_ceilings_equal_those_of_an_observer_that_learned_by_examples(
    split: SplitName, examples: dict[str, dict[Perception, set[int | None]]]
) -> None:
    clips = clips_of(WORLDS["avworld"], split)
    phrases = {phrase: name for name, pair in SOUND_PHRASES.items() for phrase in pair}
    for observer in OBSERVERS:
        nameable: list[set[str | None]] = []
        for clip in clips:
            if observer == PIXELS_ONLY:
                nameable.append({None, *SOUNDS})
            else:
                perception, known = perceive(clip, observer)
                numbers = examples[observer][perception]
                nameable.append({known[number] if number is not None else None for number in numbers})
        credits = defaultdict(list)
        for clip in clips:
            for caption in clip.captions:
                sound = phrases.get(caption.text.partition("; ")[2])
                fitting = [
                    other
                    for other, names in zip(clips, nameable, strict=True)
                    if sound in names and describes(caption.text, other)
                ]
                assert clip in fitting
                for row in ("all", clip.stratum):
                    credits[row].append(100 / len(fitting))
        expected = {row: pytest.approx(sum(points) / len(points)) for row, points in credits.items()}
        assert ceilings(clips)[observer] == expected


def test_hearing_more_never_lowers_a_ceiling() -> None:
    table = ceilings(clips_of(WORLDS["avworld-tiny"], "test"))
    for less, more in pairwise(OBSERVERS):
        assert all(table[more][row] >= table[less][row] for row in table[less])
