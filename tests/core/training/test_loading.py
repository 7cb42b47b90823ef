"""Batches: read ahead in order, the same on every machine, each process with the pixels of its part."""

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.encoders.crops import centre_crop
from core.errors import BenchError
from core.progress import Silent
from core.running.cells import RunInputs
from core.store.storage import Store
from core.training.loading import AHEAD, Loader, read_ahead
from core.training.training import Trainer
from core.training.world import World
from tests.core.training.small_training import SMALL, first_pairs, no_validation


def test_reading_ahead_keeps_the_order_and_stays_a_few_items_ahead() -> None:
    started: list[int] = []

    def read(item: int) -> int:
        started.append(item)
        return item * item

    seen = []
    for result in read_ahead(read, range(10)):
        seen.append(result)
        assert len(started) <= len(seen) + AHEAD
    assert seen == [n * n for n in range(10)]


def test_an_error_in_the_reader_is_raised_where_the_batch_is_taken() -> None:
    def read(item: int) -> int:
        if item == 1:
            raise OSError("the disk is gone")
        return item

    batches = read_ahead(read, range(3))
    assert next(batches) == 0
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches)


def test_a_consumer_that_stops_leaves_no_thread_behind() -> None:
    def endless() -> Iterator[int]:
        n = 0
        while True:
            yield n
            n += 1

    batches = read_ahead(lambda n: n, endless())
    next(batches)
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


@pytest.mark.parametrize(("total", "size"), [(9, 2), (8, 3), (5, 5), (128, 8)])
def test_parts_of_a_batch_cover_it_once_and_differ_by_one_at_most(total: int, size: int) -> None:
    parts = [World(rank, size).part(total) for rank in range(size)]
    assert [row for part in parts for row in range(total)[part]] == list(range(total))
    lengths = [part.stop - part.start for part in parts]
    assert max(lengths) - min(lengths) <= 1


def test_processes_share_the_batch_and_split_its_pixels(
    make_retriever: Callable[..., Any], materials: RunInputs
) -> None:
    retriever, spec = make_retriever("xpool", **{**SMALL, "training__mode": "finetune"})
    data = first_pairs(materials)

    def batches(world: World) -> list[Any]:
        return list(Loader(retriever, data, spec.training, spec.seeds, world).epoch(1))

    for whole, first, second in zip(
        batches(World()), batches(World(0, 2)), batches(World(1, 2)), strict=True
    ):
        assert torch.equal(first.tokens, whole.tokens)
        assert torch.equal(second.videos.keys, whole.videos.keys)
        assert torch.equal(torch.cat([first.pixels, second.pixels]), whole.pixels)


def test_training_frames_are_random_crops_where_the_recipe_says_so(
    make_retriever: Callable[..., Any], materials: RunInputs
) -> None:
    data = first_pairs(materials, 4)
    rows = data.rows[data.pairing]
    frames = torch.stack([torch.from_numpy(materials.store.frames(row)) for row in rows.tolist()])

    def pixels(crop: str, epoch: int, seed: int = 0) -> torch.Tensor:
        retriever, spec = make_retriever(
            "xpool", training__mode="finetune", training__crop=crop, seeds__data=seed
        )
        return Loader(retriever, data, spec.training, spec.seeds).pixels(rows, epoch)

    centre = torch.stack([centre_crop(clip, materials.clip.image_size) for clip in frames])
    assert torch.equal(pixels("centre", 0), centre)
    random = pixels("random", 0)
    assert torch.equal(random, pixels("random", 0))
    assert not torch.equal(random, pixels("random", 1))
    assert not torch.equal(random, pixels("random", 0, seed=1))
    assert random.shape == centre.shape


def test_the_family_of_xpool_crops_at_random_and_the_others_do_not(
    make_retriever: Callable[..., Any],
) -> None:
    crops = {
        name: make_retriever(name)[1].training.crop
        for name in ("xpool", "tmass", "gaid", "clip4clip", "avigate")
    }
    assert crops == {
        "xpool": "random",
        "tmass": "random",
        "gaid": "random",
        "clip4clip": "centre",
        "avigate": "centre",
    }


def test_a_last_batch_smaller_than_the_processes_is_left_out(
    make_retriever: Callable[..., Any], materials: RunInputs
) -> None:
    retriever, spec = make_retriever("xpool", **SMALL)
    sizes = [
        len(batch)
        for batch in Loader(
            retriever, first_pairs(materials, 18), spec.training, spec.seeds, World(0, 3)
        ).batches(0)
    ]
    assert sizes == [16]


def test_a_damaged_store_does_not_train(
    make_retriever: Callable[..., Any], materials: RunInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    retriever, spec = make_retriever("xpool", **{**SMALL, "training__mode": "finetune"})
    data = first_pairs(materials)
    first = int(data.rows[data.pairing[0]]) // retriever.store.manifest.shard
    folder = Path(shutil.copytree(retriever.store.folder, tmp_path / "store"))
    damaged = folder / f"pixels-{first:05d}.npy"
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    monkeypatch.setattr(retriever, "store", Store.open(folder))
    loader = Loader(retriever, data, spec.training, spec.seeds)
    with pytest.raises(BenchError, match=rf"{damaged.name} is damaged"):
        loader.pixels(data.rows[data.pairing[:1]], 1)


def test_finetuning_reads_pixels_and_no_cached_pictures(
    make_retriever: Callable, materials: RunInputs, tmp_path: Path
) -> None:
    """Training and the videos that are scored are bit-identical where every cached picture is NaN."""
    found, pairs = [], first_pairs(materials, 8)
    settings = SMALL | {"training__mode": "finetune", "training__epochs": 1, "training__selection": "last"}
    for cached in ("read", "unread"):
        retriever, spec = make_retriever("xpool", **settings)
        if cached == "unread":
            frames = np.full_like(retriever.features.frames, np.nan)
            retriever.features = replace(retriever.features, frames=frames)
        (tmp_path / cached).mkdir()
        Trainer(retriever, spec.training, spec.seeds, tmp_path / cached).fit(pairs, no_validation, Silent())
        found.append((retriever.trained_state(), retriever.videos(pairs.rows[:2]).frames))
    (weights, frames), (unread_weights, unread_frames) = found
    assert torch.equal(frames, unread_frames)
    assert all(torch.equal(weights[name], unread_weights[name]) for name in weights)
