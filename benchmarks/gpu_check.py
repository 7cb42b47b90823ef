"""What can only be checked where a CUDA device is: correctness on it, training and scoring at full size.

`make gpu-check`, or plain `python3 -m benchmarks.gpu_check` in a checkout: each part imports what it needs
when it runs, and a part whose packages are missing is one line that names them. Weights are random, so no
network is used. Prints one table; exit code 1 where a check failed, 0 where there is no GPU.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from benchmarks.device_ratios import ratio_rows
from benchmarks.gpu_measure import Row, gemm_rate, peak_gigabytes
from benchmarks.gpu_scoring import scoring_rows
from benchmarks.gpu_training import encoder_rows, engine_rows

TESTS = Path(__file__).parents[1] / "tests" / "gpu"


def device_rows() -> Iterator[Row]:
    """The device and what its matrix units reach."""
    properties = torch.cuda.get_device_properties(0)
    yield Row("device", properties.name, f"{properties.total_memory / 1e9:.0f} GB, torch {torch.__version__}")
    for dtype in (torch.bfloat16, torch.float32):
        name = str(dtype).removeprefix("torch.")
        yield Row(f"matrix product, {name}", f"{gemm_rate(dtype) / 1e12:.0f} TFLOP/s", "8192 x 8192 x 8192")


def test_rows() -> Iterator[Row]:
    """The tests that need a GPU, by pytest in a process of its own."""
    import pytest

    import harness  # noqa: F401  # whatever the product needs is there, or is named here
    from core.running import cells  # noqa: F401

    options = ["-q", "-o", "addopts=", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, str(TESTS)]
    done = subprocess.run(command, capture_output=True, text=True)
    failed = done.returncode != pytest.ExitCode.OK
    if failed:
        print(done.stdout, done.stderr, file=sys.stderr)
    yield Row("GPU tests", (done.stdout.strip().splitlines() or ["no output"])[-1], "tests/gpu", failed)


PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "device": device_rows,
    "GPU tests": test_rows,
    "encoders": encoder_rows,
    "training engine": engine_rows,
    "scoring": scoring_rows,
    "ratios": lambda: ratio_rows(torch.device("cuda")),
}
"""Name of each part and what makes its rows."""


def checked(part: str, rows: Callable[[], Iterator[Row]]) -> Iterator[Row]:
    """The rows of a part; where a package is missing or memory runs out, one row that says so."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    try:
        yield from rows()
    except ImportError as error:
        yield Row(part, "skipped", f"{error}: install it to run this part")
    except torch.OutOfMemoryError:
        yield Row(part, "out of memory", f"peak {peak_gigabytes():.1f} GB", failed=True)


def main() -> None:
    """Prints the table, each row as it comes."""
    if not torch.cuda.is_available():
        print("gpu-check: skipped, torch finds no CUDA device here")
        return
    started, failed = time.perf_counter(), False
    print(f"{'part':44} {'result':34} remark")
    for part, rows in PARTS.items():
        for row in checked(part, rows):
            failed |= row.failed
            print(f"{row.part:44} {row.result:34} {row.remark}{'  FAILED' * row.failed}", flush=True)
    print(f"{time.perf_counter() - started:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
