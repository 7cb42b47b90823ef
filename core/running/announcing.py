"""What a run says before it starts: what its splits hold, each thing as soon as it is known.

The annotation files tell what is listed, what has no file and what is in two splits; the text tower which
captions are cut; the decoded clips what is wrong with them and what a policy leaves out.
"""

from collections.abc import Iterator, Mapping, Sequence

from core.dataset import Dataset
from core.datasets import find_dataset, load_dataset
from core.datasets.missing import absence
from core.encoders.clip import ClipBackbone
from core.errors import BenchError
from core.examples import first_names, in_lines
from core.progress import Progress, Silent
from core.running.cells import RunInputs
from core.running.contents import (
    Cut,
    contents_in_words,
    cut_captions,
    cut_in_words,
    without_lost,
)
from core.running.probing import probe_method
from core.running.side_inputs import side_lines
from core.spec import RunSpec


class Announcer:
    """Says what is to be said of the data of some cells; the same line once."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._said: set[str] = set()
        self._cut: dict[str, Mapping[str, Cut]] = {}

    def say(self, line: str) -> None:
        """Says a line, in several where it is long, unless it has been said before."""
        if line not in self._said:
            self._said.add(line)
            for part in in_lines(line):
                self._progress.say(part)

    def listed(self, specs: Sequence[RunSpec]) -> None:
        """Says of each data set that a user has on disk what its annotation files list, and what has no file.

        Of one that cannot be read it says nothing: preparing says why, for every cell that needs it.
        """
        for spec in {spec.data_key(): spec for spec in specs}.values():
            if not find_dataset(spec.dataset).layout:
                continue
            try:
                dataset = load_dataset(spec.dataset, Silent(), workers=1, options=spec.data)
            except BenchError:
                continue
            for line in listed_lines(spec, dataset):
                self.say(line)

    def known(self, spec: RunSpec, dataset: Dataset, clip: ClipBackbone) -> None:
        """Says which captions of a data set on disk are cut; nothing of it is decoded yet."""
        if find_dataset(spec.dataset).layout:
            if cut_key(spec) not in self._cut:
                self._cut[cut_key(spec)] = cut_captions(dataset, clip, spec.text_tokens)
            self._say_cut(spec, self._cut[cut_key(spec)])

    def decoded(self, spec: RunSpec, inputs: RunInputs) -> None:
        """Says what the decoded clips of a data set on disk turned out to be, and what is said in them.

        Where a policy has dropped captions that are cut, says again how many are left.
        """
        for line in side_lines(spec, inputs.features, probe_method(spec).needs):
            self.say(line)
        if find_dataset(spec.dataset).layout:
            for line in contents_in_words(spec.dataset, inputs.dataset, inputs.store):
                self.say(line)
            self._say_cut(spec, without_lost(self._cut[cut_key(spec)], inputs.dataset))

    def _say_cut(self, spec: RunSpec, cut: Mapping[str, Cut]) -> None:
        if words := cut_in_words(cut):
            self.say(f"{spec.dataset}: captions cut because they are longer than is read: {words}")


def cut_key(spec: RunSpec) -> str:
    """What two cells must agree in so that the same captions are cut."""
    towers = (spec.backbone, spec.checkpoint, spec.text_tokens)
    return str((spec.data_key(), towers, spec.trained_on, spec.evaluation.splits, spec.evaluation.qb_bank))


def listed_lines(spec: RunSpec, dataset: Dataset) -> Iterator[str]:
    """What the annotation files of a data set list, what has no file, and what they hold twice."""
    counts = " · ".join(f"{name} {len(split.videos):,}" for name, split in dataset.splits.items())
    yield f"{spec.dataset}: {counts}; sound: {dataset.protocol['sound']}"
    if lost := absence(dataset):
        yield f"{spec.dataset}: {lost} ({spec.data['missing']}): {first_names(list(dataset.lost.items()))}"
    for note in (*dataset.notes, dataset.protocol.get("clips seen in training")):
        if note:
            yield f"note: {spec.dataset}: {note}"
