"""What counts as a transcript of a video's own speech."""

from typing import Any

from core.datasets.fields import NO_CAPTION, shown

SHORTEST_SPEECH = 5
"""Characters of the shortest transcript that counts, as in SAVE's loader (arXiv 2603.08224)."""


def spoken_text(text: Any) -> str:
    """A transcript as it counts: empty where nothing is said; raises `ValueError` where it is no text.

    >>> spoken_text("so  here is\\nthe dough"), spoken_text("Mm."), spoken_text(None)
    ('so here is the dough', '', '')
    """
    if text is None:
        return ""
    if isinstance(text, list) and all(isinstance(part, str) for part in text):
        text = " ".join(text)  # one piece per segment of a recogniser
    if not isinstance(text, str):
        raise ValueError(f"the transcript is {shown(str(text))}, which is no text")
    said = " ".join(text.split())
    return "" if len(said) < SHORTEST_SPEECH or said.casefold() in NO_CAPTION else said


def add_transcript(known: dict[str, str], video: str, text: Any) -> None:
    """Adds what is said in a video; raises `ValueError` for a second transcript that is another one."""
    said = spoken_text(text)
    if known.setdefault(video, said) != said:
        raise ValueError(f"the video {shown(video)} has two transcripts; keep one of them")


def speech_in_words(transcripts: int, videos: int) -> str:
    """How many of a data set's videos have a transcript.

    >>> speech_in_words(1200, 2000)
    '1,200 of 2,000 videos have a transcript'
    """
    return f"{transcripts:,} of {videos:,} videos have a transcript" if transcripts else "no transcripts"
