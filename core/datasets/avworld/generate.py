"""Generates a world: scripts and automatic captions, then media files, in worker processes.

Every file is written whole or not at all, and the record `world.json` comes last, so generation can
be interrupted at any moment and continues with the groups that lack a clip.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from core.datasets.avworld.automatic import automatic_captions
from core.datasets.avworld.draw import draw_split
from core.datasets.avworld.encode import add_sound, encode_picture
from core.datasets.avworld.pictures import frames
from core.datasets.avworld.script import DrawnPicture, ScriptedClip
from core.datasets.avworld.sounds import track
from core.datasets.avworld.world import WORLD_VERSION, WorldConfig
from core.errors import BenchError
from core.paths import remove_leftovers, require_space, written_whole
from core.progress import Progress
from core.store.video_captions import VideoCaption
from core.workers import in_workers

WORLD_RECORD = "world.json"
SCRIPTS = "scripts.jsonl"
VIDEO_CAPTIONS = "captions.jsonl"
CLIP_BYTES = 30_000
"""A little more than the mean size of a clip."""


class Job(NamedTuple):
    """A group whose media files are to be written."""

    folder: Path
    """The folder of its split."""
    clips: tuple[ScriptedClip, ...]
    """Its scripts."""


def is_complete(config: WorldConfig, folder: Path) -> bool:
    """Whether `folder` holds all of a world. Raises `BenchError` if it holds another one."""
    record = folder / WORLD_RECORD
    if not record.exists():
        return False
    try:
        found = json.loads(record.read_text())
    except (OSError, ValueError):
        found = None
    if found != _record(config):
        raise BenchError(f"{record} is damaged or describes another world; delete {folder} and run again")
    return (folder / VIDEO_CAPTIONS).exists() and all(
        (folder / split / SCRIPTS).exists()
        and _media(folder / split).issuperset(id for group in config.groups(split) for id in group.clip_ids)
        for split in config.splits
    )


def generate(name: str, config: WorldConfig, folder: Path, progress: Progress, workers: int) -> None:
    """Makes whatever `folder` lacks of a world, in `workers` processes of one thread each.

    Raises `BenchError` where the folder cannot be written or has no space, or a worker dies.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder, name, progress):
            if not is_complete(config, folder):
                _complete(name, config, folder, progress, workers)
    except OSError as error:
        where = error.filename2 or error.filename or folder
        raise BenchError(f"cannot write {where} ({error.strerror}); free it or set BENCH_CACHE") from error


def _complete(name: str, config: WorldConfig, folder: Path, progress: Progress, workers: int) -> None:
    jobs: list[Job] = []
    captions: list[VideoCaption] = []
    for split in config.splits:
        (folder / split).mkdir(exist_ok=True)
        remove_leftovers(folder / split)
        groups = draw_split(config, split)
        with written_whole(folder / split / SCRIPTS) as scripts:
            scripts.write_text("".join(clip.model_dump_json() + "\n" for group in groups for clip in group))
        captions += automatic_captions(clip for group in groups for clip in group)
        media = _media(folder / split)
        jobs += [Job(folder / split, group) for group in groups if not media.issuperset(c.id for c in group)]
    with written_whole(folder / VIDEO_CAPTIONS) as file:
        file.write_text("".join(f"{caption.model_dump_json(exclude_none=True)}\n" for caption in captions))
    clips = sum(len(job.clips) for job in jobs)
    require_space(folder, clips * CLIP_BYTES)
    with progress.task(f"{name}: generating clips", clips) as advance:
        for job, _ in in_workers(make_group, jobs, workers):
            advance(len(job.clips), "")
    os.sync()  # the clips, all at once: waiting for each would take longer than making it
    with written_whole(folder / WORLD_RECORD) as record:
        record.write_text(json.dumps(_record(config), indent=1) + "\n")


def make_group(job: Job) -> None:
    """Writes the media files of a group.

    All of them even if only one is missing: pixels are identical for certain only if encoded once.
    """
    silent: dict[DrawnPicture, bytes] = {}
    for clip in job.clips:
        if clip.picture not in silent:
            silent[clip.picture] = encode_picture(frames(clip.picture))
        picture, wave = silent[clip.picture], track(clip)
        with written_whole(job.folder / f"{clip.id}.mp4", lasting=False) as file:
            file.write_bytes(picture if wave is None else add_sound(picture, wave))


def _record(config: WorldConfig) -> dict[str, object]:
    return {"version": WORLD_VERSION, "fingerprint": config.fingerprint, "config": config.model_dump()}


def _media(folder: Path) -> set[str]:
    """The names of the clips in a folder; what a power failure emptied is none."""
    return {file.stem for file in folder.glob("*.mp4") if file.is_file() and file.stat().st_size}


@contextmanager
def _alone(folder: Path, name: str, progress: Progress) -> Iterator[None]:
    """Holds the folder's lock, so that of several runs one generates and the others wait."""
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        with progress.task(f"{name}: waiting for another process to generate it", 1):
            lock.acquire()
    try:
        yield
    finally:
        lock.release()
