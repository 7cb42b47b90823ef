"""Compiled towers train as plain ones do, under the same names, and say so where nothing can be compiled."""

import json
import os
import shutil
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.process_gradients import relative_difference
from core.errors import BenchError
from core.progress import Silent
from core.retriever import Retriever, SplitData
from core.running.cells import RunInputs
from core.spec import RunSpec
from core.training.gradient import BatchGradient
from core.training.loading import Loader
from core.training.training import Trainer
from tests.core.training.small_training import first_pairs, no_validation

can_compile = pytest.mark.skipif(
    shutil.which(os.environ.get("CXX", "g++")) is None
    or not Path(sysconfig.get_path("include"), "Python.h").exists(),
    reason="torch.compile needs a C++ compiler and Python's headers",
)


def trained(
    make_retriever: Callable[..., Any], data: SplitData, folder: Path, compiled: bool
) -> tuple[Retriever, RunSpec, list[float]]:
    """A few steps of finetuning, and their losses."""
    retriever, spec = make_retriever(
        "clip4clip",
        training__mode="finetune",
        training__batch_size=4,
        training__epochs=1,
        training__selection="last",
        training__compile=compiled,
    )
    folder.mkdir()
    Trainer(retriever, spec.training, spec.seeds, folder).fit(data, no_validation, Silent())
    records = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return retriever, spec, [record["loss"] for record in records]


def gradients(retriever: Retriever, spec: RunSpec, data: SplitData, pairs: int) -> dict[str, Tensor]:
    retriever.train()
    batch = Loader(retriever, data, spec.training, spec.seeds).read(torch.arange(pairs), epoch=0)
    BatchGradient(retriever, spec.training, torch.Generator())(batch)
    return {name: p.grad for name, p in retriever.named_parameters() if p.grad is not None}


@pytest.mark.slow
@can_compile
def test_compiled_towers_train_as_plain_ones_and_their_weights_are_theirs(
    make_retriever: Callable[..., Any], materials: RunInputs, tmp_path: Path
) -> None:
    data = first_pairs(materials, 10)  # batches of 4, 4 and 2
    plain, spec, expected = trained(make_retriever, data, tmp_path / "plain", compiled=False)
    compiled, _, losses = trained(make_retriever, data, tmp_path / "compiled", compiled=True)
    assert losses == pytest.approx(expected, rel=1e-4)
    assert compiled.state_dict().keys() == plain.state_dict().keys()
    plain.load_trained_state(compiled.trained_state())
    for pairs in (4, 3):
        found = gradients(compiled, spec, data, pairs)
        assert relative_difference(found, gradients(plain, spec, data, pairs)) <= 1e-4


@pytest.mark.slow
def test_without_a_compiler_it_is_one_line(
    make_retriever: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.compiler.reset()  # forgets what other tests have compiled
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", (None, "no-such-compiler"))
    with pytest.raises(BenchError, match=r"training\.compile: .*no-such-compiler.*compile=false") as caught:
        make_retriever("clip4clip", training__compile=True)
    assert "\n" not in str(caught.value)
