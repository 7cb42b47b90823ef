"""Training: each mode trains what it says, in the order of its seed, and each rule picks its epoch."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.errors import BenchError
from core.progress import Silent
from core.retriever import Retriever
from core.running.cells import RunInputs
from core.training.loading import batches_of
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
