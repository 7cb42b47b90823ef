"""What a dataset is to the engine: videos, captions, which caption belongs to which video."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.progress import Progress


@dataclass(frozen=True)
class Video:
    """One media file, or a window of it."""

    id: str
    """Unique within the dataset."""
    path: Path
    """The media file."""
    start: float = 0.0
    """Start of the window in seconds."""
    end: float | None = None
    """End of the window in seconds; None for the whole file."""
    group: str = ""
    """Clips of one group share their pixels; intervals cluster by group. Empty: a group of its own."""


@dataclass(frozen=True)
class Truth:
    """What a generated world knows about a clip and real datasets do not."""

    stratum: str
    """Why sound matters here, or why not: `needed`, `partial`, `irrelevant`, `silent`, `off-screen`."""
    relevant: tuple[tuple[float, float], ...]
    """Spans in seconds in which the sound matters for the caption."""


@dataclass(frozen=True)
class Split:
    """A set of videos with their captions, in the order of the annotation files."""

    videos: tuple[Video, ...]
    captions: tuple[str, ...]
    video_of_caption: tuple[int, ...]
    """For each caption the position of its video in `videos`."""
    truth: tuple[Truth, ...] | None = None
    """Per video, for generated worlds only."""

    def __post_init__(self) -> None:
        if len(self.captions) != len(self.video_of_caption):
            raise ValueError(
                f"{len(self.captions)} captions but {len(self.video_of_caption)} video positions"
            )
        if self.truth is not None and len(self.truth) != len(self.videos):
            raise ValueError(f"{len(self.videos)} videos but {len(self.truth)} truth records")


@dataclass(frozen=True)
class Dataset:
    """A dataset as it lies on disk."""

    name: str
    fingerprint: str
    """Changes when the annotation files or the generated world change."""
    splits: Mapping[str, Split]
    """`train`, `val`, `test`, and further test sets by name."""
    protocol: Mapping[str, str] = field(default_factory=dict)
    """What names the protocol in a result: captions per video, paragraph rule, text length, ..."""
    video_captions: Path | None = None
    """Its `captions.jsonl`, where it has one (see `core.video_captions`)."""
    ceilings: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    """Split -> observer -> stratum (and `all`) -> text-to-video R@1 in points, where it can be known."""


@dataclass(frozen=True)
class DatasetEntry:
    """A data set as the registry knows it, before anything of it is read."""

    name: str
    about: str
    """What it is, in one line."""
    clips: str
    """Clips per split."""
    size: str
    """Size on disk, media and decoded store."""
    recipe: Mapping[str, object]
    """Dotted spec keys that override a method's own defaults on this data set; `config.*` keys concern
    the methods whose configuration has the field."""
    fingerprint: Callable[[], str]
    """Changes when the annotation files or the generated world change."""
    ready: Callable[[], bool]
    """Whether the media lie on disk."""
    load: Callable[[Progress, int], Dataset]
    """Reads it, with so many worker processes where it must be made first."""
