"""What a run's splits hold once its clips are decoded, and which captions are cut: in words, with names."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from core.dataset import Dataset, Split
from core.encoders.clip import ClipBackbone
from core.examples import first_names
from core.media.sound_source import StatesFile
from core.media.states import EARLY_SECONDS
from core.retriever import SplitData
from core.store.jpeg import jpeg_in_words
from core.store.storage import Store

STORE_STATES = {"silent": "silent", "no-track": "no track", "undecodable": "bad sound"}
"""Status of a sound -> what its clip is called, as in `bench data check`."""
CAPTION_SHOWN = 40
"""Letters of a caption by which it is recognised."""


@dataclass(frozen=True)
class Cut:
    """Captions of a split that are longer than is read."""

    captions: Sequence[tuple[str, str]]
    """The video's name and the caption, of each."""
    of: int
    """Captions of the split, those of absent videos included."""

    def in_words(self, split: str) -> str:
        """How many and which, e.g. "2 of 1,000 test: video1 (a man is talking about ...); video7 (...)"."""
        shown = [
            (video, f"{' '.join(text.split())[:CAPTION_SHOWN].rstrip()} ...") for video, text in self.captions
        ]
        return f"{len(shown):,} of {self.of:,} {split}: {first_names(shown)}"


def cut_of_split(split: Split, rows: Collection[int]) -> Cut:
    """The captions of a split at the positions `rows`, which are cut."""
    found = [(split.videos[split.video_of_caption[row]].id, split.captions[row]) for row in rows]
    return Cut(found, len(split.captions))


def cut_captions(dataset: Dataset, clip: ClipBackbone, length: int | None) -> dict[str, Cut]:
    """The captions of each split that have more tokens than are read."""
    found = {}
    for name, split in dataset.splits.items():
        cut = clip.tokens_and_cuts(split.captions, length or clip.context)[1]
        found[name] = cut_of_split(split, cut.nonzero()[:, 0].tolist())
    return found


def without_lost(cut: Mapping[str, Cut], dataset: Dataset) -> dict[str, Cut]:
    """The cut captions that a data set still has, of those that it had before some videos left it."""
    found = {}
    for name, split in dataset.splits.items():
        left = {video.id for video in split.videos}
        kept = [pair for pair in cut[name].captions if pair[0] in left]
        found[name] = replace(cut[name], captions=kept, of=len(split.captions))
    return found


def cut_in_words(cut: Mapping[str, Cut]) -> str:
    """Which captions of each split are cut; nothing where none is."""
    return ", ".join(found.in_words(split) for split, found in cut.items() if found.captions)


def cut_of(data: Mapping[str, SplitData]) -> dict[str, Cut]:
    """The captions of each split that have more tokens than are read."""
    return {name: cut_of_split(found.split, found.cut) for name, found in data.items()}


def by_state(dataset: Dataset, store: Store) -> dict[str, dict[str, str]]:
    """State -> the data set's clips in it by name, with the reason."""
    row_of = {name: row for row, name in enumerate(store.ids)}
    found: dict[str, dict[str, str]] = {}
    for video in dataset.videos:
        row = row_of[video.id]
        for state, _, reason in (text.partition(": ") for text in store.states[row]):
            found.setdefault(state, {})[video.id] = reason
        early = float(store.duration[row] - store.sound_ends[row])
        if isinstance(video.sound, StatesFile):
            continue
        if name := STORE_STATES.get(store.status[row]):
            found.setdefault(name, {})[video.id] = store.reason[row]
        elif early > EARLY_SECONDS:
            found.setdefault("shorter sound", {})[video.id] = f"ends {early:.1f} s before the picture"
    return found


def pictures_kept(store: Store) -> dict[str, str]:
    """What the way in which a store keeps its frames costs, for the protocol; nothing where they are raw."""
    return {} if store.jpeg_error is None else {"pictures kept": jpeg_in_words(store.jpeg_error)}


def states_in_words(dataset: Dataset, store: Store) -> dict[str, str]:
    """State -> how many clips are in it, and which."""
    return {
        state: f"{len(clips):,}: {first_names(list(clips.items()))}"
        for state, clips in by_state(dataset, store).items()
    }


def with_states(dataset: Dataset, store: Store) -> Dataset:
    """The data set whose protocol says which clips are in a state, e.g. `clips silent`: "2: a (...); b"."""
    states = {f"clips {state}": found for state, found in states_in_words(dataset, store).items()}
    return replace(dataset, protocol={**dataset.protocol, **states}) if states else dataset


def counts_in_words(dataset: Dataset) -> str:
    """Videos and captions of each split."""
    return " · ".join(
        f"{name} {len(split.videos):,} videos, {len(split.captions):,} captions"
        for name, split in dataset.splits.items()
    )


def contents_in_words(name: str, dataset: Dataset, store: Store) -> Iterator[str]:
    """What the splits hold, line by line."""
    states = states_in_words(dataset, store)
    whole = "; no file is missing" if "bad sound" not in states else ""
    lost = dataset.protocol.get("missing")
    yield f"{name} holds {counts_in_words(dataset)}{f'; {lost}' if lost else whole}"
    for state, clips in states.items():
        count, _, names = clips.partition(": ")
        yield f"{name}: {count} {state}: {names}"
