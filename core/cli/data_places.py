"""What `bench data add` and `bench data remove` do: where data sets are, kept in `bench.toml`."""

import os
from pathlib import Path

from core.cli.data_work import GivenPaths, find_real
from core.cli.screen import Screen
from core.datasets import registered_datasets
from core.datasets.locations import (
    SECTION,
    Location,
    chosen_location,
    save_location,
    stored_location,
)
from core.datasets.own import check_own_name, own_dataset, own_names
from core.datasets.real import RealDataset, Survey, survey
from core.datasets.sounds import sound_in_words
from core.datasets.transcripts import speech_in_words
from core.errors import BenchError, unknown_name
from core.plugins import in_their_case
from core.settings import account_file, project_file, remove_setting, settings_files, tables_in


def add_dataset(name: str, place: GivenPaths, console: Screen, *, everywhere: bool) -> None:
    """Writes into `bench.toml` where a data set is, once its annotation files have been read.

    The account's file is written where it is to hold `everywhere`, else the project's. Raises `BenchError`,
    and writes nothing, where they cannot be read.
    """
    data = known_or_own(name)
    location = chosen_location(data.name, *place)
    found = survey(data, location, data.options())
    file = account_file() if everywhere else project_file()
    before = stored_location(data.name, file)
    save_location(data.name, location, file)
    lines = [
        found_in_words(data.name, len(found.videos.paths), len(found.listing.videos), location),
        f"sound: {sound_in_words(found.splits)}",
        *([] if found.speech is None else [speech_line(found)]),
        *(f"note: {note}" for note in found.listing.notes),
        f"written: {file}",
        *replaced(before, location),
        *overridden(data.name, file),
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def remove_dataset(name: str, console: Screen, *, everywhere: bool) -> None:
    """Takes a data set out of the first `bench.toml` that names it, or out of the account's `everywhere`.

    Raises `BenchError` where none does.
    """
    files = [account_file()] if everywhere else settings_files()
    stored = {file: dict(tables_in(file, SECTION)) for file in files}
    own = in_their_case(name, tuple(known for tables in stored.values() for known in tables))
    holding = [file for file, tables in stored.items() if own in tables]
    if not holding:
        known = {known for tables in stored.values() for known in tables}
        if not known:
            raise BenchError(f"no data set is stored in {' and '.join(map(str, files))}")
        raise unknown_name("dataset in bench.toml", name, known)
    before = stored_location(own, holding[0])
    remove_setting(SECTION, own, holding[0])
    lines = [f"removed: {own} from {holding[0]}"]
    lines += [f"was: {key} {path}" for key, path in before or () if path is not None]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if len(holding) > 1:
        console.print(f"now counts: {holding[1]}", markup=False, highlight=False, soft_wrap=True)


def known_or_own(name: str) -> RealDataset:
    """The data set to be added: a known one, or a new one of the user's own.

    Raises `BenchError` for a name that cannot be one.
    """
    registered = registered_datasets()
    known = (*registered, *registered.broken, *own_names(registered))
    if in_their_case(name, known) in known:
        return find_real(name)
    check_own_name(name, known)
    return own_dataset(name)


def speech_line(found: Survey) -> str:
    """How many of the listed videos have a transcript."""
    return f"speech: {speech_in_words(len(found.speech or ()), len(found.listing.videos))}"


def found_in_words(name: str, found: int, total: int, location: Location) -> str:
    """How many of the listed videos there are."""
    more = "" if found == total else f"; bench data check {name} says which are missing"
    return f"{name}: {found:,} of {total:,} videos found under {location.videos}{more}"


def replaced(before: Location | None, location: Location) -> list[str]:
    """A line per path of a file that was another one before."""
    if before is None:
        return []
    changes = ((key, old, getattr(location, key)) for key, old in before)
    return [f"replaced: {key} {old or 'none'} -> {new or 'none'}" for key, old, new in changes if old != new]


def overridden(name: str, file: Path) -> list[str]:
    """What counts in the place of what was written to a file, or no longer counts because of it."""
    if root := os.environ.get("BENCH_DATA"):
        return [f"note: BENCH_DATA is set, so {Path(root, name)} counts instead"]
    first, *others = settings_files()
    if file != first and stored_location(name, first):
        return [f"note: {first} names {name} too and counts here"]
    if file == first and others and stored_location(name, others[0]):
        return [f"note: {others[0]} names {name} too and does not count here"]
    return []
