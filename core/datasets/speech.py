"""The file of what is said in the videos of a data set, as a speech recogniser writes it.

It is a table, JSON or JSON lines with a column for the video and one for its transcript
(`core.datasets.columns`), or one JSON object from each video to its transcript. A video may be left out, and
a transcript may be empty: nothing is said there.
"""

from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from core.datasets.annotations import read_text
from core.datasets.columns import TRANSCRIPTS
from core.datasets.fields import shown
from core.datasets.listing import CONTAINERS
from core.datasets.own_tables import chosen, own_records, record_text
from core.datasets.transcripts import add_transcript
from core.errors import BenchError


def read_speech(path: Path, videos: Collection[str]) -> Mapping[str, str]:
    """What is said in the videos, by name; those in which nothing is said are left out.

    The file may call a video by the last part of its name, with or without the extension of a media file;
    what it says of other videos is passed over. Raises `BenchError` naming the line for whatever is wrong
    with the file, and where none of its videos is among `videos`.
    """
    text = read_text(path)
    if not text.strip():
        raise BenchError(f"{path}: holds no transcript; write a line per video")
    header, records = own_records(path, text, TRANSCRIPTS)
    columns = chosen(path, header, TRANSCRIPTS)
    found: dict[str, str] = {}
    for place, record in records:
        try:
            video = record_text(record, header[columns.video], number=True).strip()
            add_transcript(found, video, record.get(header[columns.text]))
        except ValueError as error:
            raise BenchError(f"{path}, {place}: {error}") from error
    called = {PurePosixPath(name).stem: name for name in found if in_container(name)}
    called |= {name: name for name in found}
    names = {video: name_in(called, video) for video in videos}
    if found and not any(names.values()):
        first = shown(next(iter(found)))
        raise BenchError(
            f"{path}: none of its {len(found):,} videos is in the data set; first: {first}; "
            "name the transcripts of this data set"
        )
    return {video: said for video, name in names.items() if name and (said := found[name])}


def in_container(name: str) -> bool:
    """Whether a name ends as a media file's does."""
    return PurePosixPath(name).suffix.lower() in CONTAINERS


def name_in(called: Mapping[str, str], video: str) -> str | None:
    """What a file calls a video; None where it does not name it. `called`: name or stem -> name there."""
    path = PurePosixPath(video)
    likely = (video, path.name, *((path.stem,) if in_container(video) else ()))
    return next((called[name] for name in likely if name in called), None)
