"""Reads a generated world: scripts and media files in, a `Dataset` out."""

from functools import partial
from pathlib import Path

from pydantic import ValidationError

from core.data_options import DataOptions
from core.dataset import Dataset, DatasetEntry, Split, Truth, Video
from core.datasets.avworld.ceilings import ceilings
from core.datasets.avworld.generate import CLIP_BYTES, SCRIPTS, VIDEO_CAPTIONS, generate, is_complete
from core.datasets.avworld.ideas_ceilings import ideas_ceilings
from core.datasets.avworld.script import ScriptedClip
from core.datasets.avworld.world import WORLD_SECONDS, WORLDS, IdeasWorld, SplitName, world_folder
from core.errors import BenchError
from core.progress import Progress

STORE_BYTES = 12 * 64 * 64 * 3 + 2 * 64_000
"""A decoded clip at 12 frames, with its sound."""

WORLD_RECIPE: dict[str, object] = {
    "backbone": "avworld",
    "audio_encoder": "avworld-whisper",
    "frames": 12,
    "frame_sampling": "segment-centres",
    "text_tokens": 40,
    "training.mode": "frozen",
    "training.epochs": 24,
    "training.captions": "one",
    "training.batch_size": 64,
    "training.drop_last": False,
    "training.optimizer": "adamw",
    "training.schedule": "warmup-cosine",
    "training.warmup": 0.1,
    "training.lr_new": 1e-3,
    "training.lr_clip": 3e-4,
    "training.lr_factors": {},
    "training.weight_decay": 0.02,
    "training.decay_biases": True,
    "training.gradient_clip": 1.0,
    "training.validate_every": 4,
    "evaluation.splits": ["test", "test-multi"],
}
"""What differs on a world from the methods' own defaults, which are meant for large backbones.

The towers, which were trained on this world for all methods alike, stay as they are, and the methods' own
modules train for 24 epochs. Where twice as many change R@1 on `val` by more than two points, a method names
its own number (`training.epochs@avworld`), or its row is marked (`reports/convergence.csv`).
"""


IDEAS_RECIPE: dict[str, object] = {
    **WORLD_RECIPE,
    "evaluation.splits": ["test"],
    # Released poolings need as many captions of every video as a query's own has; here they differ.
    "evaluation.conditions": ["leak-free"],
}
"""What differs on a world of ideas."""


def world_entry(*, name: str) -> DatasetEntry:
    """The registry's entry of a named world."""
    config = WORLDS[name]
    counts = {split: sum(config.clips(split).values()) for split in config.splits}
    return DatasetEntry(
        name=name,
        about=config.about,
        clips=" · ".join(f"{split} {count:,}" for split, count in counts.items()),
        size=f"{sum(counts.values()) * (CLIP_BYTES + STORE_BYTES) / 1e6:,.0f} MB",
        recipe=IDEAS_RECIPE if isinstance(config, IdeasWorld) else WORLD_RECIPE,
        small=True,
        fingerprint=partial(_fingerprint, name),
        ready=partial(is_ready, name),
        load=partial(_load, name),
        splits=lambda options: config.splits,
        has_truth=True,
    )


def _fingerprint(name: str, options: DataOptions) -> str:
    return WORLDS[name].fingerprint


def _load(name: str, progress: Progress, workers: int, options: DataOptions) -> Dataset:
    return load_world(name, progress, workers)  # a world lacks no file, so its options change nothing


def is_ready(name: str) -> bool:
    """Whether the world lies whole in the cache."""
    return is_complete(WORLDS[name], world_folder(name))


def load_world(name: str, progress: Progress, workers: int) -> Dataset:
    """The world `name`, generated first where it is incomplete.

    Raises `BenchError` where it cannot be generated or its files are damaged.
    """
    config, folder = WORLDS[name], world_folder(name)
    if not is_complete(config, folder):
        generate(name, config, folder, progress, workers)
    known = ideas_ceilings if isinstance(config, IdeasWorld) else ceilings
    scripts = {split: read_scripts(name, split) for split in config.splits}
    return Dataset(
        name=name,
        fingerprint=config.fingerprint,
        media_fingerprint=config.fingerprint,
        splits={split: _split(folder / split, clips) for split, clips in scripts.items()},
        protocol={
            "text": "one generated sentence per caption, at most 38 tokens",
            "captions per video": config.captions,
        },
        ceilings={split: known(clips) for split, clips in scripts.items() if split != "train"},
        video_captions=folder / VIDEO_CAPTIONS,
    )


def read_scripts(name: str, split: SplitName) -> list[ScriptedClip]:
    """The scripts of a generated world's split, in the order of its videos.

    Raises `BenchError` if the file is not what generation wrote.
    """
    file = world_folder(name) / split / SCRIPTS
    try:
        clips = [ScriptedClip.model_validate_json(line) for line in file.read_text().splitlines()]
    except (OSError, ValueError, ValidationError) as error:
        raise _damaged(file) from error
    expected = {id for group in WORLDS[name].groups(split) for id in group.clip_ids}
    if len(clips) != len(expected) or {clip.id for clip in clips} != expected:
        raise _damaged(file)
    return clips


def _damaged(file: Path) -> BenchError:
    return BenchError(f"{file} is damaged; delete it and run again, it will be written anew")


def _split(folder: Path, clips: list[ScriptedClip]) -> Split:
    captions = [(caption.text, video) for video, clip in enumerate(clips) for caption in clip.captions]
    return Split(
        videos=tuple(
            Video(id=clip.id, path=folder / f"{clip.id}.mp4", end=WORLD_SECONDS, group=clip.group)
            for clip in clips
        ),
        captions=tuple(text for text, _ in captions),
        video_of_caption=tuple(video for _, video in captions),
        truth=tuple(Truth(clip.stratum, clip.relevant) for clip in clips),
    )


AVWORLD = world_entry(name="avworld")
AVWORLD_TINY = world_entry(name="avworld-tiny")
AVWORLD_IDEAS = world_entry(name="avworld-ideas")
