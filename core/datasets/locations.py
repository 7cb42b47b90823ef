"""Where the data sets are on this machine: said once with `bench data add`, kept in `bench.toml`.

A path in `bench.toml` that is not absolute counts from the file's own folder, and `~` is the user's.

The variable `BENCH_DATA` overrides it: a folder that holds a folder per data set, named like the data set,
with annotation files and videos, which hold their sound, anywhere below.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from core.datasets.fields import problem
from core.errors import BenchError
from core.settings import find_setting, read_settings, tables_in, write_setting

SECTION = "data"
CAPTION_FILES = tuple(f"captions.{kind}" for kind in ("csv", "tsv", "jsonl", "json", "ndjson", "txt"))
"""What the caption file of a user's own data is called where its folder is named and not the file itself."""


class Location(BaseModel):
    """Where a data set lies; the table `[data.NAME]` of `bench.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    annotations: Path
    """Folder under which its annotation files lie, or the one caption file of `folder`."""
    videos: Path
    """Folder under which its videos lie."""
    audio: Path | None = None
    """Folder under which their sound lies; None where it is in the videos."""
    speech: Path | None = None
    """File of transcripts of what is said in them; None where there is none."""


def find_location(name: str) -> Location | None:
    """Where a data set lies; None where nobody has said so. Raises `BenchError` for a bad `bench.toml`."""
    if root := os.environ.get("BENCH_DATA"):
        return Location(annotations=Path(root, name), videos=Path(root, name))
    found = find_setting(SECTION, name)
    return None if found is None else parsed_location(name, *found)


def parsed_location(name: str, file: Path, table: Any) -> Location:
    """What a table of a `bench.toml` says; raises `BenchError` where it is none."""
    try:
        location = Location.model_validate(table)
    except ValidationError as error:
        raise BenchError(
            f"{file}: [{SECTION}.{name}] {problem(error)}; write it anew with bench data add"
        ) from error
    given = location.model_dump(exclude_none=True)
    return Location(**{key: Path(file.parent, path.expanduser()) for key, path in given.items()})


def stored_location(name: str, file: Path) -> Location | None:
    """What one `bench.toml` says of a data set; None where it does not name it, or says nothing valid."""
    table = dict(tables_in(file, SECTION)).get(name)
    try:
        return None if table is None else parsed_location(name, file, table)
    except BenchError:
        return None


def require_location(name: str) -> Location:
    """As `find_location`; raises `BenchError` with the command that names the place."""
    location = find_location(name)
    if location is None:
        raise BenchError(
            f"the location of {name} is not configured; run: bench data add {name} --root DIR "
            "(or set BENCH_DATA to the folder that holds a folder per data set)"
        )
    return location


def save_location(name: str, location: Location, file: Path | None = None) -> Path:
    """Writes where a data set is into a `bench.toml`, the project's unless given; returns that file."""
    values = {key: str(path) for key, path in location.model_dump(exclude_none=True).items()}
    return write_setting(SECTION, name, values, file)


def named_in_settings() -> list[str]:
    """Every data set that a `bench.toml` names, or a folder of captions in `BENCH_DATA` where that is set."""
    if root := os.environ.get("BENCH_DATA"):
        with suppress(OSError):
            return sorted(path.name for path in Path(root).iterdir() if holds_captions(path))
        return []
    return list(read_settings(SECTION))


def holds_captions(folder: Path) -> bool:
    """Whether a folder has a caption file at its top, as a data set of a user's own has."""
    with suppress(OSError):
        return any(path.stem + path.suffix.lower() in CAPTION_FILES for path in folder.iterdir())
    return False


def location_of(
    root: Path | None,
    videos: Path | None,
    captions: Path | None,
    audio: Path | None = None,
    speech: Path | None = None,
) -> Location:
    """The location that the options `--root`, `--videos`, `--captions`, `--audio` and `--speech` mean.

    Raises `BenchError` where they name too little or something that is not there.
    """
    annotations, media = captions or root, videos or root
    if annotations is None or media is None:
        raise BenchError("name the data set's folder with --root DIR, or --videos DIR and --captions FILE")
    for path in (annotations, media, audio, speech):
        if path is not None and not path.exists():
            raise BenchError(f"{path}: no such file or folder; name what is there")
    for folder, option in ((media, "--videos"), (audio, "--audio")):
        if folder is not None and not folder.is_dir():
            raise BenchError(f"{folder}: is a file; {option} takes the folder of the {option[2:]}")
    if speech is not None and speech.is_dir():
        raise BenchError(f"{speech}: is a folder; --speech takes the file of the transcripts")
    return Location(
        annotations=annotations.resolve(),
        videos=media.resolve(),
        audio=None if audio is None else audio.resolve(),
        speech=None if speech is None else speech.resolve(),
    )


def chosen_location(
    name: str,
    root: Path | None,
    videos: Path | None,
    captions: Path | None,
    audio: Path | None,
    speech: Path | None = None,
) -> Location:
    """As `location_of`; where the data set is known to lie, unless more than `audio` or `speech` is given.

    Raises `BenchError` as `location_of` and `require_location` do.
    """
    if root or videos or captions:
        return location_of(root, videos, captions, audio, speech)
    known = require_location(name)
    return location_of(None, known.videos, known.annotations, audio or known.audio, speech or known.speech)
