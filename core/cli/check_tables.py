"""Prints what `bench data check` found out."""

from rich.console import Console

from core.cli.render import WholeTable
from core.datasets.check import FAULTS, STATES, Check
from core.examples import first_names, in_lines


def show_check(check: Check, console: Console) -> None:
    """The counts of a data set as a table, with its annotation files and the first problems of each kind."""
    opened = any(split.states is not None for split in check.splits)
    apart = any(split.sound_files is not None for split in check.splits)
    counts = ("expected", "videos", "captions", "found", "missing", "ambiguous")
    faults = [fault for fault in FAULTS if any((split.faults or {}).get(fault) for split in check.splits)]
    columns = (*counts, *(("sound files",) if apart else ()), *(STATES if opened else ()), *faults)
    table = WholeTable("split", *columns, title=check.name)
    for column in table.columns[2:]:
        column.justify = "right"
    for split in check.splits:
        cells = [split.videos, split.captions, split.found, split.missing, split.ambiguous]
        cells += [] if split.sound_files is None else [split.sound_files]
        cells += [(split.states or {}).get(state, 0) for state in STATES] if opened else []
        cells += [(split.faults or {}).get(fault, 0) for fault in faults]
        table.add_row(split.split, split.expected or "–", *(f"{cell:,}" for cell in cells))
    console.print(table)
    for name, digest in check.files.items():
        console.print(f"read: {name}  sha256 {digest}", markup=False, highlight=False)
    options = " ".join(f"data.{key}={value}" for key, value in check.options.items())
    console.print(f"options: {options}", markup=False, highlight=False)
    for key, value in check.protocol.items():
        console.print(f"{key}: {value}", markup=False, highlight=False)
    for note in (*check.notes, *(found.in_words() for found in check.repeated)):
        console.print(f"note: {note}", markup=False, highlight=False)
    for kind, videos in check.problems.items():
        for line in in_lines(f"{len(videos):,} {kind}: {first_names(list(videos.items()))}"):
            console.print(line, markup=False, highlight=False)
