"""Which column of a user's own table is which: by the usual names, without regard to case.

Blanks, hyphens and underscores in a name do not count either: `Video ID` is `video_id`. Where several columns
could be the same thing, the first in the order below is it. Every other column is passed over by name, but
one that seems to say which split a row belongs to is refused.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.datasets.fields import shown

VIDEO = (
    *("video", "videoid", "videofile", "videopath", "videoname"),
    *("filename", "file", "path", "filepath", "clip", "clipid", "vid", "id"),
)
"""What a column is called that names the video, the surest first: an `id` may also count rows."""
CAPTION = (
    *("caption", "captions", "text", "texts", "sentence", "sentences"),
    *("query", "queries", "description", "descriptions"),
)
"""What a column of captions is called."""
SPEECH = (
    *("transcript", "transcripts", "transcription", "speech", "asr", "asrtext"),
    *("subtitle", "subtitles", "spoken"),
)
"""What a column is called that holds what is said in the video."""
SPLIT = ("split", "subset", "set", "partition")
"""What a column is called that deals rows out to splits."""
SPLIT_WORDS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "validate", "dev", "development"),
    "test": ("test", "testing"),
}
"""The splits, and what else they are called."""
NAMED = 10
"""Columns that are named in a note."""


@dataclass(frozen=True)
class TextColumn:
    """The column of texts that a file is read for."""

    names: tuple[str, ...]
    """What it may be called, the surest first."""
    wanted: str
    """The columns that a header must name, in words."""
    optional: bool = False
    """Whether a row may have no text."""


CAPTION_COLUMN = TextColumn(
    CAPTION, "of video and caption (video, file, path, id, ...; caption, text, sentence, query, ...)"
)
TRANSCRIPTS = TextColumn(
    (*SPEECH, *CAPTION),
    "of video and transcript (video, file, path, id, ...; transcript, speech, asr, subtitle, text, ...)",
    optional=True,
)


@dataclass(frozen=True)
class Columns:
    """Positions of the columns of a table."""

    video: int
    text: int
    """Of captions, or whatever else the file is read for."""
    speech: int | None
    """Of transcripts beside captions."""
    splits: tuple[int, ...]
    """Every column that says which split a row belongs to."""
    passed_over: tuple[int, ...]
    """The others."""


def plain_column(name: str) -> str:
    """A column's name as it is compared.

    >>> plain_column(" Video-ID "), plain_column("file_name")
    ('videoid', 'filename')
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(letter for letter in folded if letter.isalnum())


def find_columns(names: Sequence[str], texts: TextColumn = CAPTION_COLUMN) -> Columns | None:
    """The columns by their names; None where none names the video, or none holds the texts.

    Raises `ValueError` where two columns that are read have one name.
    """
    compared = [plain_column(name) for name in names]
    video, text = first_of(VIDEO, compared), first_of(texts.names, compared)
    if video is None or text is None:
        return None
    said = first_of(SPEECH, compared)
    speech = None if said == text else said
    splits = tuple(place for place, name in enumerate(compared) if name in SPLIT)
    alone = [place for place in (video, text, speech) if place is not None]
    for place in (*alone, *splits):
        if compared.count(compared[place]) > 1:
            raise ValueError(f"there are two columns {shown(names[place])}; take one of them out")
    read = {*alone, *splits}
    others = tuple(place for place in range(len(names)) if place not in read)
    return Columns(video, text, speech, splits, others)


def first_of(wanted: Iterable[str], names: Sequence[str]) -> int | None:
    """Where the first of the wanted names is that is there."""
    return next((names.index(name) for name in wanted if name in names), None)


def split_named(text: str) -> str:
    """The split that a value means, whatever its case; raises `ValueError` where it means none.

    >>> split_named("TRAIN"), split_named("dev")
    ('train', 'val')
    """
    value = text.strip().casefold()
    found = next((split for split, names in SPLIT_WORDS.items() if value in names), None)
    if found is None:
        raise ValueError(
            f"{shown(text)} is none of {', '.join(SPLIT_WORDS)}; write one of them or rename the column"
        )
    return found


def tells_splits(values: Iterable[str]) -> bool:
    """Whether the values of a column are names of splits, and of more than one."""
    known = {name for names in SPLIT_WORDS.values() for name in names}
    found = {value.strip().casefold() for value in values}
    return len(found) > 1 and found <= known


def column_list(names: Sequence[str]) -> str:
    """Names in a note: the first of them, and how many more there are."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(name or "one without a name" for name in names[:NAMED]) + more
