"""Reads annotation files: text lists, delimited tables, JSON; whatever is wrong with one is one clear line.

UTF-8 with or without a byte-order mark and every kind of line end are accepted. Lines and files that no
annotation needs are refused before they fill the memory.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import TypeAdapter, ValidationError

from core.datasets.fields import Check, checked_name, problem, shown
from core.errors import BenchError

LINE_LIMIT = 1_000_000
"""Characters of a line; the longest paragraph of the supported data sets has some hundred."""
FILE_LIMIT = 2**30
"""Bytes of a JSON file, which is parsed whole; the largest official one has about 60 MB."""
DELIMITERS = (",", ";", "\t", "|")

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
    names = [_checked(path, number, "", checked_name, line) for number, line in read_lines(path)]
    return distinct(names, path)


def read_table(
    path: Path, columns: Mapping[str, Check], optional: Mapping[str, Check] | None = None
) -> list[dict[str, str]]:
    """The rows of a delimited table with a header: the named columns, checked; others are passed over.

    The delimiter is the one that makes the header hold all of `columns`. Raises `BenchError` naming the
    line for a missing column, a row of another length, a cell that its check refuses, or no row.
    """
    lines = _raw_lines(path)
    header_line = next(lines, "")
    delimiter, header = _header(path, header_line, columns)
    checks = {**columns, **{name: check for name, check in (optional or {}).items() if name in header}}
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    rows = []
    try:
        for cells in reader:
            number = reader.line_num + 1
            if not cells:
                continue
            if len(cells) != len(header):
                _refuse(
                    path,
                    number,
                    f"{len(cells)} fields where the header has {len(header)}; "
                    f"quote captions that hold {delimiter!r}",
                )
            row = dict(zip(header, cells, strict=True))
            rows.append(
                {name: _checked(path, number, name, check, row[name]) for name, check in checks.items()}
            )
    except csv.Error as error:
        _refuse(path, reader.line_num + 1, f"{error}; look for a quotation mark that is not closed")
    if not rows:
        raise BenchError(f"{path}: contains a header but no rows; download the file again")
    return rows


def read_json(path: Path, kind: type[Content]) -> Content:
    """The content of a JSON file as `kind`, a pydantic type.

    Raises `BenchError` where the file cannot be read, is truncated, holds something else, or names a key
    of one object twice.
    """
    try:
        if path.stat().st_size > FILE_LIMIT:
            raise BenchError(
                f"{path}: {path.stat().st_size / 1e9:.1f} GB are too many for an annotation file"
            )
        content = json.loads(
            path.read_bytes().decode("utf-8-sig"), object_pairs_hook=_unique_keys, parse_constant=_no_number
        )
        return TypeAdapter(kind).validate_python(content)
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise _not_text(path) from error
    except json.JSONDecodeError as error:
        raise BenchError(
            f"{path}: is truncated or invalid JSON ({error.msg}, line {error.lineno}, column {error.colno}); "
            "download the file again"
        ) from error
    except ValidationError as error:
        raise BenchError(f"{path}: {problem(error)}; fix or replace the file") from error
    except (ValueError, RecursionError) as error:
        raise BenchError(f"{path}: {error}; fix or replace the file") from error


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
                    _refuse(path, number, f"longer than {LINE_LIMIT:,} characters; is this the right file?")
                yield line
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise _not_text(path) from error


def _header(path: Path, line: str, columns: Iterable[str]) -> tuple[str, Sequence[str]]:
    """The delimiter, and the names of all columns."""
    wanted = list(columns)
    for delimiter in DELIMITERS:
        names = [name.strip() for name in next(csv.reader([line.strip()], delimiter=delimiter), [])]
        if set(wanted) <= set(names):
            return delimiter, names
    raise BenchError(
        f"{path}: its first line {shown(line.strip())} does not name the columns {', '.join(wanted)} "
        "separated by a comma, semicolon, tab or |"
    )


def _checked(path: Path, number: int, column: str, check: Check, text: str) -> str:
    try:
        return check(text)
    except ValueError as error:
        _refuse(path, number, f"{column}: {error}" if column else str(error))


def _refuse(path: Path, line: int, reason: str) -> NoReturn:
    raise BenchError(f"{path}, line {line}: {reason}")


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
    return BenchError(f"{path}: is not UTF-8 text; save it as UTF-8")
