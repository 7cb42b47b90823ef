"""What a run's splits hold once its clips are decoded: said before it starts, and kept with its results."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from core.dataset import Dataset
from core.encoders.clip import ClipBackbone
from core.retriever import SplitData
from core.store.storage import Store

SHOWN = 10
"""Clips of a state that are named."""
SOUND_LINES = {"silent": "silent", "undecodable": "sound does not decode"}
"""Status of a sound -> what its clip is called."""


def by_state(dataset: Dataset, store: Store) -> dict[str, dict[str, str]]:
    """State -> the data set's clips in it by name, with the reason."""
    row_of = {name: row for row, name in enumerate(store.ids)}
    found: dict[str, dict[str, str]] = {}
    for video in dataset.videos:
        row = row_of[video.id]
        for state, _, reason in (text.partition(": ") for text in store.states[row]):
            found.setdefault(state, {})[video.id] = reason
        if name := SOUND_LINES.get(store.status[row]):
            found.setdefault(name, {})[video.id] = store.reason[row]
    return found


def with_states(dataset: Dataset, store: Store) -> Dataset:
    """The data set whose protocol counts the clips that are in a state, e.g. "2 silent, 1 damaged"."""
    states = by_state(dataset, store)
    if not states:
        return dataset
    counts = ", ".join(f"{len(clips):,} {state}" for state, clips in states.items())
    return replace(dataset, protocol={**dataset.protocol, "clips": counts})


def cut_captions(dataset: Dataset, clip: ClipBackbone, length: int | None) -> dict[str, int]:
    """Captions of each split that are longer than is read."""
    return {
        name: clip.tokens_and_cuts(split.captions, length or clip.context)[1]
        for name, split in dataset.splits.items()
    }


def contents_in_words(name: str, dataset: Dataset, store: Store, cut: Mapping[str, int]) -> Iterator[str]:
    """What the splits hold, line by line."""
    counts = " · ".join(
        f"{split} {len(found.videos):,} videos, {len(found.captions):,} captions"
        for split, found in dataset.splits.items()
    )
    lost = dataset.protocol.get("missing")
    yield f"{name} holds {counts}; {lost or 'no file is missing'}"
    for state, clips in by_state(dataset, store).items():
        shown = [f"{clip} ({reason})" for clip, reason in list(clips.items())[:SHOWN]]
        more = f" and {len(clips) - SHOWN:,} more" if len(clips) > SHOWN else ""
        yield f"{name}: {len(clips):,} {state}: {'; '.join(shown)}{more}"
    totals = {split: len(found.captions) for split, found in dataset.splits.items()}
    if any(cut.values()):
        words = ", ".join(f"{count:,} of {totals[split]:,} {split}" for split, count in cut.items() if count)
        yield f"{name}: captions cut because they are longer than is read: {words}"


def cut_captions_line(data: Mapping[str, SplitData]) -> str:
    """How many captions of each split have more tokens than are read, e.g. "3 of 1,000 test"."""
    counts = [f"{split.cut:,} of {len(split.tokens):,} {name}" for name, split in data.items() if split.cut]
    return ", ".join(counts) or "none"
