"""What the exact engine gains, from one file: `python -m benchmarks.timing.ratios FILE`."""

from collections.abc import Iterator, Mapping
from itertools import permutations
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from benchmarks.timing.cases import WORKS
from benchmarks.timing.results import Entry, Key, read_entries, sizes_of
from core.cli.shell import console, one_line_errors

COMPARISONS = (*((work, work) for work in WORKS), ("stp-per-text", "stp-fresh"))
"""Work scored exactly, and the same work scored by tiles."""


def ratio_rows(entries: Mapping[Key, Entry]) -> Iterator[tuple[str, str, str, str]]:
    """Size, what is compared, ratio with the index and ratio of scoring alone, as text."""
    for texts, videos in sizes_of(list(entries)):
        for exact, tiled in COMPARISONS:
            ratios = []
            for index_included in (True, False):
                slow = entries.get(Key(tiled, texts, videos, "tiled", index_included))
                fast = entries.get(Key(exact, texts, videos, "exact", index_included))
                ratios.append("–" if slow is None or fast is None else f"{slow.seconds / fast.seconds:.1f}x")
            if ratios != ["–", "–"]:
                yield f"{texts:,} x {videos:,}", f"{exact} against tiles of {tiled}", *ratios  # type: ignore[misc]


def growth_rows(entries: Mapping[Key, Entry]) -> Iterator[tuple[str, str]]:
    """How the exact engine's time grows where a size has twice the texts of another, as text."""
    for (many, videos), (few, same) in permutations(sizes_of(list(entries)), 2):
        for work in WORKS:
            for index_included in (True, False):
                large = entries.get(Key(work, many, videos, "exact", index_included))
                small = entries.get(Key(work, few, same, "exact", index_included))
                if (many, videos) == (2 * few, same) and large and small:
                    yield f"{large.key} against {few:,} x {same:,}", f"{large.seconds / small.seconds:.2f}x"


def memory_rows(entries: Mapping[Key, Entry]) -> Iterator[tuple[str, str]]:
    """What scoring takes above index, features and scores, per entry without index, as text."""
    for key, entry in sorted(entries.items()):
        if not key.index_included and entry.peak_bytes is not None:
            yield str(key), f"{(entry.peak_bytes - entry.output_bytes) / 2**20:.1f} MB"


@one_line_errors
def main(file: Annotated[Path, typer.Argument(help="JSON of pytest-benchmark.")]) -> None:
    """Print the ratios of exact engine to tiled modules, the growth with N, and the memory of scoring.

    Example: python -m benchmarks.timing.ratios timing.json
    """
    entries = read_entries(file)
    tables = (
        (ratio_rows, ("texts x videos", "exact against tiled modules", "with index", "score only")),
        (growth_rows, ("twice the texts", "time")),
        (memory_rows, ("memory of scoring above index and scores", "peak")),
    )
    for rows, columns in tables:
        table = Table(*columns)
        for row in rows(entries):
            table.add_row(*row)
        if table.row_count:
            console.print(table)


if __name__ == "__main__":
    typer.run(main)
