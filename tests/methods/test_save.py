"""SAVE as a method: the authors' weights give the recorded logits, loss and gates; speech matters."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor
from torch.testing import assert_close

from core.batch import Texts, Videos
from core.errors import BenchError
from core.method import Dimensions
from core.scoring.noise import KeyedNoise
from core.scoring.scoring import build_index, score_matrix
from methods.save import Save
from tests.methods.small_worlds import random_method, random_texts, random_videos

GOLDEN = Path(__file__).parents[1] / "golden" / "save.safetensors"


@pytest.fixture(scope="module")
def recorded() -> dict[str, Tensor]:
    with safe_open(GOLDEN, framework="pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


@pytest.fixture(scope="module")
def save(recorded: dict[str, Tensor]) -> Save:
    """With the recorded weights under the authors' names; sound comes projected already."""
    config = {"audio_projection": "none", "transformer_layers": 2, "resampler_layers": 2, "queries": 3}
    config |= {"transformer_heads": 2, "positions": 8, "audio_alignment": "released"}
    method = Save(Save.Config(**config), Dimensions(16, 4, 16))
    weights = {key[2:]: tensor for key, tensor in recorded.items() if key.startswith("w/")}
    method.authors.load(method, {**weights, "asr_query_tokens": torch.zeros(1)})
    return method.eval()


def videos(recorded: dict[str, Tensor]) -> Videos:
    teacher = torch.stack([recorded["in/teacher_video"], recorded["in/teacher_audio"]], dim=1)
    silent = ~recorded["in/has_audio"].bool()
    return Videos(
        frames=recorded["in/frames"],
        frame_mask=recorded["in/frame_mask"].bool(),
        keys=torch.arange(5),
        audio=recorded["in/audio_tokens"],
        speech=recorded["in/speech_tokens"],
        # the recording gives silent clips tokens, and leaves them out of the alignment
        teacher=teacher.masked_fill(silent[:, None, None], 0.0),
    )


def texts(embeds: Tensor) -> Texts:
    return Texts(embeds, torch.arange(len(embeds)))


@torch.no_grad()
def test_the_recorded_logits_come_out_of_the_engine(save: Save, recorded: dict[str, Tensor]) -> None:
    index = build_index(save, videos(recorded))
    scores = score_matrix(save, texts(recorded["eval/in_text"]), index, noise=KeyedNoise(0, "per-text"))
    expected = recorded["eval/unpaired_logits"]
    assert_close(scores * save.logit_scale.exp(), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_the_loss_is_the_recorded_one_with_the_alignment_under_the_teacher(
    save: Save, recorded: dict[str, Tensor]
) -> None:
    losses = save.loss(texts(recorded["in/text"]), videos(recorded), torch.Generator())
    assert_close(losses.terms["main"], recorded["train/loss_main"], rtol=1e-5, atol=1e-5)
    assert_close(losses.terms["alignment"], recorded["train/loss_alignment"], rtol=1e-5, atol=1e-5)
    assert_close(losses.total.detach(), recorded["train/loss"], rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_gates_are_those_of_the_sound_and_then_those_of_the_speech(
    save: Save, recorded: dict[str, Tensor]
) -> None:
    assert save.gate is not None
    gates = save.gate.weights(texts(recorded["in/text"]), videos(recorded))
    expected = [recorded[f"eval/{name}_attn_gate"] for name in ("audio", "speech")]
    assert_close(gates, torch.cat(expected, dim=1), rtol=0, atol=1e-5)


def test_without_a_teacher_the_alignment_is_left_out(save: Save, recorded: dict[str, Tensor]) -> None:
    untaught = replace(videos(recorded), teacher=None)
    losses = save.loss(texts(recorded["in/text"]), untaught, torch.Generator())
    assert set(losses.terms) == {"main"}
    assert random_method(method=Save, alignment_weight=0.0).needs.teacher is False


def test_a_teacher_that_knows_one_clip_alone_teaches_nothing() -> None:
    method, clips = random_method(method=Save), random_videos(4)
    teacher = torch.zeros(4, 2, 3, dtype=torch.float64)
    teacher[0] = 1.0
    losses = method.loss(random_texts(4), replace(clips, teacher=teacher), torch.Generator())
    assert losses.terms["alignment"] == 0


def test_what_is_said_moves_scores_and_is_asked_for() -> None:
    method, clips = random_method(method=Save), random_videos(4)
    assert method.needs.speech
    noise = KeyedNoise(0, "per-text")
    before = method.score(random_texts(3), method.index(clips), noise)
    assert clips.speech is not None
    said = replace(clips, speech=clips.speech.roll(1, 0))
    assert (method.score(random_texts(3), method.index(said), noise) - before).abs().min() > 0
    with pytest.raises(BenchError, match=r"reads what is said.*choose fusion=gated-transformer"):
        method.index(replace(clips, speech=None))
