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
from core.datasets.transcripts import speech_in_words
from core.datasets.tree import annotation_digest
from core.encoders.released_states import read_tensor
from core.errors import BenchError
from core.media.demuxing import NO_FILM
from core.media.describing import PictureFacts, describe_picture, describe_sound
from core.media.listening import Heard, listen
from core.media.sound_source import StatesFile
from core.media.states import FileState, States, joined_states
from core.media.waveform import no_sound
from core.progress import Progress
from core.store.decoding import each_clip, reason_of
from core.store.reading import culprit
from core.workers import LostItem

MediaState = Literal[
    "audible", "shorter sound", "silent", "no track", "bad sound", "no moving picture", "undecodable"
]
"""`audible`: a track as long as the picture, or states that can be read; `shorter sound`: it ends before the
picture; `silent`: digital silence, found by decoding the whole track; `bad sound`: a track that yields no
sample, or a file without states; `no moving picture`: a file of sound with a cover; `undecodable`: a file
without a frame that decodes, whatever its sound."""

STATES: tuple[MediaState, ...] = get_args(MediaState)
SOUND_STATES: Mapping[str, MediaState] = {
    "with-track": "audible",
    "shorter": "shorter sound",
    "silent": "silent",
    "none": "no track",
    "undecodable": "bad sound",
}
UNUSABLE = ("missing", "ambiguous", "undecodable", "no moving picture")
"""Problems of which a video has no picture."""
FAULTS: tuple[FileState, ...] = get_args(FileState)


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
    faults: Mapping[FileState, int] | None = None
    """Videos by what is wrong with their file although it decodes; one may be counted several times."""


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
        return not any(self.problems.get(kind) for kind in UNUSABLE)


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
    for video, verdict in (states or {}).items():
        if verdict.state != "audible":
            problems.setdefault(verdict.state, {})[video] = verdict.reason
        for fault, reason in verdict.faults.items():
            problems.setdefault(fault, {})[video] = reason
    spoken = found.speech
    said = {} if spoken is None else {"speech": speech_in_words(len(spoken), len(listing.videos))}
    return Check(
        name=data.name,
        files={path.name: annotation_digest(path) for path in listing.files},
        options=options.model_dump(mode="json"),
        protocol={**listing.protocol, **found.left, "sound": sound_in_words(splits), **said},
        splits=[
            counted(
                name,
                expected_counts(listing.expected, name),
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


@dataclass(frozen=True)
class MediaVerdict:
    """What became of a video's file."""

    state: MediaState
    reason: str = ""
    faults: States = field(default_factory=dict)
    """What is wrong although it decodes."""


def probe(videos: Sequence[Video], workers: int, progress: Progress) -> dict[str, MediaVerdict]:
    """The verdict on every video's file.

    Of a file that crashes FFmpeg picture and sound are tried one by one: it may be one of them alone.
    """
    found: dict[str, MediaVerdict] = {}
    with progress.task("opening files", len(videos)) as advance:
        lost = []
        for video, verdict in each_clip(media_verdict, videos, workers):
            if isinstance(verdict, LostItem):
                lost.append(video)
            else:
                found[video.id] = verdict
                advance(1, "")
        sounds = {video.id: heard for video, heard in each_clip(heard_of, lost, workers)}
        for video, picture in each_clip(picture_of, lost, workers):
            found[video.id] = apart(video, picture, sounds[video.id])
            advance(1, "")
    return {video.id: found[video.id] for video in videos}


def heard_of(video: Video) -> Heard:
    """The sound of a video (within its window)."""
    return listen(video.path, video.sound, (video.start, video.end))


def picture_of(video: Video) -> PictureFacts:
    """What the picture of a video's file is, whatever its sound."""
    return describe_picture(video.path, (video.start, video.end), 0.0)


def media_verdict(video: Video) -> MediaVerdict:
    """The verdict on one video's file (within its window)."""
    heard, window = heard_of(video), (video.start, video.end)
    return verdict_on(video, describe_picture(video.path, window, heard.sound.end), heard)


def apart(video: Video, picture: PictureFacts | LostItem, heard: Heard | LostItem) -> MediaVerdict:
    """The verdict on a video whose picture and sound were tried one by one."""
    if isinstance(picture, LostItem):
        return MediaVerdict("undecodable", reason_of(picture))
    if isinstance(heard, LostItem):
        heard = Heard(no_sound("undecodable", culprit(video.sound) + reason_of(heard)))
    return verdict_on(video, picture, heard)


def verdict_on(video: Video, picture: PictureFacts, heard: Heard) -> MediaVerdict:
    """The verdict on a video of whose file so much is known."""
    if not picture.decodable:
        no_film = picture.reason.startswith(NO_FILM)
        return MediaVerdict("no moving picture" if no_film else "undecodable", picture.reason)
    if isinstance(video.sound, StatesFile):
        try:
            read_tensor(video.sound.path)
        except BenchError as error:
            return MediaVerdict("bad sound", str(error), picture.states)
        return MediaVerdict("audible", "", picture.states)
    sound = describe_sound(heard, picture, (video.start, video.end))
    return MediaVerdict(SOUND_STATES[sound.state], sound.reason, joined_states(picture.states, sound.states))


def counted(
    name: str,
    expected: str,
    videos: Sequence[str],
    captions: int,
    found: Survey,
    states: Mapping[str, MediaVerdict] | None,
) -> SplitCheck:
    """The counts of the videos of a split; `states` is what `probe` returns."""
    counts, faults = None, None
    if states is not None:
        verdicts = [states[video] for video in videos if video in states]
        seen = Counter(verdict.state for verdict in verdicts)
        counts = {state: seen[state] for state in STATES}
        wrong = Counter(fault for verdict in verdicts for fault in verdict.faults)
        faults = {fault: wrong[fault] for fault in FAULTS}
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
        faults=faults,
    )


def expected_counts(expected: Mapping[str, tuple[int | None, int | None]], split: str) -> str:
    """The expected counts of a split, or of the splits that it is counted with."""
    for names, (videos, captions) in expected.items():
        if split in names.split(" + "):
            counts = [
                f"{count:,} {what}" for count, what in ((videos, "videos"), (captions, "captions")) if count
            ]
            return " · ".join(counts) + (f" ({names})" if names != split else "")
    return ""
