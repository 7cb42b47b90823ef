"""What has become slower: `python -m benchmarks.timing.compare OLD NEW`, exit code 1 if anything has."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from benchmarks.timing.results import Entry, Key, read_entries
from core.cli.shell import console, one_line_errors
from core.errors import BenchError

THRESHOLD = 1.25
"""Medians of the same code on an otherwise idle machine stay well below this."""


@dataclass(frozen=True)
class Change:
    """An entry of both files."""

    key: Key
    old: float
    """Seconds."""
    new: float
    """Seconds."""

    @property
    def ratio(self) -> float:
        """New by old; above 1 is slower."""
        return self.new / self.old


def changes(old: Mapping[Key, Entry], new: Mapping[Key, Entry]) -> list[Change]:
    """The entries that both files have, the worst first; raises `BenchError` where they have none."""
    common = [Change(key, old[key].seconds, new[key].seconds) for key in old if key in new]
    if not common:
        raise BenchError("the two files have no entry in common; run both with the same --sizes")
    return sorted(common, key=lambda change: -change.ratio)


@one_line_errors
def main(
    old: Annotated[Path, typer.Argument(help="JSON of pytest-benchmark, before.")],
    new: Annotated[Path, typer.Argument(help="JSON of pytest-benchmark, after.")],
    threshold: Annotated[
        float, typer.Option(min=1, help="Slower by this factor is a regression.")
    ] = THRESHOLD,
) -> None:
    """Print the change of every entry, the worst first; exit code 1 on a regression.

    Both files must come from one machine. Example: python -m benchmarks.timing.compare old.json new.json
    """
    before, after = read_entries(old), read_entries(new)
    table, slower = Table("entry", "old s", "new s", "new / old", ""), 0
    for change in changes(before, after):
        regressed = change.ratio > threshold
        slower += regressed
        verdict = "[red]regression[/]" if regressed else ""
        table.add_row(
            str(change.key), f"{change.old:.3g}", f"{change.new:.3g}", f"{change.ratio:.2f}x", verdict
        )
    console.print(table)
    for key in sorted(before.keys() ^ after.keys()):
        console.print(f"only in {old if key in before else new}: {key}", markup=False)
    console.print(f"{slower} of {table.row_count} entries are slower by more than {threshold:g}x")
    if slower:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
