"""What a data set holds more than once: files with the same bytes, captions with the same words.

A test clip that is in train too has been seen with a caption; one that is in test twice costs a query its
first rank. Files are compared byte by byte where their sizes agree; windows of one film are no copies.
"""

import os
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from itertools import chain, combinations
from pathlib import Path

from core.dataset import Split, Video
from core.datasets.fields import shown
from core.datasets.tree import annotation_digest

HEAD_BYTES = 1 << 16
"""Bytes of two files that are compared before all of them are."""

Item = tuple[Hashable, str]
"""What makes two clips or captions the same, and how one of them is called."""


@dataclass(frozen=True)
class Repeated:
    """Clips or captions of a split that another one has too, or that it has several times."""

    what: str
    """`clips` or `captions`."""
    split: str
    """The split whose clips or captions are counted."""
    also_in: str
    """The split that has them too; the same one where it has them several times."""
    count: int
    """How many of them."""
    of: int
    """Clips or captions of the split."""
    example: str
    """The first of them, and what it is the same as where that is called otherwise."""

    def in_words(self) -> str:
        """The counts as a line."""
        same = "byte-identical" if self.what == "clips" else "identical"
        counts = f"{self.count:,} of {self.of:,} {self.split} {self.what}"
        if self.split == self.also_in:
            return f"{counts} are {same} with each other; first: {self.example}"
        return f"{counts} are {same} with {self.what} of {self.also_in}; first: {self.example}"


def repeated(splits: Mapping[str, Split]) -> list[Repeated]:
    """All that two splits share, or one has twice: clips, then captions.

    Captions are compared as the text towers read them, without regard to case and blanks. Across splits the
    words count alone; within a split a caption comes twice where its video has it twice.
    """
    words = {
        name: [
            (plain_caption(text), video)
            for text, video in zip(split.captions, split.video_of_caption, strict=True)
        ]
        for name, split in splits.items()
    }
    texts = {name: [(text, shown(text)) for text, _ in pairs] for name, pairs in words.items()}
    rows = {name: [(pair, shown(pair[0])) for pair in pairs] for name, pairs in words.items()}
    return [*repeated_clips(splits), *shared("captions", texts), *several("captions", rows)]


def plain_caption(text: str) -> str:
    """A caption without what no reader would notice: case, and blanks but single ones."""
    return " ".join(text.casefold().split())


def repeated_clips(splits: Mapping[str, Split]) -> list[Repeated]:
    """Clips whose files are the same bytes, across splits and within each."""
    videos = {
        name: [video for place, video in enumerate(split.videos) if place not in split.absent]
        for name, split in splits.items()
    }
    first = copied_files(list(chain.from_iterable(videos.values())))
    clips = {name: [(first.get(v.id, v.id), v.id) for v in found] for name, found in videos.items()}
    return [*shared("clips", clips), *several("clips", clips)]


def shared(what: str, splits: Mapping[str, Sequence[Item]]) -> Iterator[Repeated]:
    """What each split has that one before it has too."""
    for other, split in combinations(splits, 2):
        theirs = dict(reversed(splits[other]))
        found = [(name, theirs[key]) for key, name in splits[split] if key in theirs]
        if found:
            name, twin = found[0]
            example = name if name == twin else f"{name} = {twin}"
            yield Repeated(what, split, other, len(found), len(splits[split]), example)


def several(what: str, splits: Mapping[str, Sequence[Item]]) -> Iterator[Repeated]:
    """What a split has several times."""
    for split, items in splits.items():
        counts = Counter(key for key, _ in items)
        found = [(key, name) for key, name in items if counts[key] > 1]
        if found:
            example = " = ".join(dict.fromkeys(name for key, name in found if key == found[0][0]))
            yield Repeated(what, split, split, len(found), len(items), example)


def copied_files(videos: Sequence[Video]) -> dict[str, str]:
    """The videos whose files are the same bytes as another one's -> the first of those."""
    groups = [[video for video in videos if os.path.getsize(video.path)]]
    for key in (size_and_window, head_of, content_of):
        groups = [alike for group in groups for alike in videos_by(group, key) if len(alike) > 1]
    return {video.id: alike[0].id for alike in groups for video in alike}


def videos_by(videos: Sequence[Video], key: Callable[[Video], Hashable]) -> list[list[Video]]:
    """The videos by what a function says of them."""
    groups: dict[Hashable, list[Video]] = {}
    for video in videos:
        groups.setdefault(key(video), []).append(video)
    return list(groups.values())


def size_and_window(video: Video) -> Hashable:
    """The size of a video's file in bytes, and which part of it the video is."""
    return os.path.getsize(video.path), video.start, video.end


def head_of(video: Video) -> Hashable:
    """The first bytes of a video's file."""
    with video.path.open("rb") as file:
        return sha256(file.read(HEAD_BYTES)).digest()


def content_of(video: Video) -> Hashable:
    """All bytes of a video's file, as a digest that is kept until the file changes."""
    state = video.path.stat()
    return _digest(video.path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=4096)
def _digest(path: Path, size: int, modified: int) -> str:
    return annotation_digest(path)
