"""What the training engine costs beside the encoders: its whole step against a bare loop over them.

`python -m benchmarks.engine_overhead` times in turn, in one process on one thread, with a CLIP ViT-B/32 of
random weights and batches of 8 pairs of 4 frames in float32:

- bare: encode pixels and captions, InfoNCE of the mean frames, backward pass;
- bare with update: the same, gradient clipping and the method's optimiser;
- engine: X-Pool as it trains, from the store over random crops to the log record.

Medians of the process's CPU time; what the ratios leave out is the update that any training needs.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import open_clip
import torch
from rich.table import Table
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from core.batch import stable_keys
from core.cli.shell import console
from core.dataset import Dataset
from core.encoders.clip import ClipBackbone, OpenTowers
from core.method import Dimensions
from core.progress import Silent
from core.registry import find_method
from core.resolving import resolve
from core.retriever import Retriever, SplitData
from core.running.cells import prepare_inputs
from core.spec import RunSpec
from core.store.features import Features
from core.store.store import Store, StoreSettings, prepare_store
from core.training.loading import Batch, Loader
from core.training.training import Trainer

DATASET, METHOD, BACKBONE = "avworld-tiny", "xpool", "ViT-B-32-quickgelu"
PAIRS, FRAMES, ROUNDS = 8, 4, 4


@dataclass(frozen=True)
class Side:
    """One of the loops."""

    name: str
    step: Callable[[], object]
    seconds: list[float]


def random_backbone() -> ClipBackbone:
    """Both towers of ViT-B/32 with random weights."""
    torch.manual_seed(0)
    model = open_clip.create_model(BACKBONE, pretrained=None)
    return ClipBackbone(BACKBONE, OpenTowers(model, open_clip.get_tokenizer(BACKBONE)))


def materials(spec: RunSpec, clip: ClipBackbone, folder: Path) -> tuple[Dataset, Store, Features]:
    """The clips of the tiny world at the size that the towers take; only their pixels are ever read."""
    dataset = prepare_inputs(spec, Silent(), workers=1).dataset
    settings = StoreSettings(frames=FRAMES, size=clip.image_size)
    videos = dataset.splits["train"].videos[: 4 * PAIRS]
    store = prepare_store(videos, dataset.fingerprint, settings, folder, workers=1, progress=Silent())
    unread = np.zeros((len(videos), FRAMES, clip.width), np.float32)
    mask, keys = torch.from_numpy(store.mask.copy()), stable_keys(store.ids)
    return dataset, store, Features(unread, mask, keys, torch.zeros(len(videos)), None, None, "unread")


def bare_backward(retriever: Retriever, batch: Batch) -> None:
    """Encodes a batch and takes the gradient of InfoNCE on the mean frames."""
    retriever.zero_grad(set_to_none=True)
    texts = normalize(retriever.text_embeds(batch.tokens), dim=-1)
    assert batch.pixels is not None
    frames = retriever.frame_embeds(batch.pixels, batch.videos.frame_mask)
    logits: Tensor = 100 * texts @ normalize(frames.mean(1), dim=-1).T
    target = torch.arange(len(logits))
    ((cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2).backward()


def sides(folder: Path) -> list[Side]:
    """The three loops, over one set of weights."""
    overrides = {"training.mode": "finetune", "training.batch_size": PAIRS, "frames": FRAMES}
    spec = resolve(METHOD, DATASET, overrides)
    clip = random_backbone()
    dataset, store, features = materials(spec, clip, folder / "store")
    cls = find_method(METHOD)
    method = cls(cls.Config(**spec.config), Dimensions(clip.width, FRAMES))
    retriever = Retriever(clip, method, features, store, spec.training)
    split = dataset.splits["train"]
    pairs = [n for n, video in enumerate(split.video_of_caption) if video < len(store)]
    tokens = clip.tokenise([split.captions[n] for n in pairs])
    pairing = torch.tensor([split.video_of_caption[n] for n in pairs])
    data = SplitData(split, tokens, torch.arange(len(pairs)), pairing, torch.arange(len(store)))
    trainer = Trainer(retriever, spec.training, spec.seeds, folder)
    loader = Loader(retriever, data, spec.training, spec.seeds)
    batches = (batch for epoch in count() for batch in loader.epoch(epoch) if len(batch.tokens) == PAIRS)
    given = next(batches)

    def bare_update() -> None:
        bare_backward(retriever, given)
        torch.nn.utils.clip_grad_norm_(trainer.parameters, spec.training.gradient_clip)
        trainer.optimizer.step()

    return [
        Side("bare", lambda: bare_backward(retriever, given), []),
        Side("bare with update", bare_update, []),
        Side("engine", lambda: trainer.step(next(batches), total=10_000), []),
    ]


def main() -> None:
    """Prints the table."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        compared = sides(Path(folder))
        for number in range(ROUNDS + 1):
            for side in compared:
                started = time.process_time()
                side.step()
                if number:  # the first round warms up
                    side.seconds.append(time.process_time() - started)
    medians = {side.name: statistics.median(side.seconds) for side in compared}
    table = Table("loop", "seconds per step", "engine takes")
    for name, seconds in medians.items():
        table.add_row(name, f"{seconds:.2f}", f"{100 * (medians['engine'] / seconds - 1):+.1f} %")
    console.print(table)


if __name__ == "__main__":
    main()
