"""What of a data set lies on this machine, and in which state: the facts behind `bench data check`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from core.data_options import DataOptions
from core.dataset import Video
from core.datasets.duplicates import Repeated, repeated
from core.datasets.locations import Location
from core.datasets.real import RealDataset, Survey, survey
from core.datasets.sounds import sound_in_words
from core.datasets.tree import annotation_digest
from core.encoders.released_states import read_tensor
from core.errors import BenchError
from core.media.describing import describe
from core.media.sound_source import StatesFile
from core.progress import Progress
from core.store.decoding import each_clip, reason_of
from core.workers import Lost

MediaState = Literal["audible", "shorter sound", "silent", "no track", "bad sound", "undecodable"]
"""`audible`: a track as long as the picture, or states that can be read; `shorter sound`: it ends before the
picture; `silent`: digital silence, found by decoding the whole track; `bad sound`: a track that yields no
sample, or a file without states; `undecodable`: a file without a frame that decodes, whatever its sound."""

STATES: tuple[MediaState, ...] = get_args(MediaState)
SOUND_STATES: Mapping[str, MediaState] = {
    "with-track": "audible",
    "shorter": "shorter sound",
    "silent": "silent",
    "none": "no track",
    "undecodable": "bad sound",
}
EXAMPLES = 3
"""Problems of a kind that are shown by name."""


@dataclass(frozen=True)
class SplitCheck:
    """The counts of one split."""

    split: str
    """Its name, or `all`."""
    expected: str
    """Videos and captions of published copies, in words; empty where they are not known."""
    videos: int
    """That the annotation files list."""
    captions: int
    """That the annotation files list."""
    found: int
    """Videos with a file."""
    missing: int
    """Videos without one."""
    ambiguous: int
    """Videos with several files that fit."""
    sound_files: int | None
    """Videos with a sound file apart from them; None where sound is in the videos."""
    states: Mapping[MediaState, int] | None
    """Videos by the state of their file; None where no file was opened."""


@dataclass(frozen=True)
class Check:
    """What was found out about a data set."""

    name: str
    """The data set."""
    files: Mapping[str, str]
    """SHA-256 of each annotation file by its name."""
    options: Mapping[str, Any]
    """Its options, which decide what is looked for."""
    protocol: Mapping[str, str]
    """What else it adds to the protocol of a result."""
    splits: Sequence[SplitCheck]
    """Each split, in the order of the data set."""
    problems: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Kind of problem (`missing`, `ambiguous`, `without a sound file`, a media state other than `audible`) ->
    video -> reason."""
    notes: Sequence[str] = ()
    """How the annotation files were read: columns passed over, splits dealt out."""
    repeated: Sequence[Repeated] = ()
    """Clips and captions that several splits have, or one has several times."""

    @property
    def is_whole(self) -> bool:
        """Whether every listed video has one file with a picture."""
        return not any(self.problems.get(kind) for kind in ("missing", "ambiguous", "undecodable"))


def check_dataset(
    data: RealDataset,
    location: Location,
    options: DataOptions,
    *,
    quick: bool,
    workers: int,
    progress: Progress,
) -> Check:
    """Reads the annotation files, looks for every video, and, unless `quick`, opens and decodes each file.

    Raises `BenchError` where the annotation files cannot be used.
    """
    found = survey(data, location, options)
    located, sounds, listing, splits = found.videos, found.sounds, found.listing, found.splits
    videos = [video for split in splits.values() for video in split.videos if video.id in located.paths]
    states = None if quick else probe(videos, workers, progress)
    problems: dict[str, dict[str, str]] = {
        "missing": dict(located.missing),
        "ambiguous": dict(located.ambiguous),
        "without a sound file": {} if sounds is None else dict(sounds.missing),
    }
    for video, (state, reason) in (states or {}).items():
        if state != "audible":
            problems.setdefault(state, {})[video] = reason
    return Check(
        name=data.name,
        files={path.name: annotation_digest(path) for path in listing.files},
        options=options.model_dump(mode="json"),
        protocol={**listing.protocol, "sound": sound_in_words(splits)},
        splits=[
            counted(
                name,
                in_words(listing.expected, name),
                [v.id for v in split.videos],
                len(split.captions),
                found,
                states,
            )
            for name, split in splits.items()
        ],
        problems={kind: found for kind, found in problems.items() if found},
        notes=listing.notes,
        repeated=repeated(splits),
    )


def probe(videos: Sequence[Video], workers: int, progress: Progress) -> dict[str, tuple[MediaState, str]]:
    """The state of every video's file and the reason for it; a file that crashes FFmpeg is undecodable."""
    found: dict[str, tuple[MediaState, str]] = {}
    with progress.task("opening files", len(videos)) as advance:
        for video, state in each_clip(state_of, videos, workers):
            found[video.id] = ("undecodable", reason_of(state)) if isinstance(state, Lost) else state
            advance(1, "")
    return {video.id: found[video.id] for video in videos}


def state_of(video: Video) -> tuple[MediaState, str]:
    """The state of one video's file (within its window), and the reason for it."""
    description = describe(video.path, video.start, video.end, video.sound)
    if not description.picture.decodable:
        return "undecodable", description.picture.reason
    if isinstance(video.sound, StatesFile):
        try:
            read_tensor(video.sound.path)
        except BenchError as error:
            return "bad sound", str(error)
        return "audible", ""
    return SOUND_STATES[description.sound.state], description.sound.reason


def counted(
    name: str,
    expected: str,
    videos: Sequence[str],
    captions: int,
    found: Survey,
    states: Mapping[str, tuple[MediaState, str]] | None,
) -> SplitCheck:
    """The counts of the videos of a split; `states` is what `probe` returns."""
    counts = None
    if states is not None:
        seen = Counter(states[video][0] for video in videos if video in states)
        counts = {state: seen[state] for state in STATES}
    return SplitCheck(
        split=name,
        expected=expected,
        videos=len(videos),
        captions=captions,
        found=sum(video in found.videos.paths for video in videos),
        missing=sum(video in found.videos.missing for video in videos),
        ambiguous=sum(video in found.videos.ambiguous for video in videos),
        sound_files=None if found.sounds is None else sum(video in found.sounds.paths for video in videos),
        states=counts,
    )


def in_words(expected: Mapping[str, tuple[int | None, int | None]], split: str) -> str:
    """The expected counts of a split, or of the splits that it is counted with."""
    for names, (videos, captions) in expected.items():
        if split in names.split(" + "):
            counts = [
                f"{count:,} {what}" for count, what in ((videos, "videos"), (captions, "captions")) if count
            ]
            return " · ".join(counts) + (f" ({names})" if names != split else "")
    return ""
