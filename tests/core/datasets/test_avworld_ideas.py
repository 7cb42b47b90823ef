"""The strata that ask what else helps beside sound: how clips and captions are made, and the ceilings."""

import re
from collections import Counter, defaultdict
from itertools import combinations

import numpy as np
import pytest

from core.datasets.avworld.draw import draw_group, draw_split
from core.datasets.avworld.grammar import FILLERS, MAX_TOKENS, tokens, vocabulary
from core.datasets.avworld.ideas_ceilings import FEW_FRAMES, PIXELS_ONLY, ideas_ceilings
from core.datasets.avworld.pictures import frames
from core.datasets.avworld.script import DrawnPicture, ScriptedClip
from core.datasets.avworld.world import WORLDS, Group, Stratum

WORLD = WORLDS["avworld-ideas"]
GROUPS = [group for split in WORLD.splits for group in draw_split(WORLD, split)]
CLIPS = [clip for group in GROUPS for clip in group]

Thing = tuple[str, str | None, str | None]


def of_stratum(stratum: Stratum) -> list[ScriptedClip]:
    return [clip for clip in CLIPS if clip.stratum == stratum]


def quartets(stratum: Stratum) -> list[tuple[ScriptedClip, ...]]:
    return [group for group in GROUPS if group[0].stratum == stratum]


def read(text: str) -> tuple[str | None, list[Thing]]:
    """The scene that a caption mentions and its things, by the words alone."""
    scene, things = re.fullmatch(r"(?:in the (\w+) )?(.*)", text).groups()  # type: ignore[union-attr]
    pattern = r"a (\w+) thing(?: with a (\w+) companion)?(?: (\w+))?"
    found = [re.fullmatch(pattern, thing) for thing in things.split(", then ")]
    return scene, [match.groups() for match in found if match]  # type: ignore[misc]


def shown(picture: DrawnPicture) -> list[Thing]:
    return [(s.colour, s.companion, s.motion) for s in picture.segments]


def details_of(text: str, picture: DrawnPicture) -> list[bool]:
    """Of each detail that a caption with all colours mentions, whether it is true."""
    scene, things = read(text)
    assert [thing[0] for thing in things] == [thing[0] for thing in shown(picture)]
    pairs = [(scene, picture.scene)]
    for said, true in zip(things, shown(picture), strict=True):
        pairs += [(said[1], true[1]), (said[2], true[2])]
    return [said == true for said, true in pairs if said is not None]


def test_test_split_asks_at_least_a_hundred_queries_of_every_idea() -> None:
    assert WORLD.clips("test") == {
        "details": 144,
        "moment": 120,
        "one-word": 120,
        "brief": 120,
        "several": 96,
    }
    asked = Counter(c.stratum for g in draw_split(WORLD, "test") for c in g for _ in c.captions)
    assert min(asked.values()) >= 100


def test_no_sound_is_named_and_half_of_the_clips_of_every_stratum_have_none() -> None:
    for stratum in WORLD.shares:
        clips = of_stratum(stratum)
        assert all(clip.relevant == () and {s.name for s in clip.sounds} <= set(FILLERS) for clip in clips)
        assert all(caption.sound is None for clip in clips for caption in clip.captions)
        assert 0.4 < sum(clip.sounds == () for clip in clips) / len(clips) < 0.6


def test_captions_fit_the_context_and_use_only_words_of_the_grammar() -> None:
    used = [tokens(caption.text) for clip in CLIPS for caption in clip.captions]
    assert max(map(len, used)) <= MAX_TOKENS
    assert {word for caption in used for word in caption} <= set(vocabulary())


def test_a_captions_mentions_are_its_words() -> None:
    for clip in CLIPS:
        for caption in clip.captions:
            said = [(mention.colour, mention.companion, mention.motion) for mention in caption.objects]
            assert (caption.scene, said) == read(caption.text)


def test_a_details_caption_has_exactly_one_wrong_fact_or_says_a_single_one() -> None:
    wrong = 0
    for clip in of_stratum("details"):
        (caption,) = clip.captions
        true = details_of(caption.text, clip.picture)
        if len(true) == 1:
            assert true == [True]
        else:
            assert len(true) == 1 + 2 * len(clip.picture.segments) and true.count(False) == 1
            assert all(companion != colour for colour, companion, _ in read(caption.text)[1])
            wrong += 1
    assert 0.45 < wrong / len(of_stratum("details")) < 0.55


def test_a_moment_caption_names_one_of_four_objects_in_full_and_any_of_them_as_often() -> None:
    places = Counter()
    for clip in of_stratum("moment"):
        (caption,) = clip.captions
        scene, (thing,) = read(caption.text)
        assert scene == clip.picture.scene and len(clip.picture.segments) == 4
        assert [s.end - s.start for s in clip.picture.segments] == [8] * 4
        places[shown(clip.picture).index(thing)] += 1
    assert set(places) == {0, 1, 2, 3} and min(places.values()) > 0.2 * places.total()


def facts(picture: DrawnPicture) -> list[str]:
    """The scene, then colour, companion and motion of each object."""
    return [picture.scene, *(fact for thing in shown(picture) for fact in thing)]


def without_facts(picture: DrawnPicture) -> DrawnPicture:
    """What no caption can mention: textures, sizes, corners, times."""
    nothing = {"colour": "", "companion": "", "motion": ""}
    segments = tuple(segment.model_copy(update=nothing) for segment in picture.segments)
    return picture.model_copy(update={"scene": "", "segments": segments})


def test_one_word_clips_differ_in_one_fact_and_their_captions_in_one_word() -> None:
    kinds = Counter()
    for group in quartets("one-word"):
        assert len(group) == 4 and len({without_facts(clip.picture) for clip in group}) == 1
        for one, other in combinations(group, 2):
            words = [tokens(clip.captions[0].text) for clip in (one, other)]
            assert sum(a != b for a, b in zip(*words, strict=True)) == 1
            pairs = zip(facts(one.picture), facts(other.picture), strict=True)
            (place,) = [i for i, (a, b) in enumerate(pairs) if a != b]
            kinds[("colour", "companion", "motion")[(place - 1) % 3] if place else "scene"] += 1
    assert set(kinds) == {"scene", "colour", "companion", "motion"}
    assert min(kinds.values()) > 0.15 * kinds.total()


def test_brief_clips_are_alike_but_for_one_object_that_is_shown_for_half_a_second() -> None:
    seen_in_four = []
    for group in quartets("brief"):
        assert len(group) == 4 and len({without_facts(clip.picture) for clip in group}) == 1
        first, brief, last = group[0].picture.segments
        assert (brief.end - brief.start) / 8 == 0.5 and min(brief.start, 32 - brief.end) >= 6
        for clip in group:
            assert (clip.picture.scene, clip.picture.segments[0], clip.picture.segments[2]) == (
                group[0].picture.scene,
                first,
                last,
            )
        assert len({clip.picture.segments[1].colour for clip in group}) == 4
        seen_in_four.append(bool({4, 12, 20, 28} & set(range(brief.start, brief.end))))
    assert 0.35 < sum(seen_in_four) / len(seen_in_four) < 0.6


@pytest.mark.parametrize("stratum", ["one-word", "brief"])
def test_captions_of_quartets_say_everything_and_nothing_untrue(stratum: Stratum) -> None:
    for clip in of_stratum(stratum):
        (caption,) = clip.captions
        said = details_of(caption.text, clip.picture)
        assert all(said) and len(said) == 1 + 2 * len(clip.picture.segments)
        assert len({s.colour for s in clip.picture.segments}) == len(clip.picture.segments)
        assert all(s.colour != s.companion for s in clip.picture.segments)


def test_pictures_of_brief_clips_are_equal_but_while_the_object_is_shown() -> None:
    for group in quartets("brief")[::20]:
        brief = group[0].picture.segments[1]
        one, *others = (frames(clip.picture) for clip in group)
        for other in others:
            differs = [bool((a != b).any()) for a, b in zip(one, other, strict=True)]
            assert differs == [brief.start <= frame < brief.end for frame in range(32)]


def test_each_caption_of_several_names_another_two_of_four_objects_that_follow_each_other() -> None:
    first = Counter()
    for clip in of_stratum("several"):
        things = shown(clip.picture)
        parts = [read(caption.text) for caption in clip.captions]
        assert len(things) == 4 and {scene for scene, _ in parts} == {clip.picture.scene}
        places = [things.index(said[0]) for _, said in parts]
        assert sorted(places) == [0, 1, 2]
        assert all(said == things[place : place + 2] for place, (_, said) in zip(places, parts, strict=True))
        first[places[0]] += 1
    assert min(first.values()) > 0.25 * first.total()  # which part comes first is left to chance


@pytest.mark.parametrize("stratum", ["details", "moment", "one-word", "several"])
def test_a_group_by_itself_can_be_told_apart(stratum: Stratum) -> None:
    found = ideas_ceilings(draw_group(0, Group("test", stratum, 0)))
    record = {"all": pytest.approx(100), stratum: pytest.approx(100)}
    assert found == {FEW_FRAMES: record, PIXELS_ONLY: record}


def test_four_frames_miss_a_brief_object_or_see_it() -> None:
    for number in range(30):
        group = draw_group(0, Group("test", "brief", number))
        brief = group[0].picture.segments[1]
        seen = any(frame in range(brief.start, brief.end) for frame in (4, 12, 20, 28))
        assert ideas_ceilings(group)[FEW_FRAMES]["brief"] == pytest.approx(100 if seen else 25)
        assert ideas_ceilings(group)[PIXELS_ONLY]["brief"] == pytest.approx(100)


def could_describe(text: str, clip: ScriptedClip) -> bool:
    """Whether a caption could have been written of a clip by the rule of its stratum, by the words alone."""
    scene, said = read(text)
    things = shown(clip.picture)
    if clip.stratum == "moment":
        return scene == clip.picture.scene and len(said) == 1 and said[0] in things
    if clip.stratum == "several":
        pairs = [things[i : i + 2] for i in range(3)]
        return scene == clip.picture.scene and said in pairs
    if [thing[0] for thing in said] != [thing[0] for thing in things]:
        return False
    true = details_of(text, clip.picture)
    complete = len(true) == 1 + 2 * len(things)
    if clip.stratum == "details":
        own = any(companion == colour for colour, companion, _ in said)
        return true == [True] or (complete and true.count(False) == 1 and not own)
    return complete and all(true)


def test_ceilings_equal_those_found_by_trying_every_caption_on_every_clip() -> None:
    clips = [clip for group in draw_split(WORLD, "test") for clip in group]
    looks = [frames(clip.picture)[[4, 12, 20, 28]].tobytes() for clip in clips]
    sizes = Counter(looks)
    credits = {FEW_FRAMES: defaultdict(list), PIXELS_ONLY: defaultdict(list)}
    for clip in clips:
        for caption in clip.captions:
            kept = [
                look
                for look, other in zip(looks, clips, strict=True)
                if other.stratum == clip.stratum and could_describe(caption.text, other)
            ]
            chosen = max(kept.count(look) / sizes[look] for look in kept)
            for row in ("all", clip.stratum):
                credits[PIXELS_ONLY][row].append(100 / len(kept))
                credits[FEW_FRAMES][row].append(100 * chosen / len(kept))
    expected = {
        observer: {row: pytest.approx(np.mean(points)) for row, points in rows.items()}
        for observer, rows in credits.items()
    }
    assert ideas_ceilings(clips) == expected
    assert max(np.mean(credits[PIXELS_ONLY][row]) for row in ("details", "moment")) < 100  # not trivial
