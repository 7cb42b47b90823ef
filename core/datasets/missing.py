"""Videos without a file that decodes: refused, counted as misses, or dropped; never passed over silently.

- `fail`: the first of them ends the command before anything is trained.
- `count-as-miss` (AVLnet's rule for its 32 clips without sound; Rouditchenko et al., Interspeech 2021): the
  video and its captions stand aside while everything else is scored. Then each of its captions joins the
  text-to-video queries with the last rank of the whole gallery, and the video joins the video-to-text
  queries with the last rank of all caption groups, under every tie policy. Galleries and queries keep their
  full counts; an absent video never outranks another. `core.evaluation.misses` does it.
- `drop`: the videos and their captions leave the split. Galleries and queries shrink, the protocol says by
  how many, and the fingerprint of the data set changes, so no table sets it beside the whole data set.

Absent training videos are left out of training under both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from core.data_options import MissingPolicy
from core.dataset import Dataset, Split
from core.errors import BenchError
from core.examples import first_names


def mark_absent(dataset: Dataset, reasons: Mapping[str, str], policy: MissingPolicy) -> Dataset:
    """The data set with the videos of `reasons` (name -> why they cannot be used) marked as absent.

    Raises `BenchError` under `fail`, and where nothing of a split is left.
    """
    if not reasons:
        return dataset
    marked = {name: _marked(split, reasons) for name, split in dataset.splits.items()}
    result = replace(dataset, splits=marked, lost={**dataset.lost, **reasons})
    if policy == "fail":
        remedy = "name the right folder with bench data add, or pass --missing count-as-miss or drop to go on"
        raise BenchError(f"{dataset.name}: {absence(result)}; first: {_first(result, reasons)}; {remedy}")
    for name, split in marked.items():
        if len(split.absent) == len(split.videos):
            raise BenchError(
                f"{dataset.name}: none of the {len(split.videos):,} {name} videos can be used; "
                f"first: {_first(result, reasons)}; name the right folder with bench data add"
            )
    return result


def apply_missing_policy(dataset: Dataset, policy: MissingPolicy) -> Dataset:
    """The data set as it is trained on and scored, its absent videos counted or dropped."""
    lost = absence(dataset)
    if not lost:
        return dataset
    names = [split.videos[i].id for split in dataset.splits.values() for i in sorted(split.absent)]
    which = first_names([(name, dataset.lost.get(name, "")) for name in names])
    if policy == "count-as-miss":
        how = "their queries rank last, they are not trained on"
        return replace(dataset, protocol={**dataset.protocol, "missing": f"{policy}: {lost}, {how}: {which}"})
    how = "they and their captions are left out"
    return replace(
        dataset,
        fingerprint=sha256("\n".join((dataset.fingerprint, *names)).encode()).hexdigest(),
        splits={name: dropped(split) for name, split in dataset.splits.items()},
        protocol={**dataset.protocol, "missing": f"{policy}: {lost}, {how}: {which}"},
    )


def absence(dataset: Dataset) -> str:
    """How many videos of each split are absent, e.g. "37 of 1,000 test videos cannot be used"; or nothing."""
    counts = [
        f"{len(split.absent):,} of {len(split.videos):,} {name}"
        for name, split in dataset.splits.items()
        if split.absent
    ]
    return f"{' and '.join(counts)} videos cannot be used" if counts else ""


def dropped(split: Split) -> Split:
    """The split without its absent videos and their captions."""
    return part_of_split(split, [i for i in range(len(split.videos)) if i not in split.absent])


def part_of_split(split: Split, kept: Sequence[int]) -> Split:
    """The split of the videos at some positions, with their captions."""
    position = {old: new for new, old in enumerate(kept)}
    rows = [row for row, video in enumerate(split.video_of_caption) if video in position]
    return Split(
        videos=tuple(split.videos[i] for i in kept),
        captions=tuple(split.captions[row] for row in rows),
        video_of_caption=tuple(position[split.video_of_caption[row]] for row in rows),
        truth=None if split.truth is None else tuple(split.truth[i] for i in kept),
        absent=frozenset(position[i] for i in split.absent if i in position),
        distractors=sum(i >= len(split.videos) - split.distractors for i in kept),
    )


def _marked(split: Split, reasons: Mapping[str, str]) -> Split:
    lost = {position for position, video in enumerate(split.videos) if video.id in reasons}
    return replace(split, absent=split.absent | lost)


def _first(dataset: Dataset, reasons: Mapping[str, str]) -> str:
    """The first video of `reasons`, those of a test before the others, and why it cannot be used."""
    order = sorted(dataset.splits, key=lambda name: not name.startswith("test"))
    names = (
        split.videos[i].id for split in map(dataset.splits.__getitem__, order) for i in sorted(split.absent)
    )
    name = next(name for name in names if name in reasons)
    return f"{name} ({reasons[name]})"
