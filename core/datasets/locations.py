"""Where the data sets lie on this machine: said once with `bench data add`, kept in `bench.toml`.

The variable `BENCH_DATA` overrides it: a folder that holds a folder per data set, named like the data set,
with annotation files and videos anywhere below.
"""

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from core.datasets.fields import problem
from core.errors import BenchError
from core.settings import read_settings, write_setting

SECTION = "data"


class Location(BaseModel):
    """Where a data set lies; the table `[data.NAME]` of `bench.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    annotations: Path
    """Folder under which its annotation files lie, or the one caption file of `folder`."""
    videos: Path
    """Folder under which its videos lie."""


def find_location(name: str) -> Location | None:
    """Where a data set lies; None where nobody has said so. Raises `BenchError` for a bad `bench.toml`."""
    if root := os.environ.get("BENCH_DATA"):
        return Location(annotations=Path(root, name), videos=Path(root, name))
    table = read_settings(SECTION).get(name)
    if table is None:
        return None
    try:
        return Location.model_validate(table)
    except ValidationError as error:
        raise BenchError(
            f"bench.toml: [{SECTION}.{name}] {problem(error)}; write it anew with bench data add"
        ) from error


def require_location(name: str) -> Location:
    """As `find_location`; raises `BenchError` with the command that names the place."""
    location = find_location(name)
    if location is None:
        raise BenchError(
            f"where {name} lies is not known; say so once with: bench data add {name} --root DIR "
            "(or set BENCH_DATA to the folder that holds a folder per data set)"
        )
    return location


def save_location(name: str, location: Location) -> Path:
    """Writes where a data set lies into `bench.toml`; returns that file."""
    values = {key: str(path) for key, path in location.model_dump().items()}
    return write_setting(SECTION, name, values)


def location_of(root: Path | None, videos: Path | None, captions: Path | None) -> Location:
    """The location that the options `--root`, `--videos` and `--captions` mean.

    Raises `BenchError` where they name too little or something that is not there.
    """
    annotations, media = captions or root, videos or root
    if annotations is None or media is None:
        raise BenchError("name the data set's folder with --root DIR, or --videos DIR and --captions FILE")
    for path in (annotations, media):
        if not path.exists():
            raise BenchError(f"{path}: no such file or folder; name what is there")
    if not media.is_dir():
        raise BenchError(f"{media}: is a file; --videos takes the folder of the videos")
    return Location(annotations=annotations.resolve(), videos=media.resolve())
