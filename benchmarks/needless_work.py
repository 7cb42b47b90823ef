"""Work that nobody would read, against the same without it: `python -m benchmarks.needless_work`.

In turn, in one process on one thread, processor time:

- Preparing clips (320 x 240, 10 s, as MSR-VTT's) for a CLIP ViT-B/32 of random weights: decoding, and the
  features of 12 pictures each, which fine-tuning never reads; and as fine-tuning prepares them, without.
- The captions of `avworld-tiny` in as many epochs of `frozen` mode as the default trains: encoded in every
  batch, and once per run. What the embeddings differ by, because batches have other sizes, is printed.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor

from benchmarks.decoding import FRAMES, clip_of, with_sound
from benchmarks.engine_overhead import random_backbone
from benchmarks.paired import in_turn, table_of
from core.cli.shell import console, one_line_errors
from core.dataset import Video
from core.encoders.clip import ClipBackbone
from core.method import Dimensions, made
from core.progress import Silent
from core.registry import find_method
from core.resolving import resolve
from core.retriever import Retriever, SplitData
from core.running.cells import prepare_inputs
from core.store.features import encode_store
from core.store.store import Store, StoreSettings, prepare_store
from core.training.loading import Loader, frozen_text_embeds


def made_store(folder: Path, clip: ClipBackbone, clips: int) -> tuple[list[Path], Store]:
    """So many clips, and the store that holds them."""
    files = [with_sound(folder / f"{seed}.mp4", seed) for seed in range(clips)]
    videos = [Video(file.stem, file) for file in files]
    settings = StoreSettings(frames=FRAMES, size=clip.image_size)
    store = prepare_store(videos, "made", settings, folder / "store", workers=1, progress=Silent())
    return files, store


def preparing(
    folder: Path, clip: ClipBackbone, files: Sequence[Path], store: Store
) -> dict[str, Callable[[], object]]:
    """Decoding of clips and what is encoded of them, with the pictures and without."""

    def prepare(pictures: bool) -> None:
        for file in files:
            clip_of(file)
        with tempfile.TemporaryDirectory(dir=folder) as cache:
            encode_store(
                store,
                clip,
                None,
                Path(cache),
                workers=1,
                progress=Silent(),
                device="cpu",
                pictures=pictures,
            )

    return {
        "with pictures that nothing reads": lambda: prepare(pictures=True),
        "as fine-tuning prepares": lambda: prepare(pictures=False),
    }


def captions(epochs: int) -> dict[str, Callable[[], Tensor]]:
    """The embeddings `(N, D)` of the training captions in the last of some epochs, made in both ways."""
    spec = resolve("xpool", "avworld-tiny", {"training.mode": "frozen"})
    inputs = prepare_inputs(spec, Silent(), workers=1)
    cls = find_method(spec.method)
    method = made(cls, spec.config, Dimensions(inputs.clip.width, spec.frames, None, inputs.clip.context))
    retriever = Retriever(inputs.clip, method, inputs.features, inputs.store, spec.training)
    data = SplitData.of(inputs.dataset.splits["train"], inputs.clip, inputs.store)
    loader = Loader(retriever, data, spec.training, spec.seeds)

    def over_epochs(embeds_of: Callable[[Tensor], Tensor]) -> Tensor:
        found = torch.zeros(len(data.tokens), inputs.clip.width)
        with torch.no_grad():
            for epoch in range(epochs):
                for positions in loader.batches(epoch):
                    found[positions] = embeds_of(positions)
        return found

    def once() -> Tensor:
        embeds = frozen_text_embeds(retriever, data, spec.training)
        assert embeds is not None  # the tiny world's fit into memory
        return over_epochs(lambda positions: embeds[positions])

    return {
        "in every batch": lambda: over_epochs(lambda rows: retriever.text_embeds(data.tokens[rows])),
        "once per run": once,
    }


@one_line_errors
def main(
    clips: Annotated[int, typer.Option(min=1, help="Clips to make and prepare.")] = 3,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of `frozen` mode.")] = 24,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that medians are taken of.")] = 3,
) -> None:
    """Time work that is left out.

    Example: python -m benchmarks.needless_work --clips 8
    """
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        clip = random_backbone()
        files, store = made_store(Path(folder), clip, clips)
        found = in_turn(preparing(Path(folder), clip, files, store), rounds)
        console.print(table_of(f"preparing {clips} clips", found, 1e3 / clips, "ms a clip"))
    forms = captions(epochs)
    console.print(table_of(f"captions of {epochs} epochs", in_turn(forms, rounds)))
    batch, run = (form() for form in forms.values())
    difference = float((batch - run).abs().max() / run.abs().max())
    console.print(f"largest difference between their embeddings: {difference:.1e} of the largest number")


if __name__ == "__main__":
    typer.run(main)
