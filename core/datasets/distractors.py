"""Videos that join a gallery and answer no query: another data set's, or those of a folder."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from core.dataset import Dataset, Split, Truth, Video
from core.datasets import find_dataset, load_dataset
from core.datasets.media_folder import videos_in
from core.errors import BenchError
from core.progress import Progress


def with_distractors(
    dataset: Dataset, name: str, splits: Sequence[str], progress: Progress, workers: int
) -> Dataset:
    """The data set whose `splits` have the videos of a data set or folder `name` in their galleries too.

    Of the data set itself the videos of its other splits join. Raises `BenchError` where there are none.
    """
    others, files = distractors_named(dataset, name, progress, workers)
    found: dict[str, Split] = {}
    for split in splits:
        if split not in dataset.splits:
            continue  # the cell is refused for it
        own = {video.id for video in dataset.splits[split].videos}
        joined = [video for video in others if video.id not in own]
        if not joined:
            raise BenchError(f"{name} has no video beside those of {split}; name other distractors")
        whole = dataset.splits[split]
        truth = None if whole.truth is None else (*whole.truth, *(Truth("", ()) for _ in joined))
        videos = (*whole.videos, *joined)
        found[split] = replace(whole, videos=videos, truth=truth, distractors=len(joined))
    text = "\n".join((dataset.fingerprint, name, files, *(video.id for video in others)))
    joined_to = {**dataset.splits, **found}
    return replace(
        dataset,
        splits=joined_to,
        fingerprint=sha256(text.encode()).hexdigest(),
        media_fingerprint=sha256(f"{dataset.media_fingerprint}\n{files}".encode()).hexdigest(),
        protocol={**dataset.protocol, "distractors": distractors_in_words(name, joined_to)},
    )


def distractors_in_words(name: str, splits: Mapping[str, Split]) -> str:
    """Where they come from and how many join each split."""
    counts = (f"{split.distractors:,} in {key}" for key, split in splits.items() if split.distractors)
    return f"{name}: {', '.join(counts)}"


def distractors_named(
    dataset: Dataset, name: str, progress: Progress, workers: int
) -> tuple[list[Video], str]:
    """The videos of a data set, or of a folder, under names that no video of `dataset` has, and a digest."""
    if "/" in name or Path(name).is_dir():
        videos, _ = videos_in(Path(name), "--distractors")
        files = "\n".join(f"{video.id} {video.path.stat().st_size}" for video in videos)
    elif find_dataset(name).name == dataset.name:
        return dataset.videos, dataset.media_fingerprint
    else:
        other = load_dataset(name, progress, workers=workers, options={"missing": "drop"})
        videos, files = other.videos, other.media_fingerprint
    return [replace(video, id=f"{name}/{video.id}") for video in videos], files


def without_unusable(dataset: Dataset, name: str | None, unusable: Collection[str]) -> Dataset:
    """The data set without the distractors `name` among the videos `unusable`: nobody misses them."""
    splits = {key: without_videos(split, set(unusable)) for key, split in dataset.splits.items()}
    lost = max(dataset.splits[key].distractors - split.distractors for key, split in splits.items())
    if name is None or not lost:
        return dataset
    said = f"{distractors_in_words(name, splits)}; {lost:,} left out that did not decode"
    return replace(dataset, splits=splits, protocol={**dataset.protocol, "distractors": said})


def without_videos(split: Split, unusable: set[str]) -> Split:
    """A split without those of its distractors that are `unusable`."""
    first = len(split.videos) - split.distractors
    kept = [video for video in split.videos[first:] if video.id not in unusable]
    truth = None if split.truth is None else split.truth[: first + len(kept)]
    return replace(split, videos=(*split.videos[:first], *kept), truth=truth, distractors=len(kept))
