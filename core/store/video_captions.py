"""`captions.jsonl`: what was said of each video, by a captioner or a speech recogniser and never by a query.

A line is `{"id": VIDEO, "visual": SENTENCE, "audio": SENTENCE}`: what is seen and what is heard. Either
sentence, and any video, may be left out: no caption is a case that every reader handles.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import BenchError


class VideoCaption(BaseModel):
    """A line of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    """The video's name in the data set."""
    visual: str | None = None
    """What is seen; None for no caption."""
    audio: str | None = None
    """What is heard; None for no caption."""


def read_video_captions(file: Path, ids: Collection[str]) -> Mapping[str, VideoCaption]:
    """The captions of the videos `ids`, by name; captions of other videos are left aside.

    Raises `BenchError` where the file cannot be read, a line is no caption, a video comes twice, or none of
    its videos is among `ids`.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"{file}: cannot be read ({error}); name a captions.jsonl") from error
    captions: dict[str, VideoCaption] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            caption = VideoCaption.model_validate_json(line)
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(map(str, problem["loc"]))
            raise BenchError(
                f"{file} line {number}: {where or 'line'}: {problem['msg']}; "
                'a line is {"id": ..., "visual": ..., "audio": ...}'
            ) from error
        if caption.id in captions:
            raise BenchError(f"{file} line {number}: video '{caption.id}' comes a second time; leave one out")
        captions[caption.id] = caption
    known = {id: captions[id] for id in ids if id in captions}
    if captions and not known:
        first = next(iter(captions))
        raise BenchError(f"{file}: none of its {len(captions):,} videos is in the data set; first: '{first}'")
    return known
