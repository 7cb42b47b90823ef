"""What a dataset is to the engine: videos, captions, which caption belongs to which video."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from core.data_options import DataOptions
from core.media.sound_source import SoundSource, StatesFile
from core.progress import Progress

PIXELS_ONLY = "pixels only"
"""The observer of `Dataset.ceilings` that sees the pictures and hears nothing, where a data set has one."""


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
    """Clips of one group share their pixels, or most of them; intervals cluster by group. Empty: a group of
    its own."""
    sound: SoundSource = "own track"
    """Where its sound is read from; a file apart from the media file keeps the media file's clock."""


@dataclass(frozen=True)
class Truth:
    """What a generated world knows about a clip and real datasets do not."""

    stratum: str
    """What the clip is to show, e.g. why sound matters here: `needed`, `partial`, `irrelevant`, ...
    (`core.datasets.avworld.world`)."""
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
    absent: frozenset[int] = frozenset()
    """Positions of the videos without a file that decodes: nothing can be trained on or scored with them."""
    distractors: int = 0
    """How many of the last videos only enlarge the gallery: they have no caption."""

    def __post_init__(self) -> None:
        if len(self.captions) != len(self.video_of_caption):
            raise ValueError(
                f"{len(self.captions)} captions but {len(self.video_of_caption)} video positions"
            )
        if self.truth is not None and len(self.truth) != len(self.videos):
            raise ValueError(f"{len(self.videos)} videos but {len(self.truth)} truth records")

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits over videos, windows, groups, captions and pairing, all in their order.

        Two scores were measured on the same gallery and queries if and only if it is the same.
        """
        videos = [(video.id, video.start, video.end, video.group) for video in self.videos]
        content = (videos, self.captions, self.video_of_caption)
        return sha256(json.dumps(content).encode()).hexdigest()


@dataclass(frozen=True)
class Dataset:
    """A dataset as it lies on disk."""

    name: str
    fingerprint: str
    """Changes when the annotation files or the generated world change, and when videos are dropped."""
    media_fingerprint: str
    """Changes when the media files do; what is decoded from them is kept under it."""
    splits: Mapping[str, Split]
    """`train`, `val`, `test`, and further test sets by name."""
    protocol: Mapping[str, str] = field(default_factory=dict)
    """What names the protocol in a result: captions per video, paragraph rule, ..."""
    video_captions: Path | None = None
    """Its `captions.jsonl`, where it has one (see `core.store.video_captions`)."""
    speech: Mapping[str, str] | None = None
    """By the video's id what is said in it, a transcript of its own speech; None where nobody has any."""
    files: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of each annotation file by its name."""
    ceilings: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    """Split -> observer -> stratum (and `all`) -> text-to-video R@1 in points, where it can be known."""
    notes: Sequence[str] = ()
    """What a user should know of how the annotation files were read, in lines."""
    lost: Mapping[str, str] = field(default_factory=dict)
    """By the video's id why it cannot be used: videos that are absent, or that have been dropped."""

    @property
    def videos(self) -> list[Video]:
        """The videos of all splits that can be decoded, each once, by id: how they are split is no matter."""
        present = {
            video.id: video
            for split in self.splits.values()
            for position, video in enumerate(split.videos)
            if position not in split.absent
        }
        return [present[id] for id in sorted(present)]

    @property
    def audio_states(self) -> dict[str, Path] | None:
        """By the video's id the files that hold audio states in place of sound; None where none does."""
        found = {video.id: video.sound.path for video in self.videos if isinstance(video.sound, StatesFile)}
        return found or None


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
    fingerprint: Callable[[DataOptions], str | None]
    """That of the data set under some options; None where it has no place on this machine."""
    ready: Callable[[], bool]
    """Whether the media lie on disk."""
    load: Callable[[Progress, int, DataOptions], Dataset]
    """Reads it, with so many worker processes where it must be made first."""
    options: type[DataOptions] = DataOptions
    """What a run may choose about it."""
    splits: Callable[[DataOptions], Collection[str] | None] | None = None
    """Names of its splits, told while nothing is made or decoded; None where that is not known."""
    small: bool = False
    """Whether methods take the values that their fields declare for small worlds (`core.axes.SmallWorld`)."""
    has_truth: bool = False
    """Whether it is a generated world, which knows when sound matters and what its ceilings are."""
    source: str = ""
    """Where its owners offer it; empty for a generated world."""
    layout: str = ""
    """Which files go where in its folder; empty for a generated world."""
