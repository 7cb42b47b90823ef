"""Where a score comes from: the weights that search shows are those of the modules."""

import pytest
import torch

from methods.parts.pooling.attention import attention_weights, frame_products
from methods.parts.pooling.text_conditioned import TextConditionedPooling
from tests.methods.small_worlds import random_method, random_noise, random_texts, random_videos

TEXTS, VIDEOS = 3, 4


@pytest.mark.parametrize("fusion", ["none", "frame"])
def test_weights_of_frames_are_the_attention_of_the_pooling(fusion: str) -> None:
    method = random_method(fusion=fusion, pooling="text-conditioned", perturbation="none")
    texts, videos = random_texts(TEXTS), random_videos(VIDEOS)
    assert method.moments and method.exact
    with torch.no_grad():
        index = method.index(videos)
        queries = method.exact.queries(texts, random_noise(TEXTS, VIDEOS))
        basis = method.exact.index(index)
        weights, sound = method.moments.frames(queries, basis), method.moments.sound(queries, basis)
        pooling = method.pooling
        assert isinstance(pooling, TextConditionedPooling) and weights is not None
        prepared = method.prepared(texts.embeds, index)
        keys = prepared.keys.unflatten(-1, (pooling.heads, -1))  # type: ignore[attr-defined]
        logits = frame_products(pooling.queries(texts.embeds), keys) / pooling.temperature
        expected = attention_weights(logits, prepared.mask[..., None, :], dim=-1).mean(2)
    torch.testing.assert_close(weights, expected)
    torch.testing.assert_close(weights.sum(-1), torch.ones(TEXTS, VIDEOS).double())
    assert (sound is not None) == (fusion == "frame")
    if sound is not None and method.gate:
        pairs = [(n, v) for n in range(TEXTS) for v in range(VIDEOS)]
        gates = [method.gate.weights(texts[n : n + 1], videos[v : v + 1])[0].detach() for n, v in pairs]
        torch.testing.assert_close(sound.flatten(0, 1), torch.stack(gates))


def test_a_pooling_that_no_text_changes_weights_no_frame() -> None:
    method = random_method(fusion="none", pooling="mean", perturbation="none")
    assert method.moments and method.exact
    with torch.no_grad():
        basis = method.exact.index(method.index(random_videos(VIDEOS)))
        queries = method.exact.queries(random_texts(TEXTS), random_noise(TEXTS, VIDEOS))
        assert method.moments.frames(queries, basis) is None
        assert method.moments.sound(queries, basis) is None
