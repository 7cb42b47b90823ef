"""Changed sound and pictures: what changes, what stays, and that it is the same every time."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from core.batch import Videos
from core.evaluation.ablation import ablated

VALID = torch.tensor([6, 4, 5, 6, 3])


def videos() -> Videos:
    draw = torch.Generator().manual_seed(0)
    audio = torch.randn(5, 6, 3, generator=draw)
    return Videos(
        frames=torch.randn(5, 4, 8, generator=draw),
        frame_mask=torch.arange(4)[None] < torch.tensor([4, 3, 4, 1, 4])[:, None],
        keys=torch.arange(5),
        audio=audio * (torch.arange(6)[None] < VALID[:, None])[..., None],
        audio_valid=VALID,
        has_audio=torch.tensor([True, True, False, True, True]),
        patches=torch.randn(5, 4, 2, 8, generator=draw),
    )


def blank() -> tuple[Tensor, Tensor | None]:
    return torch.full((8,), 0.5), torch.full((2, 8), 0.25)


def test_as_is_changes_nothing() -> None:
    plain = videos()
    assert ablated(plain, "as-is", "as-is", blank) is plain


def test_muted_clips_have_no_sound() -> None:
    found = ablated(videos(), "muted", "as-is", blank)
    assert found.has_audio is not None and not bool(found.has_audio.any())
    assert found.audio is not None and not bool(found.audio.any())


def test_exchanged_clips_have_the_sound_of_another_clip_each() -> None:
    plain, found = videos(), ablated(videos(), "exchanged", "as-is", blank)
    assert plain.audio is not None and found.audio is not None and found.audio_valid is not None
    source = [next(v for v in range(5) if torch.equal(found.audio[row], plain.audio[v])) for row in range(5)]
    assert sorted(source) == list(range(5))
    assert all(v != row for row, v in enumerate(source))
    assert torch.equal(found.audio_valid, VALID[source])
    assert torch.equal(found.frames, plain.frames)


def test_shifted_sound_is_rotated_by_half_of_its_length() -> None:
    plain, found = videos().audio, ablated(videos(), "shifted", "as-is", blank).audio
    assert plain is not None and found is not None
    for row, length in enumerate(VALID.tolist()):
        torch.testing.assert_close(found[row, :length], plain[row, :length].roll(length // 2, 0))
        torch.testing.assert_close(found[row, length:], plain[row, length:])


def test_noise_has_the_mean_and_deviation_of_the_sound_and_leaves_silence() -> None:
    many = torch.randn(400, 6, 3, generator=torch.Generator().manual_seed(1)) * 2 + 1
    loud = Videos(
        torch.ones(400, 1, 8), torch.ones(400, 1, dtype=torch.bool), torch.arange(400),
        many, torch.full((400,), 6), torch.arange(400) > 0,
    )  # fmt: skip
    found = ablated(loud, "noise", "as-is", blank).audio
    assert found is not None
    assert torch.equal(found[0], many[0])
    torch.testing.assert_close(found[1:].mean((0, 1)), many[1:].mean((0, 1)), atol=0.15, rtol=0)
    torch.testing.assert_close(found[1:].std((0, 1)), many[1:].std((0, 1)), atol=0.15, rtol=0)
    assert not bool((found[1:] == many[1:]).any())


def test_blank_pictures_are_those_of_a_black_frame() -> None:
    found = ablated(videos(), "as-is", "blank", blank)
    assert bool((found.frames == 0.5).all())
    assert found.patches is not None and bool((found.patches == 0.25).all())


@pytest.mark.parametrize("row", range(5))
def test_shuffled_frames_are_the_real_ones_in_another_order(row: int) -> None:
    plain, found = videos(), ablated(videos(), "as-is", "shuffled", blank)
    real = int(plain.frame_mask[row].sum())
    order = [
        next(n for n in range(4) if torch.equal(frame, plain.frames[row, n])) for frame in found.frames[row]
    ]
    assert sorted(order[:real]) == list(range(real))
    assert order[real:] == list(range(real, 4))
    assert plain.patches is not None and found.patches is not None
    assert torch.equal(found.patches[row], plain.patches[row, order])


def test_clips_without_sound_features_are_left_alone() -> None:
    silent = replace(videos(), audio=None, audio_valid=None, has_audio=None)
    assert ablated(silent, "muted", "as-is", blank) is silent
