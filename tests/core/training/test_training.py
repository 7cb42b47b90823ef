"""Training: each mode trains what it says, in the order of its seed, and each rule picks its epoch."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.errors import BenchError
from core.progress import Silent
from core.retriever import Retriever, SplitData
from core.running.cells import RunInputs
from core.training import loading
from core.training.gradient import BatchGradient
from core.training.loading import Loader, batches_of, data_order
from core.training.training import Trainer
from tests.core.training.small_training import BATCH, SMALL, first_pairs, no_validation


def changed_towers(retriever: Retriever, before: dict[str, Tensor]) -> set[str]:
    after = retriever.clip.state_dict()
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize(
    ("mode", "picture", "text"),
    [("frozen", False, False), ("text-tuned", False, True), ("finetune", True, True)],
)
def test_a_mode_trains_the_towers_that_it_names(
    mode: str, picture: bool, text: bool, make_retriever: Callable, materials: RunInputs, tmp_path: Path
) -> None:
    retriever, spec = make_retriever(
        "xpool",
        training__mode=mode,
        training__batch_size=4,
        training__epochs=1,
        training__selection="last",
        training__schedule="constant",
    )
    towers = {name: tensor.clone() for name, tensor in retriever.clip.state_dict().items()}
    method = {name: tensor.clone() for name, tensor in retriever.method.state_dict().items()}
    Trainer(retriever, spec.training, spec.seeds, tmp_path).fit(
        first_pairs(materials, 8), no_validation, Silent()
    )
    learned = {name for name, _ in retriever.clip.named_parameters()} - {"logit_scale"}
    of_picture = {name for name in learned if name.startswith("visual.")}
    expected = (of_picture if picture else set()) | (learned - of_picture if text else set())
    # Rows of words and positions that no caption uses get no gradient, but their table does.
    assert changed_towers(retriever, towers) == expected
    assert {
        name for name in method if not torch.equal(method[name], retriever.method.state_dict()[name])
    } == {name for name, _ in retriever.method.named_parameters()}


def test_frozen_prefixes_do_not_train(make_retriever: Callable, materials: RunInputs, tmp_path: Path) -> None:
    retriever, spec = make_retriever(
        "clip4clip",
        training__mode="text-tuned",
        training__batch_size=8,
        training__epochs=1,
        training__selection="last",
        training__frozen_clip_prefixes=["token_embedding", "transformer.resblocks.0"],
    )
    towers = {name: tensor.clone() for name, tensor in retriever.clip.state_dict().items()}
    Trainer(retriever, spec.training, spec.seeds, tmp_path).fit(
        first_pairs(materials, 16), no_validation, Silent()
    )
    changed = changed_towers(retriever, towers)
    assert any(name.startswith("transformer.resblocks.1") for name in changed)
    assert not any(name.startswith(("token_embedding", "transformer.resblocks.0")) for name in changed)


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


@pytest.mark.parametrize(
    ("pairs", "drop_last", "sizes"),
    [
        (10, False, [4, 4, 2]),
        (10, True, [4, 4]),
        (9, False, [4, 4]),
        (3, False, [3]),
        (3, True, []),
        (1, False, []),
    ],
)
def test_a_last_batch_without_negatives_is_left_out(pairs: int, drop_last: bool, sizes: list[int]) -> None:
    assert [len(batch) for batch in batches_of(torch.arange(pairs), 4, drop_last)] == sizes


def test_fewer_pairs_than_a_batch_still_train(
    make_retriever: Callable, materials: RunInputs, tmp_path: Path
) -> None:
    retriever, spec = make_retriever("clip4clip", training__epochs=2, training__selection="last")
    data = first_pairs(materials, 10)
    assert spec.training.batch_size > len(data.tokens)
    done = Trainer(retriever, spec.training, spec.seeds, tmp_path).fit(data, no_validation, Silent())
    assert (done.step, done.epoch) == (2, 2)


@pytest.mark.parametrize(("captions", "drop_last", "pairs"), [(1, False, 1), (10, True, 5)])
def test_too_few_pairs_for_any_batch_is_one_line(
    captions: int, drop_last: bool, pairs: int, make_retriever: Callable, materials: RunInputs, tmp_path: Path
) -> None:
    retriever, spec = make_retriever("clip4clip", training__drop_last=drop_last)
    trainer = Trainer(retriever, spec.training, spec.seeds, tmp_path)
    # An epoch visits one caption of each video, and ten captions belong to five.
    with pytest.raises(BenchError, match=f"has {pairs} pairs.*training.batch_size"):
        trainer.fit(first_pairs(materials, captions), no_validation, Silent())


def test_no_epochs_leave_the_weights_as_they_are(
    make_retriever: Callable, materials: RunInputs, tmp_path: Path
) -> None:
    retriever, spec = make_retriever("gaid", training__epochs=0)
    before = retriever.trained_state()
    Trainer(retriever, spec.training, spec.seeds, tmp_path).fit(
        first_pairs(materials), no_validation, Silent()
    )
    assert all(torch.equal(before[name], tensor) for name, tensor in retriever.trained_state().items())


@pytest.mark.parametrize(
    ("selection", "every", "looks", "chosen"),
    [
        ("val", 1, [1, 2, 3, 4], 2),
        ("test-best", 1, [1, 2, 3, 4], 2),
        ("val", 3, [3, 4], 3),
        ("last", 1, [], 4),
    ],
)
def test_the_selection_keeps_the_epoch_of_the_best_look(
    selection: str,
    every: int,
    looks: list[int],
    chosen: int,
    make_retriever: Callable,
    materials: RunInputs,
    tmp_path: Path,
) -> None:
    retriever, spec = make_retriever(
        "clip4clip",
        training__batch_size=BATCH,
        training__epochs=4,
        training__selection=selection,
        training__validate_every=every,
    )
    recall = {1: 10.0, 2: 30.0, 3: 30.0, 4: 20.0}
    at_epoch: dict[int, dict[str, Tensor]] = {}
    trainer = Trainer(retriever, spec.training, spec.seeds, tmp_path)

    def validate() -> float:
        epoch = trainer.done.epoch
        at_epoch[epoch] = retriever.trained_state()
        return recall[epoch]

    done = trainer.fit(first_pairs(materials), validate, Silent())
    assert [look["epoch"] for look in done.looks] == looks
    assert [look["recall_at_1"] for look in done.looks] == [recall[epoch] for epoch in looks]
    assert done.best_epoch == chosen
    if chosen in at_epoch:
        kept = retriever.trained_state()
        assert all(torch.equal(kept[name], tensor) for name, tensor in at_epoch[chosen].items())


def test_the_logged_rate_rises_to_one_and_falls_along_the_cosine(
    make_retriever: Callable, materials: RunInputs, tmp_path: Path
) -> None:
    overrides = {**SMALL, "training__epochs": 4, "training__warmup": 0.25, "training__selection": "last"}
    retriever, spec = make_retriever("clip4clip", **overrides)
    Trainer(retriever, spec.training, spec.seeds, tmp_path).fit(
        first_pairs(materials), no_validation, Silent()
    )
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    expected = [step / 3 if step < 3 else (1 + math.cos(math.pi * (step - 3) / 9)) / 2 for step in range(12)]
    assert [record["rate_factor"] for record in log] == pytest.approx(expected)
    assert [record["step"] for record in log] == list(range(1, 13))


def test_the_logit_scale_is_held_at_a_hundred(
    make_retriever: Callable, materials: RunInputs, tmp_path: Path
) -> None:
    retriever, spec = make_retriever("clip4clip", training__epochs=1, training__selection="last")
    with torch.no_grad():
        retriever.method.logit_scale.fill_(6.0)
    Trainer(retriever, spec.training, spec.seeds, tmp_path).fit(
        first_pairs(materials, 8), no_validation, Silent()
    )
    assert retriever.method.logit_scale.item() == pytest.approx(math.log(100))


def test_a_gradient_that_is_not_finite_ends_the_run_with_one_line_before_any_weight_moves(
    make_retriever: Callable, materials: RunInputs, tmp_path: Path
) -> None:
    retriever, spec = make_retriever("gaid", **SMALL)
    with torch.no_grad():
        retriever.clip.text_projection[0, 0] = torch.nan
    before = retriever.trained_state()
    trainer = Trainer(retriever, spec.training, spec.seeds, tmp_path)
    with pytest.raises(BenchError, match=r"gradient is nan at step 0 .*training\.lr_new") as caught:
        trainer.fit(first_pairs(materials), no_validation, Silent())
    assert "\n" not in str(caught.value)
    after = retriever.trained_state()
    assert all(torch.equal(before[name].nan_to_num(), after[name].nan_to_num()) for name in before)
    assert not (tmp_path / "resume.pt").exists()
