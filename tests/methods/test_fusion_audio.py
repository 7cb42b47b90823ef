"""Sound beside the picture: alignment, projection, silence, gates."""

import pytest
import torch
from torch.nn.functional import adaptive_avg_pool1d
from torch.testing import assert_close

from core.batch import Videos
from core.errors import BenchError
from core.method import Dimensions
from methods.gaid import Gaid
from methods.parts.audio import bin_weights, frame_audio, pooled_states
from methods.parts.fusion.gate import GateFusion
from tests.methods.small_worlds import (
    AUDIO_WIDTH,
    FRAMES,
    STATES,
    TIGHT,
    WIDTH,
    naive_of,
    random_method,
    random_texts,
    random_videos,
)

GATES = ("sample", "frame", "token")


@pytest.mark.parametrize("frames", [1, 5, 12, 24])
@pytest.mark.parametrize("states", [1, 3, 12, 50, 200])
def test_bins_are_those_of_adaptive_average_pooling(states: int, frames: int) -> None:
    audio = torch.randn(1, states, 4, dtype=torch.float64)
    ours = pooled_states(audio, torch.tensor([states]), torch.tensor([frames]), frames)
    assert_close(ours[0], adaptive_avg_pool1d(audio[0].T, frames).T, **TIGHT)


def test_every_filled_bin_is_an_average() -> None:
    weights = bin_weights(torch.tensor([7, 11, 4]), torch.tensor([5, 2, 0]), 11, 5, torch.float64)
    assert_close(weights.sum(-1), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]]).double())


def test_clip_alignment_reads_the_clip_in_as_many_bins_as_real_frames() -> None:
    videos = random_videos(6)
    aligned = frame_audio(videos, "clip")
    for v in range(6):
        real, valid = int(videos.frame_mask[v].sum()), int(videos.audio_valid[v])
        assert_close(aligned[v, :real], adaptive_avg_pool1d(videos.audio[v, :valid].T, real).T, **TIGHT)
        assert (aligned[v, real:] == 0).all()


def test_released_alignment_reads_everything_whatever_the_clip() -> None:
    videos = random_videos(6)
    expected = adaptive_avg_pool1d(videos.audio.transpose(1, 2), FRAMES).transpose(1, 2)
    assert_close(frame_audio(videos, "released"), expected, **TIGHT)


def test_what_lies_behind_the_clip_does_not_sound_under_clip_alignment() -> None:
    for fusion, interaction in (("frame", "cosine"), ("gated-transformer", "multi-grained")):
        method, videos = random_method(fusion=fusion, interaction=interaction), random_videos(6)
        outside = torch.arange(STATES) >= videos.audio_valid[:, None]
        other = Videos(**{**vars(videos), "audio": videos.audio.masked_fill(outside[..., None], 1e3)})
        texts = random_texts(6)
        assert_close(method.gate.weights(texts, other), method.gate.weights(texts, videos), **TIGHT)


def test_linear_projection_may_come_before_or_after_averaging() -> None:
    method, videos = random_method(method=Gaid, audio_projection="linear"), random_videos(6)
    assert isinstance(method.fusion, GateFusion)
    first = Videos(**{**vars(videos), "audio": method.fusion.projection.linear(videos.audio)})
    audible = videos.has_audio
    assert_close(method.fusion.aligned(videos)[audible], pooled_where_real(first)[audible], **TIGHT)


def pooled_where_real(videos: Videos) -> torch.Tensor:
    return frame_audio(videos, "clip")


@pytest.mark.parametrize("projection", ["linear", "linear-norm"])
def test_silence_is_zero_after_projection_not_its_bias(projection: str) -> None:
    method, videos = random_method(method=Gaid, audio_projection=projection), random_videos(6)
    aligned = method.fusion.aligned(videos)
    assert (aligned[1] == 0).all()
    assert (aligned[0] != 0).all()


def test_a_learned_vector_can_stand_in_for_silence() -> None:
    method, videos = random_method(method=Gaid, null_audio="learned"), random_videos(6)
    aligned, real = method.fusion.aligned(videos), videos.frame_mask[1]
    assert_close(aligned[1][real], method.fusion.projection.null.expand(int(real.sum()), -1), **TIGHT)
    assert (aligned[1][~real] == 0).all()


def test_a_wider_encoder_needs_a_projection() -> None:
    with pytest.raises(
        BenchError, match=r"audio_projection=none .* joint width 8.* gives 6.*audio_projection=linear"
    ):
        Gaid(Gaid.Config(), Dimensions(WIDTH, FRAMES, AUDIO_WIDTH))


def test_a_fusion_without_sound_is_refused() -> None:
    with pytest.raises(BenchError, match="fusion=frame needs sound"):
        Gaid(Gaid.Config(), Dimensions(WIDTH, FRAMES, None))
    method = random_method(method=Gaid)
    silent = Videos(**{**vars(random_videos(2)), "audio": None})
    with pytest.raises(BenchError, match="needs sound"):
        method.index(silent)


@pytest.mark.parametrize("fusion", GATES)
def test_gates_are_those_of_each_matched_pair(fusion: str) -> None:
    method, texts, videos = random_method(fusion=fusion), random_texts(4), random_videos(4)
    naive, gates = naive_of(method), method.gate.weights(texts, videos)
    assert gates.shape == (4, FRAMES)
    for b in range(4):
        sound = naive.sound(
            videos.audio[b], videos.frame_mask[b], int(videos.audio_valid[b]), bool(videos.has_audio[b])
        )
        gate = naive.gate(texts.embeds[b], videos.frames[b], sound, videos.frame_mask[b])
        assert_close(gates[b], gate.mean(-1), **TIGHT)


def test_avigates_gates_are_one_per_clip_and_layer() -> None:
    method = random_method(fusion="gated-transformer", transformer_layers=3)
    gates = method.gate.weights(random_texts(4), random_videos(4))
    assert gates.shape == (4, 3)
    assert (gates.abs() < 1).all()


def test_no_fusion_has_no_gate_and_hears_nothing() -> None:
    method = random_method(fusion="none")
    assert method.gate is None
    assert not method.needs.sound


@pytest.mark.parametrize("inputs", [("frame",), ("audio",), ("frame", "audio"), ("audio", "text"), ("text",)])
@pytest.mark.parametrize("fusion", GATES)
def test_a_gate_sees_only_its_inputs(fusion: str, inputs: tuple[str, ...]) -> None:
    method = random_method(fusion=fusion, gate_inputs=inputs)
    videos, texts = random_videos(4), random_texts(4)
    gates = method.gate.weights(texts, videos)
    changed = {
        "frame": method.gate.weights(texts, Videos(**{**vars(videos), "frames": videos.frames.flip(0)})),
        "audio": method.gate.weights(texts, Videos(**{**vars(videos), "audio": videos.audio * 2 + 1})),
        "text": method.gate.weights(random_texts(4, seed=8), videos),
    }
    for name, other in changed.items():
        assert torch.equal(other, gates) == (name not in inputs)


def test_a_gate_without_text_leaves_videos_fused_in_the_index() -> None:
    method = random_method(fusion="frame", gate_inputs=("frame", "audio"))
    assert method.index(random_videos(3)).audio is None
    assert method.needs.floats_per_pair < random_method(fusion="frame").needs.floats_per_pair


def test_averaged_audio_tokens_equal_all_tokens_when_there_are_as_many() -> None:
    config = {"fusion": "gated-transformer", "audio_alignment": "released"}
    every, averaged = random_method(**config), random_method(**config, audio_tokens=STATES)
    videos = random_videos(3)
    assert_close(averaged.index(videos).videos.frames, every.index(videos).videos.frames, **TIGHT)
