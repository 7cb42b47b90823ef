"""What of a scored split is in the training split too: captions, files, decoded frames."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

from core.dataset import Dataset, Split, Video
from core.datasets.duplicates import copied_files, plain_caption
from core.store.storage import Store


@dataclass(frozen=True)
class Copies:
    """Counts of the scored split; each with the name of one, empty where there is none."""

    captions: int
    """Captions that the training split has word for word, whatever their case and blanks."""
    caption: str
    files: int
    """Videos whose file has the bytes of a training file and, of a long one, the same window."""
    file: str
    clips: int
    """Videos whose decoded frames are those of a training video."""
    clip: str
    videos: int
    """Scored videos."""
    queries: int
    """Scored captions."""


def shared_with_train(dataset: Dataset, store: Store, name: str) -> Copies:
    """What the split of that name shares with `train`; nothing where it is `train`, or there is none."""
    scored = dataset.splits[name]
    train = Split((), (), ()) if name == "train" else dataset.splits.get("train", Split((), (), ()))
    known = {plain_caption(caption) for caption in train.captions}
    captions = [caption for caption in scored.captions if plain_caption(caption) in known]
    files, clips = same_files(present(train), present(scored)), same_frames(train, scored, store)
    first = [next(iter(found), "") for found in (captions, files, clips)]
    return Copies(
        len(captions),
        first[0],
        len(files),
        first[1],
        len(clips),
        first[2],
        len(scored.videos),
        len(scored.captions),
    )


def present(split: Split) -> list[Video]:
    """The videos that have a file."""
    return [video for position, video in enumerate(split.videos) if position not in split.absent]


def same_files(train: Sequence[Video], scored: Sequence[Video]) -> list[str]:
    """Names of scored videos whose bytes, and window, are those of a training video."""
    first, known = copied_files([*train, *scored]), {video.id for video in train}
    return [video.id for video in scored if first.get(video.id) in known]


def same_frames(train: Split, scored: Split, store: Store) -> list[str]:
    """Names of scored videos whose frames in the store are those of a training video.

    The middle frame says which to compare as wholes.
    """
    row_of = {name: row for row, name in enumerate(store.ids)}
    middle = store.settings.frames // 2
    seen: defaultdict[int, list[int]] = defaultdict(list)
    for video in present(train):
        row = row_of[video.id]
        seen[crc32(store.frames(row)[middle].tobytes())].append(row)
    found = []
    for video in present(scored):
        frames = store.frames(row_of[video.id])
        rivals = seen.get(crc32(frames[middle].tobytes()), ())
        if any((store.frames(row) == frames).all() for row in rivals):
            found.append(video.id)
    return found
