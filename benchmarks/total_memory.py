"""The most memory that a command and all its processes hold at the same time.

    python -m benchmarks.total_memory bench run --runs FOLDER

Adds up the proportional set sizes (man 5 proc) of the command's process group twice a second: a page
that several processes share counts once. Prints the largest sum and what each process held then. The exit
code is the command's. Linux only.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence

import psutil

POLL = 0.5
"""Seconds between two looks; each halts the processes for as long as the system counts their pages."""


def members(group: int) -> list[int]:
    """The processes of a process group."""
    found = []
    for process in psutil.pids():
        try:
            if os.getpgid(process) == group:
                found.append(process)
        except ProcessLookupError:
            continue  # it ended since it was listed
    return found


def proportional_set_size(process: int) -> int:
    """Bytes of memory that a process holds, shared pages divided among those who share them."""
    try:
        return int(psutil.Process(process).memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0  # it ended since it was listed


def watched(command: Sequence[str]) -> tuple[int, list[int], float]:
    """Runs a command; its exit code, the sizes of its processes at the peak, and its wall time in seconds."""
    started = time.perf_counter()
    peak: list[int] = []
    with subprocess.Popen(command, start_new_session=True) as process:
        while process.poll() is None:
            sizes = [proportional_set_size(member) for member in members(process.pid)]
            peak = max(peak, sizes, key=sum)
            time.sleep(POLL)
    return process.returncode, peak, time.perf_counter() - started


def main(command: Sequence[str]) -> int:
    """Runs the command and prints what it held."""
    code, peak, seconds = watched(command)
    each = " + ".join(f"{size / 1e9:.2f}" for size in sorted(peak, reverse=True) if size > 5e6)
    print(f"{' '.join(command)}: at most {sum(peak) / 1e9:.2f} GB at once ({each}), {seconds:.0f} s")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
