"""A time that other work has disturbed is not passed off as a measurement."""

import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from core.evaluation.query_cost import WATCHED, machine_busy, measured_alone, query_cost, undisturbed
from core.evaluation.split_scores import encode
from core.retriever import Retriever
from core.running.cells import RunInputs, split_data
from core.spec import RunSpec


@pytest.mark.parametrize(
    ("wall", "busy", "expected"),
    [(1.0, 1.0, True), (1.0, 1.9, True), (1.0, 0.5, False), (1.2, 1.0, True), (1.3, 1.0, False)],
)
def test_on_a_cpu_a_process_that_waited_was_disturbed(wall: float, busy: float, expected: bool) -> None:
    assert undisturbed(wall, busy, on_gpu=False) == expected


@pytest.mark.parametrize(("fastest", "slowest", "expected"), [(1.0, 1.4, True), (1.0, 1.6, False)])
def test_on_a_gpu_repeats_must_agree(fastest: float, slowest: float, expected: bool) -> None:
    assert undisturbed(fastest, slowest, on_gpu=True) == expected


@pytest.mark.parametrize(
    ("own", "machine", "expected"),
    [(1.0, 1.0, True), (1.0, 1.1, True), (1.0, 2.0, False), (2.0, 2.1, True), (0.1, 0.9, False)],
)
def test_a_second_process_is_seen_though_it_holds_nothing_up(
    own: float, machine: float, expected: bool
) -> None:
    assert undisturbed(1.0, 1.0, on_gpu=False)
    assert measured_alone(1.0, own, machine) == expected


def test_where_the_machine_counts_no_work_nothing_is_called_alone() -> None:
    assert not measured_alone(1.0, 1.0, 0.0)


def test_the_work_of_another_process_is_counted() -> None:
    other = subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=-1)
    try:
        assert other.stdout is not None and other.stdout.readline()
        worked, began, machine = psutil.Process(other.pid), time.perf_counter(), machine_busy()
        before = worked.cpu_times().user
        while worked.cpu_times().user - before < WATCHED:
            time.sleep(0.02)
        assert not measured_alone(time.perf_counter() - began, 0.0, machine_busy() - machine)
    finally:
        other.kill()
        other.communicate()


@pytest.mark.parametrize(("others", "reliable"), [(0.0, True), (0.5, False)])
def test_a_query_is_timed_as_reliable_only_where_no_other_process_worked(
    make_retriever: Callable[..., tuple[Retriever, RunSpec]],
    materials: RunInputs,
    monkeypatch: pytest.MonkeyPatch,
    others: float,
    reliable: bool,
) -> None:
    retriever, spec = make_retriever("clip4clip")
    monkeypatch.setattr(
        "core.evaluation.query_cost.machine_busy",
        lambda: time.process_time() + others * time.perf_counter(),
    )
    monkeypatch.setattr("core.evaluation.query_cost.undisturbed", lambda *_, on_gpu: True)
    data = split_data(spec, materials)["test"]
    began = time.perf_counter()
    found = query_cost(retriever, encode(retriever, data, spec), data, spec)
    assert found.reliable == reliable
    assert time.perf_counter() - began >= WATCHED
