"""Weights that are opened when they are first used, which may be in the middle of encoding."""

import torch

from core.encoders.audio import AudioEncoder
from core.encoders.clip import ClipBackbone


def test_towers_that_are_first_used_in_inference_can_train_afterwards() -> None:
    clip = ClipBackbone.load("avworld")
    with torch.inference_mode():
        assert next(clip.model.parameters()).requires_grad
    clip.encode_text(clip.tokenise(["a dog barks"])).sum().backward()
    assert any(parameter.grad is not None for parameter in clip.model.parameters())


def test_an_audio_encoder_that_is_first_used_in_inference_has_ordinary_weights() -> None:
    audio = AudioEncoder.load("avworld-whisper")
    with torch.inference_mode():
        weights = list(audio.encoder.parameters())
    assert weights
    assert not any(parameter.is_inference() for parameter in weights)
