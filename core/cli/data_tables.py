"""Prints which data sets there are and in which state."""

from collections.abc import Sequence

from rich.console import Console

from core.cli.render import WholeTable
from core.dataset import DatasetEntry


def show_list(entries: Sequence[DatasetEntry], console: Console) -> None:
    """A row per data set; for those that users have, where their owners offer them and what goes where."""
    table = WholeTable("name", "clips", "on disk", "state", "what it is")
    for entry in entries:
        table.add_row(entry.name, entry.clips, entry.size, state_of(entry), entry.about)
    console.print(table)
    for entry in entries:
        if entry.layout:
            console.print(f"{entry.name}  from: {entry.source}", markup=False, highlight=False)
            console.print(f"  in its folder: {entry.layout}", markup=False, highlight=False)


def state_of(entry: DatasetEntry) -> str:
    """Whether a data set is ready, and if not the command that makes it so."""
    if entry.ready():
        return "ready"
    if entry.layout:
        return f"bench data add {entry.name} --root DIR"
    return f"made on first use, or by: bench data prepare {entry.name}"


def record_of(entry: DatasetEntry) -> dict[str, object]:
    """A data set as `bench data list --json` has it."""
    texts = {key: getattr(entry, key) for key in ("name", "about", "clips", "size", "source", "layout")}
    return {**texts, "ready": entry.ready(), "generated": not entry.layout}
