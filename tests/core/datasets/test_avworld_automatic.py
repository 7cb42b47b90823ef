"""Automatic captions: of the picture alone, with errors, and never a caption of the data set."""

import pytest

from core.datasets.avworld.automatic import NONE, automatic_caption, automatic_captions
from core.datasets.avworld.draw import draw_split
from core.datasets.avworld.grammar import COLOURS, MAX_TOKENS, SOUND_PHRASES, tokens, vocabulary
from core.datasets.avworld.script import ScriptedClip
from core.datasets.avworld.world import WORLDS
from core.running.cells import RunInputs
from core.store.video_captions import read_video_captions

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["avworld", "avworld-ideas"])
def clips(request: pytest.FixtureRequest) -> list[ScriptedClip]:
    config = WORLDS[request.param]
    return [clip for split in config.splits for group in draw_split(config, split) for clip in group]


def test_no_automatic_caption_is_a_caption_of_the_data_set(clips: list[ScriptedClip]) -> None:
    queries = {caption.text for clip in clips for caption in clip.captions}
    said = {caption.visual for caption in automatic_captions(clips)}
    assert not said & queries
    assert not said & {query.partition(";")[0] for query in queries}


def test_sounds_are_never_described(clips: list[ScriptedClip]) -> None:
    words = {word for pair in SOUND_PHRASES.values() for phrase in pair for word in tokens(phrase)}
    words -= {"a", "the"}
    for caption in automatic_captions(clips):
        assert caption.audio is None
        assert not words & set(tokens(caption.visual or ""))


def test_the_text_tower_knows_every_word_and_no_caption_is_cut(clips: list[ScriptedClip]) -> None:
    known = set(vocabulary())
    for caption in automatic_captions(clips):
        assert set(tokens(caption.visual or "")) <= known
        assert len(tokens(caption.visual or "")) <= MAX_TOKENS


def test_a_caption_depends_on_the_clips_name_and_picture_and_on_nothing_else(
    clips: list[ScriptedClip],
) -> None:
    for clip in clips[::50]:
        other = clip.model_copy(update={"sounds": (), "captions": (), "relevant": ()})
        assert automatic_caption(other) == automatic_caption(clip)


def test_captions_err_and_some_clips_have_none(clips: list[ScriptedClip]) -> None:
    said = list(automatic_captions(clips))
    missing = 1 - len(said) / len(clips)
    assert abs(missing - NONE) < 4 * (NONE * (1 - NONE) / len(clips)) ** 0.5
    pictures = {clip.id: clip.picture for clip in clips}
    wrong = seen = 0
    for caption in said:
        shown = {s.colour for s in pictures[caption.id].segments}
        named = [words[1] for part in caption.visual.split(", ") if (words := tokens(part))[1] in COLOURS]
        seen += len(named)
        wrong += sum(colour not in shown for colour in named)
    assert 0.05 < wrong / seen < 0.15  # .15 are drawn anew, some of them rightly


def test_the_worlds_file_holds_them(materials: RunInputs) -> None:
    data = materials.dataset
    groups = [group for split in WORLDS[data.name].splits for group in draw_split(WORLDS[data.name], split)]
    expected = {said.id: said for group in groups for said in automatic_captions(group)}
    assert read_video_captions(data.video_captions, list(expected)) == expected
