"""A data set that a user has on disk: its annotation files read, its videos found, its protocol named."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from hashlib import sha256
from itertools import combinations
from typing import Any

from core.data_options import DataOptions, KeptVideos
from core.dataset import Dataset, DatasetEntry, Split
from core.datasets.duplicates import Repeated, repeated_clips
from core.datasets.listing import Listing, split_of
from core.datasets.locate import Located, locate
from core.datasets.locations import Location, find_location, require_location
from core.datasets.missing import apply_missing_policy, mark_absent, part_of_split
from core.datasets.sounds import locate_sounds, sound_in_words
from core.datasets.speech import read_speech
from core.datasets.tree import Tree, annotation_digest
from core.errors import BenchError
from core.progress import Progress, Silent


@dataclass(frozen=True)
class RealDataset:
    """What is particular about one of them; the fields that `DatasetEntry` has too are described there."""

    name: str
    about: str
    clips: str
    size: str
    source: str
    layout: str
    options: type[DataOptions]
    read: Callable[[Tree, Any], Listing]
    """Reads the annotation files under a folder; takes an instance of `options`."""

    @cached_property
    def entry(self) -> DatasetEntry:
        """What the registry knows of it."""
        return DatasetEntry(
            name=self.name,
            about=self.about,
            clips=self.clips,
            size=self.size,
            recipe={},
            fingerprint=partial(fingerprint, self),
            ready=partial(is_placed, self.name),
            load=partial(load, self),
            options=self.options,
            splits=partial(listed_splits, self),
            source=self.source,
            layout=self.layout,
        )


@dataclass(frozen=True)
class Survey:
    """What a data set's annotation files list, and where that lies."""

    listing: Listing
    """What the annotation files say."""
    videos: Located
    """Where the listed videos lie."""
    sounds: Located | None
    """Where their sound lies; None where it is in the videos."""
    speech: Mapping[str, str] | None = None
    """What is said in each video in which anything is; None where nobody has transcripts."""

    only: KeptVideos = "all"
    """Which of the videos count."""

    @cached_property
    def splits(self) -> dict[str, Split]:
        """The splits, videos without a file marked as absent; of the videos that count."""
        sounds = None if self.sounds is None else self.sounds.paths
        every = {
            name: split_of(rows, self.videos.paths, self.listing.end, sounds)
            for name, rows in self.listing.splits.items()
        }
        if self.only == "all":
            return every
        return {name: with_sound_file(split) for name, split in every.items()}

    @property
    def left(self) -> dict[str, str]:
        """What the protocol says of videos that do not count, e.g. "884 of 1,000 test"; nothing without."""
        if self.only == "all":
            return {}
        listed = {name: len({row.video for row in rows}) for name, rows in self.listing.splits.items()}
        counts = [f"{len(split.videos):,} of {listed[name]:,} {name}" for name, split in self.splits.items()]
        return {"only": f"{self.only}: {', '.join(counts)} videos are left"}

    @property
    def media_fingerprint(self) -> str:
        """64 hexadecimal digits over the names and sizes of all files that are decoded."""
        if self.sounds is None:
            return self.videos.fingerprint
        return sha256(f"{self.videos.fingerprint}\n{self.sounds.fingerprint}".encode()).hexdigest()


def survey(data: RealDataset, location: Location, options: DataOptions) -> Survey:
    """Reads the annotation files and looks for the listed videos and their sound.

    Raises `BenchError` for whatever is wrong with the files, a split without videos and a video in two, and
    as `locate_sounds` and `read_speech` do.
    """
    annotations = replace(Tree.walk(location.annotations), videos=location.videos)
    listing = data.read(annotations, options)
    listed = {name: {row.video for row in rows} for name, rows in listing.splits.items()}
    if empty := next((name for name, found in listed.items() if not found), None):
        read = ", ".join(path.name for path in listing.files)
        raise BenchError(f"{data.name}: nothing is listed for {empty} in {read}")
    for one, other in combinations(listed, 2):
        if shared := sorted(listed[one] & listed[other]):
            raise BenchError(
                f"{data.name}: {len(shared):,} videos are listed in {one} and in {other}; "
                f"first: {shared[0]}; take them out of one of the two"
            )
    speech = listing.speech
    if location.speech is not None:
        if speech is not None:
            note = f"{location.speech.name} counts in place of the transcripts in {listing.files[0].name}"
            listing = replace(listing, notes=(*listing.notes, note))
        speech = read_speech(location.speech, listing.videos)
    media = annotations if location.videos == location.annotations else Tree.walk(location.videos)
    videos = locate(listing.videos, listing.file_names, media.named, media.root)
    if location.audio is None:
        return require_sound_files(data, Survey(listing, videos, None, speech, options.only))
    folder = Tree.walk(location.audio, "--audio")
    sounds = locate_sounds(data.name, listing, videos.paths.values(), folder)
    return require_sound_files(data, Survey(listing, videos, sounds, speech, options.only))


def with_sound_file(split: Split) -> Split:
    """The split of the videos that have a file of sound, or of its states, apart from them."""
    sounds = [video.sound for video in split.videos]
    return part_of_split(split, [i for i, sound in enumerate(sounds) if sound not in ("none", "own track")])


def require_sound_files(data: RealDataset, found: Survey) -> Survey:
    """The same; raises `BenchError` where `data.only` leaves nothing of a split or has no files to go by."""
    if found.only != "all" and found.sounds is None:
        raise BenchError(
            f"{data.name}: data.only={found.only} keeps the videos whose sound is in a file apart from them; "
            "name the folder of these files with --audio"
        )
    if empty := next((name for name, split in found.splits.items() if not split.videos), None):
        raise BenchError(
            f"{data.name}: data.only={found.only} leaves no {empty} video; name the right folder with --audio"
        )
    return found


def load(data: RealDataset, progress: Progress, workers: int, options: DataOptions) -> Dataset:
    """The data set as it lies on this machine, videos without a file marked as absent.

    Raises `BenchError` where its place is not known, its files are bad, or videos lack a file and
    `options.missing` is `fail`.
    """
    found = survey(data, require_location(data.name), options)
    splits = found.splits
    files = {path.name: annotation_digest(path) for path in found.listing.files}
    read = [f"{name} {value}" for name, value in files.items()]
    read += [] if options.only == "all" else [f"only {options.only}"]
    dataset = Dataset(
        name=data.name,
        fingerprint=sha256(
            "\n".join(read if found.sounds is None else [*read, "sound apart from the videos"]).encode()
        ).hexdigest(),
        media_fingerprint=found.media_fingerprint,
        splits=splits,
        protocol={
            **found.listing.protocol,
            **found.left,
            "captions per video": captions_per_video(splits),
            "sound": sound_in_words(splits),
            **seen_in_training(repeated_clips(splits)),
        },
        files=files,
        notes=(*found.listing.notes, *found.left.values()),
        speech=found.speech,
    )
    counted = {video.id for split in splits.values() for video in split.videos}
    lost = {video: reason for video, reason in found.videos.reasons.items() if video in counted}
    return mark_absent(dataset, lost, options.missing)


def listed_splits(data: RealDataset, options: DataOptions) -> Collection[str] | None:
    """See `DatasetEntry.splits`; None where nobody has said where the data set lies."""
    location = find_location(data.name)
    return None if location is None else survey(data, location, options).listing.splits


def fingerprint(data: RealDataset, options: DataOptions) -> str | None:
    """See `DatasetEntry.fingerprint`."""
    if find_location(data.name) is None:
        return None
    return apply_missing_policy(load(data, Silent(), 1, options), options.missing).fingerprint


def is_placed(name: str) -> bool:
    """Whether the place of a data set is known and there."""
    location = find_location(name)
    if location is None or not location.annotations.exists():
        return False
    return location.videos.is_dir() and (location.audio is None or location.audio.is_dir())


def seen_in_training(repeated: Sequence[Repeated]) -> dict[str, str]:
    """What the protocol says where clips that are scored are in train too; nothing where none is."""
    seen = [found.in_words() for found in repeated if found.also_in == "train" != found.split]
    return {"clips seen in training": "; ".join(seen)} if seen else {}


def captions_per_video(splits: Mapping[str, Split]) -> str:
    """The fewest and the most captions of a video in each split, e.g. "train 20, test 1"."""
    parts = []
    for name, split in splits.items():
        counts = [0] * len(split.videos)
        for video in split.video_of_caption:
            counts[video] += 1
        low, high = min(counts), max(counts)
        parts.append(f"{name} {low}" if low == high else f"{name} {low} to {high}")
    return ", ".join(parts)
