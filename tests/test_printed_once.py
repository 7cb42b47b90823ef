"""What `make bench` does and what README shows of it: one table, in the order in which the report has it."""

import re
import subprocess
from pathlib import Path

from core.registry import registered_methods
from core.resolving import resolve
from core.running.probing import probe_method
from reports.results import natural

ROOT = Path(__file__).parents[1]


def test_make_bench_prints_its_table_once() -> None:
    """`bench run` writes the report itself and ends with its path; `bench report` would print it again."""
    dry = subprocess.run(
        ["make", "-n", "bench"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert [line.split()[-2:] for line in dry if "bin/bench" in line] == [[".venv/bin/bench", "run"]]


def test_the_tables_of_the_readme_have_the_order_of_the_report() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    tables = [
        [name for name in re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE) if "ceiling" not in name][1:]
        for table in re.findall(r"^\| method \|.*\n(?:\|.*\n)+", text, re.MULTILINE)
    ]
    hears = [name for name in registered_methods() if probe_method(resolve(name, "avworld", {})).needs.sound]
    every = len(registered_methods())
    assert [len(names) for names in tables] == [5, every, every, len(hears)]  # the last: what sound adds
    assert all(names == sorted(names, key=natural) and len({*names}) == len(names) for names in tables)
