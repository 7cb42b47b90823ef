"""A cell has the same bits whatever runs beside it, and however many threads the environment offers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.running.cells import RunInputs
from core.runs import find_runs

RUN = ("run", "--methods", "gaid,clip4clip", "--datasets", "avworld-tiny", "--set", "training.epochs=2")
FILES = ("checkpoint.safetensors", "log.jsonl", "queries.parquet", "top.parquet", "metrics.json")


@pytest.mark.slow
def test_neither_workers_nor_threads_change_a_bit(materials: RunInputs, tmp_path: Path) -> None:
    found = []
    for workers, threads in (("1", "4"), ("2", "1")):
        runs = tmp_path / workers
        bench = Path(sys.executable).with_name("bench")
        command = [bench, *RUN, "--workers", workers, "--runs", runs]
        subprocess.run(
            command, env={**os.environ, "OMP_NUM_THREADS": threads}, check=True, capture_output=True
        )
        found.append(
            {
                f"{directory.path.name}/{name}": (directory.path / name).read_bytes()
                for directory in find_runs(runs)
                for name in FILES
            }
        )
    assert len(found[0]) == 2 * len(FILES)
    assert found[0].keys() == found[1].keys()
    assert [name for name in found[0] if found[0][name] != found[1][name]] == []
