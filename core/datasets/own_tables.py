"""A user's own captions out of a table, JSON or JSON lines, whatever the file is called.

What kind of file it is, its first character tells: `[` begins a JSON list of objects, `{` JSON lines or one
object that maps each video to its captions, everything else the header of a delimited table.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from core.datasets.annotations import json_content, read_text, strict_json, table_of
from core.datasets.columns import (
    CAPTION_COLUMN,
    Columns,
    TextColumn,
    column_list,
    find_columns,
    split_named,
    tells_splits,
)
from core.datasets.fields import checked_caption, shown
from core.datasets.listing import Row
from core.datasets.transcripts import add_transcript
from core.errors import BenchError

OwnRecord = tuple[str, Mapping[str, Any]]
"""Where something is in a file, e.g. `line 3`, and its values by column."""
Named = Callable[[str], str]
"""Takes what a cell calls a video and returns its name; raises `ValueError` where it is none."""


@dataclass(frozen=True)
class OwnTable:
    """What a caption file says."""

    rows: list[Row]
    """Its captions in their order."""
    splits: list[str]
    """The split of each row; empty where the file names none."""
    notes: list[str]
    """What a user should know of how it was read."""
    speech: Mapping[str, str] | None = None
    """What is said in each video in which anything is; None where the file has no such column."""


def read_own_table(path: Path, name_of: Named) -> OwnTable:
    """The rows of a caption file.

    Raises `BenchError` naming the line or entry for whatever is wrong with it, and where only some rows have
    a split.
    """
    text = read_text(path)
    if not text.strip():
        raise BenchError(f"{path}: holds no caption; write a line per caption")
    header, records = own_records(path, text, CAPTION_COLUMN)
    columns = chosen(path, header, CAPTION_COLUMN)
    rows: list[Row] = []
    splits: list[str | None] = []
    speech: dict[str, str] = {}
    for place, record in records:
        try:
            video = name_of(record_text(record, header[columns.video], number=True))
            split = record_split(record, [header[column] for column in columns.splits])
            if columns.speech is not None:
                add_transcript(speech, video, record.get(header[columns.speech]))
            for caption in record_captions(record, header[columns.text]):
                rows.append(Row(video, caption))
                splits.append(split)
        except ValueError as error:
            raise BenchError(f"{path}, {place}: {error}") from error
    if not rows:
        raise BenchError(f"{path}: holds no caption; write a line per caption")
    require_known(path, header, columns, records)
    named = [split for split in splits if split]
    if len(named) not in (0, len(rows)):
        raise BenchError(
            f"{path}: {len(named)} of {len(rows)} captions have a split; let all of them or none have one"
        )
    said = None if columns.speech is None else {video: text for video, text in speech.items() if text}
    return OwnTable(rows, named, notes_on(path, header, columns, records), said)


def own_records(path: Path, text: str, texts: TextColumn) -> tuple[list[str], list[OwnRecord]]:
    """The columns and rows of a file that holds `text`, whatever kind of file it is."""
    is_json = text.lstrip()[:1] in ("[", "{")
    return json_records(path, text, texts) if is_json else table_records(path, texts)


def table_records(path: Path, texts: TextColumn) -> tuple[list[str], list[OwnRecord]]:
    """The columns and rows of a delimited table."""

    def fits(names: Sequence[str]) -> bool:
        return chosen_or_none(path, names, texts) is not None

    header, rows = table_of(path, fits, texts.wanted)
    keys: list[str] = []
    for name in header:
        while name in keys:  # of no column that is read
            name += "'"
        keys.append(name)
    return keys, [(f"line {number}", dict(zip(keys, cells, strict=True))) for number, cells in rows]


def json_records(path: Path, text: str, texts: TextColumn) -> tuple[list[str], list[OwnRecord]]:
    """The keys and objects of a JSON file."""
    lines = [(i, line) for i, line in enumerate(StringIO(text, newline=None), 1) if line.strip()]
    records: list[tuple[str, Any]]
    if text.lstrip().startswith("["):
        records = [(f"entry {i}", entry) for i, entry in enumerate(json_content(path, text, list[Any]), 1)]
    elif holds_lines(lines, texts):
        records = [(f"line {number}", parsed(path, number, line)) for number, line in lines]
    else:
        records = list(of_object(path, json_content(path, text, dict[str, Any]), texts))
    for place, record in records:
        if not isinstance(record, dict):
            raise BenchError(
                f"{path}, {place}: {shown(repr(record))} is no object with video and {texts.names[0]}"
            )
    return list(dict.fromkeys(key for _, record in records for key in record)), records


def holds_lines(lines: Sequence[tuple[int, str]], texts: TextColumn) -> bool:
    """Whether every line of a file is an object of its own, by the first one; a later one may be broken."""
    try:
        first = json.loads(lines[0][1])
        return isinstance(first, dict) and (len(lines) > 1 or find_columns(list(first), texts) is not None)
    except (ValueError, RecursionError):
        return False


def parsed(path: Path, number: int, line: str) -> Any:
    """The JSON of one line; raises `BenchError` where it is broken."""
    try:
        return strict_json(line)
    except json.JSONDecodeError as error:
        raise BenchError(
            f"{path}, line {number}: is truncated or invalid JSON ({error.msg}, column {error.colno})"
        ) from error
    except (ValueError, RecursionError) as error:
        raise BenchError(f"{path}, line {number}: {error}") from error


def of_object(path: Path, content: Mapping[str, Any], texts: TextColumn) -> Iterator[OwnRecord]:
    """The one text that an object is, or those of the videos that are its keys."""
    names, text_key = list(content), texts.names[0]
    if chosen_or_none(path, names, texts):
        yield "entry 1", content
        return
    for video, value in content.items():
        listed = isinstance(value, str | list) and all(isinstance(text, str) for text in value)
        if listed or (value is None and texts.optional):
            yield f"key {shown(video)}", {"video": video, text_key: value}
        elif isinstance(value, dict) and chosen_or_none(path, ["video", *value], texts):
            yield f"key {shown(video)}", {"video": video, **value}
        else:
            raise BenchError(
                f"{path}: is one object with the keys {column_list(names[:3])}; write a list of objects with "
                f"video and {text_key}"
            )


def chosen_or_none(path: Path, names: Sequence[str], texts: TextColumn) -> Columns | None:
    """The columns that some keys are; raises `BenchError` where two are the same."""
    try:
        return find_columns(names, texts)
    except ValueError as error:
        raise BenchError(f"{path}: {error}") from error


def chosen(path: Path, names: Sequence[str], texts: TextColumn) -> Columns:
    """As `chosen_or_none`; raises `BenchError` where there is no video or no text."""
    columns = chosen_or_none(path, names, texts)
    if columns is None:
        found = column_list(names) or "nothing"
        raise BenchError(f"{path}: has {found} and no columns {texts.wanted}; rename them")
    return columns


def record_text(record: Mapping[str, Any], column: str, *, number: bool = False) -> str:
    """The text in a column; raises `ValueError` for anything else, but whole numbers may be names."""
    value = record.get(column)
    if number and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        what = "is missing" if value is None else f"is {shown(str(value))}, which is no text"
        raise ValueError(f"{column} {what}")
    return value


def record_captions(record: Mapping[str, Any], column: str) -> list[str]:
    """The captions in a column: one, or a list of them; raises `ValueError` where one is missing."""
    value = record.get(column)
    if value == []:
        raise ValueError(f"{column} is an empty list; give it a text or take it out")
    texts = [record_text({column: text}, column) for text in (value if isinstance(value, list) else [value])]
    return [checked_caption(text) for text in texts]


def record_split(record: Mapping[str, Any], columns: Sequence[str]) -> str | None:
    """The split of a row; raises `ValueError` for an unknown one, and where two columns contradict."""
    found: dict[str, str] = {}
    for column in columns:
        if record.get(column) is not None:
            try:
                found[column] = split_named(record_text(record, column))
            except ValueError as error:
                raise ValueError(f"{column}: {error}") from error
    if len(set(found.values())) > 1:
        contradiction = " and ".join(f"{column} {split}" for column, split in found.items())
        raise ValueError(f"the columns contradict each other ({contradiction}); take one of them out")
    return next(iter(found.values()), None)


def require_known(path: Path, header: Sequence[str], columns: Columns, records: Sequence[OwnRecord]) -> None:
    """Raises `BenchError` where a column that would be passed over says which split a row belongs to."""
    if columns.splits:
        return
    for column in (header[place] for place in columns.passed_over):
        if tells_splits(str(record.get(column)) for _, record in records):
            raise BenchError(
                f"{path}: the column {shown(column)} seems to name splits; call it split, or take it out"
            )


def notes_on(path: Path, header: Sequence[str], columns: Columns, records: Sequence[OwnRecord]) -> list[str]:
    """What was passed over in a file, and which names of splits were read as others."""
    notes = []
    if columns.passed_over:
        names = column_list([header[place] for place in columns.passed_over])
        notes.append(f"{path.name}: columns passed over: {names}")
    given = {record.get(header[place]) for place in columns.splits for _, record in records}
    names_given = sorted(value.strip() for value in given if value)
    if read := [f"{name!r} as {split_named(name)}" for name in names_given if name != split_named(name)]:
        notes.append(f"{path.name}: splits read: {', '.join(read)}")
    return notes
