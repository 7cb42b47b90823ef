"""What is said goes through the text tower as it is: its gradient reaches the tower, in any micro-batches."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from core.audit.noise_features import NoiseFeatures, Shape
from core.dataset import Split
from core.encoders.clip import ClipBackbone
from core.method import Dimensions, made
from core.registry import find_method
from core.resolving import resolve
from core.retriever import Retriever, SplitData
from core.spec import Seeds
from core.store.features import Features
from core.training.gradient import BatchGradient
from core.training.loading import Batch, Loader
from methods.save import Save

CLIPS, FRAMES, LENGTH = 6, 4, 12


@pytest.fixture(scope="module")
def clip() -> ClipBackbone:
    return ClipBackbone.load("avworld")


def setting(clip: ClipBackbone, mode: str, **training: Any) -> tuple[Retriever, Batch, BatchGradient]:
    """Made-up clips of which every other one has a transcript, and the first pairs of them."""
    torch.manual_seed(0)
    settings = {"training.mode": mode, "frames": FRAMES, "config.positions": 77, "text_tokens": LENGTH}
    settings |= {f"training.{key}": value for key, value in training.items()}
    spec = resolve("save", "avworld-tiny", settings)
    world = NoiseFeatures.draw(CLIPS, CLIPS, seed=0, shape=Shape(clip.width, FRAMES, 1)).videos
    tokens = torch.zeros(CLIPS, LENGTH, dtype=torch.int64)
    tokens[1::2] = clip.tokens_and_cuts([f"a red thing spins {n}" for n in range(3)], LENGTH)[0]
    with torch.no_grad():
        kept = clip.encode_text_tokens(tokens).half().numpy()
    assert world.audio is not None
    assert world.has_audio is not None
    features = Features(
        world.frames.numpy(),
        world.frame_mask,
        world.keys,
        world.has_audio,
        world.audio.half().numpy().astype(np.float16),
        world.audio_valid,
        "made up",
        speech=kept,
        speech_tokens=tokens,
    )
    method = Save(Save.Config(**spec.config), Dimensions(clip.width, FRAMES, clip.width, LENGTH))
    retriever = Retriever(clip, method, features, None, spec.training)  # type: ignore[arg-type]
    rows = torch.arange(4)
    captions, _ = clip.tokens_and_cuts([f"a blue thing {n}" for n in range(4)], LENGTH)
    spoken = retriever.trained_speech
    speech = None if spoken is None else spoken[rows]
    batch = Batch(captions, rows, features.videos(rows), None, slice(0, 4), speech=speech)
    if mode == "frozen":
        batch = replace(batch, text_embeds=retriever.text_embeds(captions).detach())
    return retriever, batch, BatchGradient(retriever, spec.training, torch.Generator().manual_seed(0))


def tower_gradient(clip: ClipBackbone, mode: str, **training: Any) -> Tensor | None:
    retriever, batch, gradient = setting(clip, mode, **training)
    gradient(batch)
    found = retriever.clip.token_embedding.weight.grad
    return None if found is None else found.clone()


def test_the_words_of_transcripts_train_with_the_tower_and_not_without(clip: ClipBackbone) -> None:
    found = tower_gradient(clip, "text-tuned")
    assert found is not None
    said = setting(clip, "text-tuned")[0].features.speech_tokens
    assert said is not None
    only_said = set(said[1].tolist()) - set(setting(clip, "text-tuned")[1].tokens.flatten().tolist())
    assert only_said
    assert all(found[word].any() for word in only_said)  # words that no caption has
    assert tower_gradient(clip, "frozen") is None


def test_micro_batches_leave_the_gradient_as_it_is(clip: ClipBackbone) -> None:
    whole, parts = (tower_gradient(clip, "text-tuned", micro_batch=size) for size in (4, 1))
    assert whole is not None
    torch.testing.assert_close(parts, whole, rtol=1e-3, atol=1e-6)


def test_states_are_those_that_are_kept_until_the_tower_has_trained(clip: ClipBackbone) -> None:
    retriever, batch, _ = setting(clip, "text-tuned")
    live, kept = retriever.videos(torch.arange(4)).speech, batch.videos.speech
    assert live is not None
    assert kept is not None
    torch.testing.assert_close(live.float(), kept.float(), rtol=2e-3, atol=2e-2)  # kept in half precision
    assert torch.equal(kept[0], kept[2])  # nothing is said in either
    assert not torch.equal(kept[0], kept[1])


@pytest.mark.parametrize("name", ["drl", "valor"])
def test_methods_of_words_train_on_towers_that_do_not(name: str, clip: ClipBackbone) -> None:
    features = setting(clip, "frozen")[0].features
    spec = resolve(name, "avworld-tiny", {"training.mode": "frozen", "frames": FRAMES, "text_tokens": LENGTH})
    method = made(find_method(name), spec.config, Dimensions(clip.width, FRAMES, clip.width, LENGTH))
    retriever = Retriever(clip, method, features, None, spec.training)  # type: ignore[arg-type]
    captions, _ = clip.tokens_and_cuts([f"a blue thing {n}" for n in range(CLIPS)], LENGTH)
    rows = torch.arange(CLIPS)
    split = Split((), (), ())
    batch = Loader(retriever, SplitData(split, captions, rows, rows, rows), spec.training, Seeds()).read(
        rows, 0
    )
    losses = BatchGradient(retriever, spec.training, torch.Generator().manual_seed(0))(batch)
    assert losses.total.isfinite()
    assert retriever.clip.token_embedding.weight.grad is None
    assert any(p.grad is not None and bool(p.grad.any()) for p in method.parameters())
