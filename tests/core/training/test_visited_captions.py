"""Which captions training visits, in which order, and how often a tower that does not train encodes them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.progress import Silent
from core.retriever import SplitData
from core.running.cells import RunInputs
from core.training import loading
from core.training.gradient import BatchGradient
from core.training.loading import Loader, data_order
from core.training.training import Trainer
from tests.core.training.small_training import SMALL, first_pairs, no_validation


def test_an_epoch_visits_every_caption_once_in_an_order_of_its_own() -> None:
    pairing = torch.arange(50) // 2
    orders = {
        (seed, epoch): tuple(data_order(pairing, "every", seed, epoch).tolist())
        for seed in (0, 1)
        for epoch in (0, 1)
    }
    assert all(sorted(order) == list(range(50)) for order in orders.values())
    assert len(set(orders.values())) == len(orders)


def test_with_one_caption_an_epoch_visits_every_video_once_and_each_caption_as_often_as_another() -> None:
    pairing = torch.tensor([0, 0, 0, 1, 2, 2])
    epochs = [data_order(pairing, "one", 0, epoch).tolist() for epoch in range(1200)]
    assert all(sorted(pairing[order].tolist()) == [0, 1, 2] for order in map(torch.tensor, epochs))
    share = [sum(caption in order for order in epochs) / len(epochs) for caption in range(6)]
    assert share == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1, 1 / 2, 1 / 2], abs=0.05)
    assert sum(pairing[order[0]] == 0 for order in epochs) / len(epochs) == pytest.approx(1 / 2, abs=0.05)


def test_with_the_first_caption_an_epoch_visits_the_same_videos_and_never_another_caption() -> None:
    pairing = torch.tensor([2, 0, 0, 2, 1, 0])
    for epoch in range(20):
        one, first = (data_order(pairing, captions, 0, epoch) for captions in ("one", "first"))
        assert pairing[one].tolist() == pairing[first].tolist()
        assert sorted(first.tolist()) == [0, 1, 4]


def captions_seen(
    monkeypatch: pytest.MonkeyPatch,
    make_retriever: Callable,
    data: SplitData,
    folder: Path,
    method: str,
    **changes: object,
) -> list[list[int]]:
    retriever, spec = make_retriever(method, **{**SMALL, "training__selection": "last", **changes})
    seen: list[list[int]] = []
    encode = retriever.text_embeds

    def spy(tokens: Tensor) -> Tensor:
        seen.extend(tokens.tolist())
        return encode(tokens)

    monkeypatch.setattr(retriever, "text_embeds", spy)
    folder.mkdir()
    Trainer(retriever, spec.training, spec.seeds, folder).fit(data, no_validation, Silent())
    return seen


@pytest.mark.parametrize("method", ["gaid", "drl"])  # sentences; words as well
def test_a_tower_that_does_not_train_encodes_each_caption_once_in_a_run(
    monkeypatch: pytest.MonkeyPatch,
    make_retriever: Callable,
    materials: RunInputs,
    tmp_path: Path,
    method: str,
) -> None:
    data = first_pairs(materials, 16)

    def seen(mode: str, folder: str) -> list[list[int]]:
        changes = {"training__mode": mode, "training__epochs": 3}
        return captions_seen(monkeypatch, make_retriever, data, tmp_path / folder, method, **changes)

    frozen, tuned = seen("frozen", "frozen"), seen("text-tuned", "tuned")
    assert sorted(frozen) == sorted(data.tokens.tolist())
    assert len(tuned) == 3 * len(data.tokens)
    monkeypatch.setattr(
        loading, "KEPT_BYTES", 1000
    )  # less than they take: a block is looked at, none is kept
    assert len(seen("frozen", "no room")) == 4 * len(data.tokens)


@pytest.mark.parametrize("method", ["clip4clip", "gaid", "drl", "uatvr"])
def test_captions_encoded_ahead_give_the_gradient_of_captions_encoded_at_the_step(
    make_retriever: Callable, materials: RunInputs, method: str
) -> None:
    data = first_pairs(materials, 16)
    retriever, spec = make_retriever(method, **{**SMALL, "training__mode": "frozen"})
    batch = next(Loader(retriever, data, spec.training, spec.seeds).epoch(0)).to(retriever.device)
    assert batch.text_embeds is not None
    gradients = []
    for given in (batch, replace(batch, text_embeds=None)):
        noise = torch.Generator(retriever.device).manual_seed(0)
        torch.manual_seed(0)
        BatchGradient(retriever, spec.training, noise)(given)
        gradients.append([p.grad.clone() for p in retriever.method.parameters() if p.grad is not None])
    assert gradients[0]
    for ahead, at_step in zip(*gradients, strict=True):
        torch.testing.assert_close(ahead, at_step, rtol=1e-4, atol=1e-6)


def test_the_order_of_the_pairs_depends_on_the_data_seed_alone(
    monkeypatch: pytest.MonkeyPatch, make_retriever: Callable, materials: RunInputs, tmp_path: Path
) -> None:
    def seen(name: str, method: str, **seeds: int) -> list[list[int]]:
        return captions_seen(
            monkeypatch, make_retriever, first_pairs(materials), tmp_path / name, method, **seeds
        )

    first = seen("first", "clip4clip")
    assert seen("method", "gaid", seeds__noise=7, seeds__initialisation=5) == first
    assert seen("data", "clip4clip", seeds__data=1) != first
