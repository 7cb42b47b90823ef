"""Reads annotation files: text lists, delimited tables, JSON; whatever is wrong with one is one clear line.

UTF-8 with or without a byte-order mark and every kind of line end are accepted. Lines and files that no
annotation needs are refused before they fill the memory.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import TypeAdapter, ValidationError

from core.datasets.delimited import DELIMITERS, header_cells, refuse, rows_below
from core.datasets.fields import TextCheck, checked_name, problem, shown
from core.errors import BenchError

LINE_LIMIT = 1_000_000
"""Characters of a line; the longest paragraph of the supported data sets has some hundred."""
FILE_LIMIT = 2**30
"""Bytes of a file that is read whole; the largest official one has about 60 MB."""
NO_TEXT = {
    b"\xff\xfe": "UTF-16 and not UTF-8 text",
    b"\xfe\xff": "UTF-16 and not UTF-8 text",
    b"\x1f\x8b": "a gzip archive and not UTF-8 text",
    b"PK\x03\x04": "a spreadsheet or a zip archive and not UTF-8 text",
    b"PAR1": "a parquet file and not UTF-8 text",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet and not UTF-8 text",
}
"""How files begin that are given where a text is wanted, and what they are."""

Content = TypeVar("Content")


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that are not blank, without line ends, with their numbers from 1.

    Raises `BenchError` where the file cannot be read, is not UTF-8 or has a line that is too long.
    """
    for number, line in enumerate(_raw_lines(path), 1):
        if line.strip():
            yield number, line.rstrip("\r\n")


def read_names(path: Path) -> list[str]:
    """A list of distinct video names, one a line; raises `BenchError` for a bad, a repeated or no name."""
    names = [checked_text(path, number, "", checked_name, line) for number, line in read_lines(path)]
    return distinct(names, path)


def read_table(
    path: Path, columns: Mapping[str, TextCheck], optional: Mapping[str, TextCheck] | None = None
) -> list[dict[str, str]]:
    """The rows of a delimited table with a header: the named columns, checked; others are passed over.

    The delimiter is the one that makes the header hold all of `columns`. Raises `BenchError` naming the
    line for a missing column, a row of another length, a cell that its check refuses, or no row.
    """
    header, found = table_of(path, set(columns).issubset, ", ".join(columns))
    checks = {**columns, **{name: check for name, check in (optional or {}).items() if name in header}}
    rows = [
        {name: checked_text(path, number, name, check, row[name]) for name, check in checks.items()}
        for number, row in ((number, dict(zip(header, cells, strict=True))) for number, cells in found)
    ]
    if not rows:
        raise BenchError(f"{path}: contains a header but no rows; download the file again")
    return rows


def table_of(
    path: Path, fits: Callable[[Sequence[str]], bool], wanted: str
) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The columns of a table, and its rows with their lines (see `core.datasets.delimited`).

    The delimiter is the one under which the header `fits`. Raises `BenchError` that names the `wanted`
    columns where there is none, and for a file that is too large, unreadable or no UTF-8.
    """
    require_size(path)
    lines = list(_raw_lines(path))
    delimiter, header = _header(path, "".join(lines[:1]), fits, wanted)
    return header, rows_below(path, lines[1:], delimiter, len(header))


def require_size(path: Path) -> None:
    """Raises `BenchError` for a file that is too large for annotations, or is not there."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error
    if size > FILE_LIMIT:
        raise BenchError(f"{path}: {size / 1e9:.1f} GB are too many for an annotation file")


def read_json(path: Path, kind: type[Content]) -> Content:
    """The content of a JSON file as `kind`, a pydantic type.

    Raises `BenchError` where the file cannot be read, is truncated, holds something else, or names a key
    of one object twice.
    """
    return json_content(path, read_text(path), kind)


def read_text(path: Path) -> str:
    """The text of a file; raises `BenchError` where it is too large, cannot be read or is not UTF-8."""
    require_size(path)
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise _not_text(path) from error


def json_content(path: Path, text: str, kind: type[Content]) -> Content:
    """As `read_json`, of a text that the file holds."""
    try:
        return TypeAdapter(kind).validate_python(strict_json(text))
    except json.JSONDecodeError as error:
        raise BenchError(
            f"{path}: is truncated or invalid JSON ({error.msg}, line {error.lineno}, column {error.colno}); "
            "download the file again"
        ) from error
    except ValidationError as error:
        raise BenchError(f"{path}: {problem(error)}; fix or replace the file") from error
    except (ValueError, RecursionError) as error:
        raise BenchError(f"{path}: {error}; fix or replace the file") from error


def strict_json(text: str) -> Any:
    """The content of JSON; raises `ValueError` where a key of an object comes twice or a number is none."""
    return json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_no_number)


def distinct(names: Iterable[str], path: Path) -> list[str]:
    """The names as a list; raises `BenchError` where one comes twice or there is none."""
    found = list(names)
    seen: set[str] = set()
    for name in found:
        if name in seen:
            raise BenchError(f"{path}: {shown(name)} is listed twice; take one of them out")
        seen.add(name)
    if not found:
        raise BenchError(f"{path}: lists no video; download the file again")
    return found


def _raw_lines(path: Path) -> Iterator[str]:
    """The lines as they are; bounded, because one line may be the whole of a wrong file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            number = 0
            while line := file.readline(LINE_LIMIT + 1):
                number += 1
                if len(line) > LINE_LIMIT:
                    refuse(path, number, f"longer than {LINE_LIMIT:,} characters; is this the right file?")
                yield line
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise _not_text(path) from error


def _header(
    path: Path, line: str, fits: Callable[[Sequence[str]], bool], wanted: str
) -> tuple[str, list[str]]:
    """The delimiter under which a first line is a header, and the names of all columns."""
    for delimiter in DELIMITERS:
        with suppress(csv.Error):
            names = header_cells(line, delimiter)
            if fits(names):
                return delimiter, names
    raise BenchError(
        f"{path}: its first line {shown(line.strip())} does not name the columns {wanted} "
        "separated by a comma, semicolon, tab or |"
    )


def checked_text(path: Path, number: int, column: str, check: TextCheck, text: str) -> str:
    """A cell or line after its check; raises `BenchError` naming line and column where it is refused."""
    try:
        return check(text)
    except ValueError as error:
        refuse(path, number, f"{column}: {error}" if column else str(error))


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in content if names.count(name) > 1)
        raise ValueError(f"{shown(twice)} is listed twice")
    return content


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"holds {text} where a text or a number belongs")


def _unreadable(path: Path, error: OSError) -> BenchError:
    return BenchError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions")


def _not_text(path: Path) -> BenchError:
    with path.open("rb") as file:
        start = file.read(8)
    what = next((kind for magic, kind in NO_TEXT.items() if start.startswith(magic)), "not UTF-8 text")
    return BenchError(f"{path}: is {what}; save it as UTF-8 text")
