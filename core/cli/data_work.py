"""What `bench data check` does."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import ValidationError

from core.assignments import parse_assignment
from core.cli.answers import answer
from core.cli.bars import Bars
from core.cli.check_tables import show_check
from core.cli.screen import Screen
from core.data_options import DataOptions
from core.datasets import find_dataset, real_datasets
from core.datasets.check import check_dataset
from core.datasets.locations import chosen_location
from core.datasets.real import RealDataset
from core.errors import BenchError
from core.progress import Silent
from core.spec import explain
from core.workers import default_workers

GivenPaths = tuple[Path | None, Path | None, Path | None, Path | None, Path | None]
"""What the options `--root`, `--videos`, `--captions`, `--audio` and `--speech` say."""


def check_files(
    name: str,
    place: GivenPaths,
    assignments: Sequence[str],
    console: Screen,
    *,
    quick: bool,
    workers: int | None,
    as_json: bool,
) -> bool:
    """Prints what of a data set is there; returns whether every listed video has a file with a picture.

    Raises `BenchError` where the annotation files cannot be used.
    """
    data = find_real(name)
    check = check_dataset(
        data,
        chosen_location(name, *place),
        chosen_options(data, assignments),
        quick=quick,
        workers=workers or default_workers(64),
        progress=Silent() if as_json else Bars(console),
    )
    if as_json:
        answer({**asdict(check), "whole": check.is_whole})
    else:
        show_check(check, console)
    return check.is_whole


def find_real(name: str) -> RealDataset:
    """The data set of that name that a user has on disk; raises `BenchError` for another one."""
    entry = find_dataset(name)
    found = real_datasets().get(entry.name)
    if found is None:
        raise BenchError(f"{entry.name} is generated, so it has no place and no files to check")
    return found


def chosen_options(data: RealDataset, assignments: Sequence[str]) -> DataOptions:
    """The options that `data.KEY=VALUE` assignments choose; raises `BenchError` for another key or value."""
    values = dict(parse_assignment(text) for text in assignments)
    try:
        return data.options.model_validate({key.removeprefix("data."): v for key, v in values.items()})
    except ValidationError as error:
        known = ", ".join(f"data.{name}" for name in data.options.model_fields)
        raise BenchError(f"{data.name}: {explain(error)}; its options: {known}") from error
