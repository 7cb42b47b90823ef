"""What `make bench` does and what README shows of it: one table, in the order in which the report has it."""

import re
import subprocess
from pathlib import Path

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
    rows = re.findall(r"^\| ((?:AVIGATE|CLIP4Clip|GAID|T-MASS|X-Pool)[^|]*?) \|", text, re.MULTILINE)
    tables = [rows[start : start + 5] for start in range(0, len(rows), 5)]
    assert len(tables) == 2
    assert all(table == sorted(table, key=natural) and len(set(table)) == 5 for table in tables)
