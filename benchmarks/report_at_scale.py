"""Time and memory of `bench report` over many made runs.

Run it as `python -m benchmarks.report_at_scale`. 25 configurations, eight seeds each:
200 runs of 1,000 queries, two conditions and three rescorings in both directions. Prints the seconds and the
peak resident memory of a `bench report` process, and the seconds of one paired test of 10,000 permutations.
"""

import resource
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np
import torch

from core.evaluation.significance import permutation_test
from tests.made_runs import make_run, result

METHODS = ("gaid", "tmass", "xpool", "avigate", "clip4clip")
FRAMES = (4, 6, 8, 10, 12)
SEEDS = range(8)
QUERIES = 1000


def make_runs(root: Path) -> None:
    """Writes the runs, each with hits of its own."""
    generator = np.random.default_rng(0)
    for number, (method, frames, seed) in enumerate(product(METHODS, FRAMES, SEEDS)):
        points = 40 + frames + generator.integers(-30, 30) / 10
        results = [
            result(points, condition=c, rescoring=r, direction=d, queries=QUERIES)
            for c, r, d in product(("leak-free", "released"), ("none", "dsl", "qb-norm"), ("t2v", "v2t"))
        ]
        seeds = {f"seeds.{part}": seed for part in ("data", "initialisation", "noise")}
        make_run(root, {"frames": frames, **seeds}, results, method=method, order=number)


def main() -> None:
    """Makes the runs, reports on them, and prints what that took."""
    with tempfile.TemporaryDirectory() as folder:
        make_runs(Path(folder))
        started = time.perf_counter()
        bench = Path(sys.executable).with_name("bench")
        subprocess.run([bench, "report", "--runs", folder], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - started
        runs = len(list(Path(folder).glob("*/status.json")))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(f"{runs} runs of {QUERIES} queries: {seconds:.1f} s, {peak / 1e9:.2f} GB")
    hits = (torch.rand(2, QUERIES) < 0.5).double()
    started = time.perf_counter()
    permutation_test(hits, torch.tensor([[0, 1]]), torch.arange(QUERIES), seed=0)
    print(f"one paired test of {QUERIES} queries: {time.perf_counter() - started:.2f} s")


if __name__ == "__main__":
    main()
