"""What a cell's spec and its data set's annotation files tell, checked before a clip is decoded."""

from dataclasses import replace

import torch

from core.dataset import Dataset, Split
from core.datasets import load_dataset
from core.datasets.distractors import with_distractors
from core.datasets.missing import dropped
from core.encoders.audio import AudioEncoder
from core.encoders.clip import ClipBackbone
from core.evaluation.split_scores import check_budget
from core.method import Dimensions, made
from core.progress import Progress
from core.registry import find_method
from core.running.needed_splits import require_splits
from core.running.probing import require_memory
from core.spec import RunSpec
from core.training.loading import require_batch


def listed_dataset(spec: RunSpec, progress: Progress, workers: int) -> Dataset:
    """The data set of a cell as its annotation files list it, with the distractors that join it."""
    dataset = load_dataset(spec.dataset, progress, workers=workers, options=spec.data)
    scored = spec.evaluation
    if spec.trained_on not in (None, spec.dataset):  # nothing trains: what is not scored is not decoded
        names = {*scored.splits, *([scored.qb_bank] if "qb-norm" in scored.rescoring else [])}
        dataset = replace(dataset, splits={n: s for n, s in dataset.splits.items() if n in names})
    if scored.distractors:
        dataset = with_distractors(dataset, scored.distractors, scored.splits, progress, workers)
    return dataset


def check_splits(spec: RunSpec, dataset: Dataset) -> None:
    """Raises `BenchError` where a data set does not have what a cell asks for.

    That is a split, a batch of training pairs, or scores that fit into the memory that the spec allows.
    """
    require_splits(spec, dataset.splits)
    present = {name: dropped(split) for name, split in dataset.splits.items()}
    check_budget({name: (len(s.captions), len(s.videos)) for name, s in present.items()}, spec)
    if spec.training.epochs and "train" in present:
        require_batch(pairs_of(present["train"], spec), spec.training)


def pairs_of(split: Split, spec: RunSpec) -> int:
    """The pairs that an epoch visits: every caption, or one of each video."""
    return len(split.captions if spec.training.captions == "every" else set(split.video_of_caption))


def check_parts(spec: RunSpec, clip: ClipBackbone, audio: AudioEncoder | None) -> None:
    """Raises `BenchError` where a method and its backbones do not fit each other."""
    words = spec.text_tokens or clip.context
    clip.require_length(words)
    cls, width = find_method(spec.method), audio.width if audio else None
    dimensions = Dimensions(clip.width, spec.frames, width, words)
    require_memory(spec, dimensions)
    with torch.random.fork_rng(devices=[]):
        made(cls, spec.config, dimensions)
