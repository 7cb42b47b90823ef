"""Every hosted method on awkward clips and captions: a right score, or one clear line.

The right score of a clip does not depend on what stands beside it, and neither does that of a short caption.
"""

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from core.audit.noise_features import NARROW_FRAMES, NARROW_WIDTH, TEXT_WORDS, NoiseFeatures
from core.batch import Texts, Videos
from core.errors import BenchError
from core.method import Dimensions, Method
from core.registry import registered_methods
from core.scoring.noise import KeyedNoise
from core.scoring.scoring import build_index, score_matrix

NAMES = sorted(registered_methods())
BOUND = {"xclip": "set text_tokens=9", "uatvr": "set text_tokens=9"}
"""Methods whose weights are bound to the length of a caption's row."""


@cache
def method_of(name: str) -> Method:
    torch.manual_seed(0)
    cls = registered_methods()[name]
    return cls(cls.Config(), Dimensions(NARROW_WIDTH, NARROW_FRAMES, NARROW_WIDTH, TEXT_WORDS)).eval()


@cache
def world() -> NoiseFeatures:
    return NoiseFeatures.draw(5, 6, seed=3)


def scores(name: str, texts: Texts, videos: Videos) -> Tensor:
    """Through the engine, as a run scores."""
    method = method_of(name)
    with torch.no_grad():
        return score_matrix(method, texts, build_index(method, videos), noise=KeyedNoise(0, "per-text"))


def outcome(name: str, texts: Texts, videos: Videos) -> Tensor | str:
    """The scores, or the line that refuses them."""
    try:
        return scores(name, texts, videos)
    except BenchError as error:
        return str(error)


def check_alone(name: str, texts: Texts, videos: Videos) -> Tensor:
    """The scores, which are finite and the same for each video alone and for each text alone."""
    found = scores(name, texts, videos)
    assert found.isfinite().all()
    one_by_one = [scores(name, texts, videos[v : v + 1]) for v in range(len(videos))]
    assert_close(torch.cat(one_by_one, dim=1), found, rtol=0, atol=2e-5)
    assert_close(scores(name, texts[:1], videos), found[:1], rtol=0, atol=2e-5)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_without_sound_has_a_score_that_its_states_do_not_move(name: str) -> None:
    videos = world().videos
    assert videos.has_audio is not None
    assert videos.audio is not None
    silent = replace(videos, has_audio=torch.zeros_like(videos.has_audio))
    found = check_alone(name, world().texts, replace(silent, audio=torch.zeros_like(videos.audio)))
    assert_close(scores(name, world().texts, silent), found, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_of_one_frame_has_a_score(name: str) -> None:
    videos = world().videos
    mask = torch.arange(NARROW_FRAMES) < torch.where(torch.arange(6) % 2 == 0, 1, NARROW_FRAMES)[:, None]
    check_alone(name, world().texts, replace(videos, frame_mask=mask))


@pytest.mark.parametrize("name", NAMES)
def test_a_caption_of_two_words_and_one_cut_at_the_limit_have_scores(name: str) -> None:
    texts = world().texts
    lengths = torch.tensor([2, TEXT_WORDS, 2, TEXT_WORDS, 3])
    check_alone(name, replace(texts, word_mask=torch.arange(TEXT_WORDS) < lengths[:, None]), world().videos)


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_another_length_score_alike_or_are_refused(name: str) -> None:
    texts = world().texts
    assert texts.words is not None
    assert texts.word_mask is not None
    longer = replace(
        texts,
        words=torch.cat([texts.words, torch.randn(5, 2, NARROW_WIDTH)], dim=1),
        word_mask=torch.cat([texts.word_mask, torch.zeros(5, 2, dtype=torch.bool)], dim=1),
    )
    if name in BOUND:
        with pytest.raises(BenchError, match=BOUND[name]) as error:
            scores(name, longer, world().videos)
        assert "\n" not in str(error.value)
        return
    expected = scores(name, texts, world().videos)
    assert_close(scores(name, longer, world().videos), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_another_number_of_frames_is_one_line_or_scores(name: str) -> None:
    videos = world().videos
    fewer = replace(videos, frames=videos.frames[:, :5], frame_mask=videos.frame_mask[:, :5])
    if videos.patches is not None:
        fewer = replace(fewer, patches=videos.patches[:, :5])
    found = outcome(name, world().texts, fewer)
    if isinstance(found, str):
        assert "\n" not in found
        assert "frames" in found
    else:
        assert found.isfinite().all()
