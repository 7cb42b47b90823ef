"""The rows of a delimited table below its header, each with its line; merged and torn rows are refused.

Quoting follows RFC 4180: a cell within quotation marks may hold the delimiter, line breaks and doubled marks.
Files that were written without it have marks that mean nothing. Where such marks would make one row of
several, a table with tabs is read line by line, as its kind has no quoting, and every other one is refused.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from core.errors import BenchError

DELIMITERS = (",", ";", "\t", "|")
HEADER_LINE = 1
"""The line of the header; rows begin behind it."""


def header_cells(line: str, delimiter: str) -> list[str]:
    """The names in a header, stripped of blanks; raises `csv.Error` where its quoting is broken."""
    cells = next(csv.reader([line.strip("\r\n")], delimiter=delimiter, strict=True), [])
    return [name.strip() for name in cells]


def rows_below(
    path: Path, lines: Sequence[str], delimiter: str, width: int
) -> Iterator[tuple[int, list[str]]]:
    """The rows of `width` cells in the lines below the header, each with the number of its first line.

    Rows without any text are passed over. Raises `BenchError` naming the line for a row of another width, a
    quotation mark that is not closed, and one that closes in another row.
    """
    filled = [line for line in lines if line.strip()]
    if delimiter == "\t" and all(line.count("\t") == width - 1 for line in filled):
        found = line_by_line(lines)
    else:
        found = quoted(path, lines, delimiter, width)
    for number, cells in found:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != width:
            remedy = cure(len(cells) < width, delimiter)
            refuse(path, number, f"{plural(len(cells))} where the header has {width}; {remedy}")
        yield number, cells


def cure(too_few: bool, delimiter: str) -> str:
    """What to do about a row of another width."""
    if too_few:
        return "a line break that is not quoted may have cut the row; put its caption in quotation marks"
    return f"quote captions that hold {delimiter!r}"


def line_by_line(lines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """The cells between the tabs of each line; marks count where they enclose a whole cell properly."""
    for number, line in enumerate(lines, HEADER_LINE + 1):
        yield number, [unquoted(cell) for cell in line.rstrip("\r\n").split("\t")]


def unquoted(cell: str) -> str:
    '''The text of a cell that is enclosed in marks; any other cell as it is.

    >>> unquoted('"a ""b"""'), unquoted('"go on'), unquoted('"go" on')
    ('a "b"', '"go on', '"go" on')
    '''
    inner = cell[1:-1].replace('""', "")
    enclosed = len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in inner
    return cell[1:-1].replace('""', '"') if enclosed else cell


def quoted(path: Path, lines: Sequence[str], delimiter: str, width: int) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table with quoting; raises as `rows_below`."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        first = reader.line_num
        try:
            cells = next(reader, None)
        except csv.Error as error:
            refuse(path, first + HEADER_LINE + 1, f"{error}; look for a quotation mark that is not closed")
        if cells is None:
            return
        span = lines[first : reader.line_num]
        if len(span) > 1 and merges(span, cells, delimiter, width):
            refuse(
                path,
                first + HEADER_LINE + 1,
                f"a quotation mark that opens here closes in line {reader.line_num + HEADER_LINE}, "
                f"which makes one row of {len(span)}; double it or take it out",
            )
        yield first + HEADER_LINE + 1, cells


def merges(span: Sequence[str], cells: Sequence[str], delimiter: str, width: int) -> bool:
    """Whether the lines of one quoted row look like rows of their own."""
    if delimiter == "\t":
        return any("\t" in cell and ("\n" in cell or "\r" in cell) for cell in cells)
    return all(line.count(delimiter) == width - 1 for line in span)


def plural(count: int) -> str:
    """A number of fields in words."""
    return "1 field" if count == 1 else f"{count} fields"


def refuse(path: Path, line: int, reason: str) -> NoReturn:
    """Raises the `BenchError` for what is wrong in a line."""
    raise BenchError(f"{path}, line {line}: {reason}")
