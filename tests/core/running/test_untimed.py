"""What decides a cell's cost: with another value of it there is no estimate, and one line says why."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from core.cli.plan import show
from core.resolving import resolve
from core.running import estimates
from core.running.estimates import Timing, cost_keys, estimated_seconds, measured_rows, measured_timings
from core.running.experiment import load_experiment
from core.running.matrix import expand
from core.running.untimed import reason, reasons
from core.spec import RunSpec


def cell(method: str = "gaid", dataset: str = "avworld", **keys: Any) -> RunSpec:
    return resolve(method, dataset, {key.replace("__", "."): value for key, value in keys.items()})


@pytest.fixture
def nothing_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(estimates, "MEASURED_FILE", tmp_path / "none.csv")
    measured_rows.cache_clear()
    measured_timings.cache_clear()
    yield
    measured_rows.cache_clear()
    measured_timings.cache_clear()


@pytest.mark.parametrize(
    "keys",
    [
        {"backbone": "ViT-B-16"},
        {"backbone": "ViT-B-32"},
        {"audio_encoder": "ast"},
        {"frames": 24},
        {"text_tokens": 77},
        {"training__batch_size": 128},
        {"training__mode": "text-tuned"},
        {"training__mode": "finetune"},
        {"training__precision": "bfloat16"},
        {"training__captions": "every"},
        {"training__threads": 2},
        {"evaluation__engine": "modules"},
        {"evaluation__splits": ["test"]},
        {"config__fusion": "token"},
        {"config__pooling": "mean"},
        {"config__perturbation": "none"},
        {"config__perturbation": "stp", "config__trials": 40},
        {"config__pairs": "all-pairs"},
        {"data__only": "with-audio-file"},
        {"dataset": "avworld-tiny"},
        {"method": "tmass"},
    ],
)
def test_a_key_that_decides_the_cost_must_agree(keys: dict[str, Any]) -> None:
    assert estimated_seconds(cell(**keys), [Timing(cell(), 10, 1)]) is None
    assert estimated_seconds(cell(), [Timing(cell(**keys), 10, 1)]) is None


@pytest.mark.parametrize(
    "keys",
    [
        {"seeds": 3},
        {"config__alpha": 0.25},
        {"config__support_weight": 0.1},
        {"config__dropout": 0.0},
        {"training__lr_new": 0.1},
        {"training__lr_factors": {"gate": 10.0}},
        {"training__weight_decay": 0.0},
        {"training__validate_every": 1},
        {"evaluation__rescoring": ["none"]},
    ],
)
def test_a_key_that_costs_nothing_may_differ(keys: dict[str, Any]) -> None:
    assert estimated_seconds(cell(**keys), [Timing(cell(), 10, 1)]) == 11


def test_what_has_no_effect_in_a_cell_may_differ() -> None:
    deaf = cell("xpool", audio_encoder="ast", config__trials=5)
    assert estimated_seconds(deaf, [Timing(cell("xpool"), 10, 1)]) == 11


def test_a_cell_that_did_not_train_says_nothing_of_training() -> None:
    assert estimated_seconds(cell(), [Timing(cell(training__epochs=0), 0.1, 1)]) is None
    assert estimated_seconds(cell(training__epochs=0), [Timing(cell(), 10, 1)]) == 1


def test_a_new_key_decides_the_cost_until_it_is_said_not_to() -> None:
    assert set(cost_keys(cell())) >= {"method", "dataset", "backbone", "frames", "data.only", "config.fusion"}


@pytest.mark.usefixtures("nothing_measured")
def test_the_reason_names_what_no_timed_cell_has() -> None:
    timed = [Timing(cell("xpool"), 10, 1), Timing(cell("xpool", frames=24, training__batch_size=32), 10, 1)]
    assert reason(cell("xpool", backbone="ViT-B-16"), timed) == (
        "no cell of X-Pool with backbone=ViT-B-16 was timed"
    )
    assert reason(cell("xpool", frames=24, config__pooling="mean", training__batch_size=32), timed) == (
        "no cell of X-Pool with config.pooling=mean was timed"
    )
    assert reason(cell("xpool", "avworld-tiny"), timed) == "no cell of X-Pool on avworld-tiny was timed"
    assert reason(cell("drl"), timed) == "no cell of DRL (WTI) was timed"
    unlearned = [Timing(cell("drl", training__epochs=0), 0, 1)]
    assert reason(cell("drl"), unlearned) == "no cell of DRL (WTI) with training.epochs=24 was timed"


@pytest.mark.usefixtures("nothing_measured")
def test_a_reason_is_one_line_for_all_cells_that_share_it() -> None:
    timed = [Timing(cell(method), 10, 1) for method in ("gaid", "xpool")]
    three = [cell("xpool", frames=24, seeds=seed) for seed in range(3)]
    assert reasons(three, timed) == [
        "unknown, 3 cells: no cell of X-Pool with frames=24 was timed; run one and the rest can be estimated"
    ]
    tuned = [
        cell(training__mode="text-tuned", config__fusion=fusion, seeds=seed)
        for fusion in ("sample", "frame")
        for seed in (0, 1)
    ]
    assert reasons(tuned, timed) == [
        "unknown, 4 cells: no cell of GAID with training.mode=text-tuned was timed; run 2 of them, one of "
        "each kind, and the rest can be estimated"
    ]
    both = [cell(method, training__mode="finetune") for method in ("gaid", "xpool")]
    assert reasons(both, timed) == [
        "unknown, 2 cells: no cell of GAID, X-Pool with training.mode=finetune was timed; each computes "
        "something else and has to run once"
    ]
    timed = [Timing(cell("tmass"), 10, 1)]
    assert reasons([cell("tmass", config__trials=n) for n in (1, 5)], timed) == [
        "unknown, 2 cells: no cell of T-MASS with config.trials=1|5 was timed; each computes something else "
        "and has to run once"
    ]


@pytest.mark.parametrize("name", ["avworld-fusion", "avworld-gates", "avworld-cae-av", "avworld-ideas-words"])
def test_every_unknown_length_of_a_shipped_experiment_has_its_reason(name: str, tmp_path: Path) -> None:
    cells = [one for block in load_experiment(name).blocks for one in expand(block).cells]
    text = io.StringIO()
    show(cells, tmp_path, 2, Console(file=text, width=500))
    unknown = [one for one in cells if estimates.estimate_of(one, []) is None]
    lines = [line for line in text.getvalue().splitlines() if line.startswith("unknown, ")]
    assert sum(int(line.split()[1]) for line in lines) == len(unknown)
    assert all(" was timed; " in line for line in lines)
