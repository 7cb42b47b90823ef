"""What the tests of the engine share: one small world, prepared once in a cache of its own."""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

CACHE = Path(__file__).parents[1] / ".cache" / "tests"
"""Outlives the session; child processes see it through the environment."""

os.environ["BENCH_CACHE"] = str(CACHE)
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")  # ranx, an oracle of small tables, would compile for a minute
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch counts the cores, which the workers share
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in a background job, and so in all its children
    signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.dont_write_bytecode:  # children would compile all that they import, which is half of their start
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(CACHE / "bytecode")}

import harness  # noqa: E402
from core.cli import shell  # noqa: E402
from core.cli.screen import Screen  # noqa: E402
from core.encoders.clip import ClipBackbone  # noqa: E402
from core.progress import Silent  # noqa: E402
from core.resolving import resolve  # noqa: E402
from core.retriever import Retriever  # noqa: E402
from core.running.cells import RunInputs, build_method, prepare_inputs, run_cell  # noqa: E402
from core.runs import RunDirectory, open_run  # noqa: E402
from core.spec import RunSpec  # noqa: E402

WORLD = "avworld-tiny"


@pytest.fixture(scope="session")
def materials() -> RunInputs:
    """The tiny world with the features of a method that listens; of several workers one makes them."""
    return prepare_inputs(resolve("gaid", WORLD, {}), Silent(), workers=2)


@pytest.fixture(scope="session")
def make_retriever(materials: RunInputs) -> Callable[..., tuple[Retriever, RunSpec]]:
    """Builds a fresh retriever of a method on the tiny world, with towers that no other test trains."""

    def make(method: str, **overrides: Any) -> tuple[Retriever, RunSpec]:
        spec = resolve(method, WORLD, {key.replace("__", "."): value for key, value in overrides.items()})
        own = replace(materials, clip=ClipBackbone.load(spec.backbone))
        built = build_method(spec, own, spec.seeds.initialisation)
        return Retriever(own.clip, built, own.features, own.store, spec.training), spec

    return make


@pytest.fixture(scope="session")
def trained_run(materials: RunInputs, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A finished run of a method that listens, one epoch on the tiny world; nobody changes its folder."""
    settings = {
        "training.epochs": 1,
        "evaluation.conditions": ["leak-free"],
        "evaluation.rescoring": ["none"],
    }
    spec = resolve("gaid", WORLD, settings)
    directory = open_run(tmp_path_factory.mktemp("trained"), spec, "00000000")
    run_cell(spec, directory, Silent())
    return directory


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """A command in this process."""
    monkeypatch.setattr(shell, "console", Screen())

    def command(*arguments: object, **environment: str) -> Result:
        result = CliRunner().invoke(harness.app, [str(a) for a in arguments], env=environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return command
