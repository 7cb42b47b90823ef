"""The scripts of a world: what they promise about strata, captions, seeds and splits."""

import re
from hashlib import sha256
from itertools import combinations

import pytest

from core.datasets.avworld.draw import draw_group, draw_split
from core.datasets.avworld.grammar import CUE, DECOY, SOUND_PHRASES, SOUNDS, tokens, vocabulary
from core.datasets.avworld.pictures import PAINTS
from core.datasets.avworld.script import ScriptedClip
from core.datasets.avworld.sounds import SYNTHESISERS
from core.datasets.avworld.world import CAPTIONS_PER_CLIP, WORLDS, IdeasWorld, SoundWorld, SplitName

WORLD = WORLDS["avworld"]
GROUPS = {split: draw_split(WORLD, split) for split in CAPTIONS_PER_CLIP}
CLIPS = [clip for groups in GROUPS.values() for group in groups for clip in group]


def of_stratum(stratum: str) -> list[ScriptedClip]:
    return [clip for clip in CLIPS if clip.stratum == stratum]


def quartets(stratum: str) -> list[tuple[ScriptedClip, ...]]:
    return [group for groups in GROUPS.values() for group in groups if group[0].stratum == stratum]


def test_test_split_has_the_shares_of_the_specification_in_whole_quartets() -> None:
    assert WORLD.clips("test") == {
        "needed": 152,
        "partial": 148,
        "irrelevant": 100,
        "silent": 52,
        "off-screen": 48,
    }


@pytest.mark.parametrize(
    ("name", "split"), [(name, split) for name in WORLDS for split in WORLDS[name].splits]
)
def test_every_split_has_its_size_and_every_stratum(name: str, split: SplitName) -> None:
    clips = [clip for group in draw_split(WORLDS[name], split) for clip in group]
    assert len(clips) == getattr(WORLDS[name], split.replace("-", "_"))
    assert {clip.stratum for clip in clips} == set(WORLDS[name].shares)


DRAWN = {
    "avworld": (
        "dbceb1456bada775c10cfa0e41a77c1becd4508600c0814c59615a390f06f99d",
        "580d8d837b594e6b8293e75cb7454a860ad111de0da796b163d94712fd23fc67",
    ),
    "avworld-tiny": (
        "512c25446c29c5ffbf5544ace395aca1498fc3e7c18d0274f328b83442e53658",
        "22a7a90dee6e4d137c3751e022727bf5fd8334c0924c1322ff6d15eedb48f383",
    ),
}
"""Fingerprints, and digests of the drawn scripts, from before there were other kinds of worlds."""


@pytest.mark.parametrize("name", DRAWN)
def test_other_kinds_of_worlds_leave_the_scripts_as_they_were(name: str) -> None:
    lines = [
        clip.model_dump_json() + "\n"
        for split in WORLDS[name].splits
        for group in draw_split(WORLDS[name], split)
        for clip in group
    ]
    assert (WORLDS[name].fingerprint, sha256("".join(lines).encode()).hexdigest()) == DRAWN[name]


def test_the_same_seed_draws_the_same_scripts_and_another_seed_others() -> None:
    again = [group[0].model_dump_json() for group in draw_split(WORLD, "val")]
    assert again == [group[0].model_dump_json() for group in GROUPS["val"]]
    other = draw_split(WORLD.model_copy(update={"seed": 1}), "val")
    assert {group[0].picture.seed for group in other}.isdisjoint(g[0].picture.seed for g in GROUPS["val"])


def test_a_clip_does_not_depend_on_how_many_others_there_are() -> None:
    small = {group[0].group: group for group in draw_split(SoundWorld(train=40), "train")}
    large = {group[0].group: group for group in GROUPS["train"]}
    assert small == {name: large[name] for name in small}


def test_a_script_survives_its_line_of_json() -> None:
    assert all(ScriptedClip.model_validate_json(clip.model_dump_json()) == clip for clip in CLIPS[::20])


def test_splits_share_neither_groups_nor_pictures_nor_sounds() -> None:
    for one, other in combinations(GROUPS.values(), 2):
        assert {g[0].group for g in one}.isdisjoint(g[0].group for g in other)
        assert {g[0].picture.seed for g in one}.isdisjoint(g[0].picture.seed for g in other)
        seeds = [{s.seed for g in split for clip in g for s in clip.sounds} for split in (one, other)]
        assert len(seeds[0] & seeds[1]) <= 1  # two 32-bit draws may meet by chance


def test_fingerprint_follows_size_and_seed() -> None:
    configs = [SoundWorld(), SoundWorld(seed=1), SoundWorld(val=260), WORLDS["avworld-tiny"]]
    configs += [IdeasWorld(), IdeasWorld(train=2_000, val=250, test=500)]
    assert len({config.fingerprint for config in configs}) == len(configs)


def test_segments_cover_the_clip_and_about_half_the_clips_of_each_stratum_have_more_than_two() -> None:
    for clip in CLIPS:
        segments = clip.picture.segments
        assert [s.start for s in segments] == [0, *(s.end for s in segments[:-1])]
        assert segments[-1].end == 32
        assert len({s.colour for s in segments}) == len(segments)
        assert all(s.colour != s.companion for s in segments)
    for stratum in WORLD.clips("test"):
        longer = [len(group[0].picture.segments) > 2 for group in quartets(stratum)]
        assert 0.35 < sum(longer) / len(longer) < 0.65


def test_needed_clips_differ_within_a_quartet_only_by_the_sound_that_lasts_and_is_ringed_throughout() -> None:
    for group in quartets("needed"):
        assert len(group) == 4 and len({clip.picture for clip in group}) == 1
        assert len({clip.captions[0].sound for clip in group}) == 4
        for clip in group:
            (sound,) = clip.sounds
            assert (sound.start, sound.end) == (0, 4) and clip.relevant == ((0, 4),)
            assert all(segment.ringed for segment in clip.picture.segments)
            assert all(caption.sound == sound.name for caption in clip.captions)


def test_in_partial_clips_only_the_time_tells_the_named_sound_from_the_other() -> None:
    for group in quartets("partial"):
        assert len(group) == 4 and len({clip.picture for clip in group}) == 1
        sounds = [{sound.name for sound in clip.sounds} for clip in group]
        assert sounds[0] == sounds[1] and sounds[2] == sounds[3] and sounds[0].isdisjoint(sounds[2])
        assert len({clip.captions[0].sound for clip in group}) == 4
        for clip in group:
            assert [(s.start, s.end) for s in clip.sounds] == [(0, 2), (2, 4)]
            assert set(s.name for s in clip.sounds) <= set(SOUNDS) and len(clip.picture.segments) in (2, 4)
            (span,) = clip.relevant
            ringed = [s.seconds for s in clip.picture.segments if s.ringed]
            assert (ringed[0][0], ringed[-1][1]) == span
            assert sum(end - start for start, end in ringed) == 2
            (named,) = [s.name for s in clip.sounds if (s.start, s.end) == span]
            assert all(caption.sound == named for caption in clip.captions)


def test_both_halves_are_ringed_equally_often() -> None:
    first = [group[0].relevant[0][0] == 0 for group in quartets("partial")]
    assert 0.4 < sum(first) / len(first) < 0.6


def test_in_off_screen_clips_only_the_pitch_of_the_pips_tells_the_named_sound_from_the_other() -> None:
    for group in quartets("off-screen"):
        assert len(group) == 4 and len({clip.picture for clip in group}) == 1
        sounds = [{sound.name for sound in clip.sounds} for clip in group]
        assert sounds[0] == sounds[1] and sounds[2] == sounds[3] and sounds[0] & sounds[2] == {CUE, DECOY}
        assert len({clip.captions[0].sound for clip in group}) == 4
        for clip in group:
            assert not any(segment.ringed for segment in clip.picture.segments)
            assert [(s.start, s.end) for s in clip.sounds] == [(0, 2), (0, 2), (2, 4), (2, 4)]
            (span,) = clip.relevant
            moment, rest = (
                {s.name for s in clip.sounds if ((s.start, s.end) == span) is inside}
                for inside in (True, False)
            )
            named = clip.captions[0].sound
            assert moment == {named, CUE} and rest - set(SOUNDS) == {DECOY} and len(rest) == 2
            assert all(caption.sound == named for caption in clip.captions)


def test_either_half_of_an_off_screen_clip_matters_equally_often() -> None:
    first = [clip.relevant[0][0] == 0 for group in quartets("off-screen") for clip in group]
    assert 0.4 < sum(first) / len(first) < 0.6


def test_irrelevant_clips_name_no_sound_and_a_known_one_never_comes_with_rings() -> None:
    kinds = []
    for clip in of_stratum("irrelevant"):
        (sound,) = clip.sounds
        assert clip.relevant == () and all(caption.sound is None for caption in clip.captions)
        ringed = any(segment.ringed for segment in clip.picture.segments)
        assert not (ringed and sound.name in SOUNDS)
        kinds.append("known" if sound.name in SOUNDS else "decoy" if ringed else "plain")
    assert kinds.count("known") / len(kinds) == pytest.approx(0.23, abs=0.06)
    assert kinds.count("decoy") / (kinds.count("decoy") + kinds.count("plain")) == pytest.approx(
        0.7, abs=0.07
    )


def test_silent_clips_have_no_sound_and_mostly_decoy_rings() -> None:
    clips = of_stratum("silent")
    assert all(clip.sounds == () and clip.relevant == () for clip in clips)
    ringed = [any(segment.ringed for segment in clip.picture.segments) for clip in clips]
    assert sum(ringed) / len(ringed) == pytest.approx(0.7, abs=0.1)


def test_captions_say_nothing_untrue_and_always_every_colour() -> None:
    for clip in CLIPS:
        for caption in clip.captions:
            picture, _, sound = caption.text.partition("; ")
            named = [name for name, phrases in SOUND_PHRASES.items() if sound in phrases]
            assert named == ([caption.sound] if caption.sound else [])
            scene = re.match(r"in the (\w+) ", picture)
            assert scene is None or scene[1] == clip.picture.scene
            things = picture[scene.end() if scene else 0 :].split(", then ")
            assert len(things) == len(clip.picture.segments)
            for thing, segment in zip(things, clip.picture.segments, strict=True):
                said = re.fullmatch(r"a (\w+) thing(?: with a (\w+) companion)?(?: (\w+))?", thing)
                assert said is not None
                assert said[1] == segment.colour
                assert said[2] in (None, segment.companion)
                assert said[3] in (None, segment.motion)


def test_captions_fit_the_context_and_use_only_the_vocabulary() -> None:
    words = set(vocabulary())
    used = [tokens(caption.text) for clip in CLIPS for caption in clip.captions]
    assert max(map(len, used)) == 38
    assert {word for caption in used for word in caption} == words


def test_clips_have_the_promised_number_of_different_captions() -> None:
    for split, (fewest, most) in CAPTIONS_PER_CLIP.items():
        texts = [[c.text for c in clip.captions] for group in GROUPS[split] for clip in group]
        assert all(len(set(captions)) == len(captions) for captions in texts)
        assert {len(captions) for captions in texts} == set(range(fewest, most + 1))


def test_every_word_for_a_colour_or_a_sound_can_be_painted_or_played() -> None:
    shown = [s for clip in CLIPS for s in clip.picture.segments]
    assert {s.colour for s in shown} | {s.companion for s in shown} == set(PAINTS)
    assert {sound.name for clip in CLIPS for sound in clip.sounds} == set(SYNTHESISERS)


def test_a_group_is_drawn_alone_as_among_others() -> None:
    place = WORLD.groups("test")[17]
    assert draw_group(0, place) in GROUPS["test"]
