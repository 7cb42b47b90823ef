"""One cell from spec to finished run directory: data, features, training, scores, results."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
from safetensors.torch import save_file

from core.datasets import load_dataset
from core.datasets.base import Dataset
from core.encoders.audio import AudioEncoder
from core.encoders.clip import ClipBackbone
from core.errors import BenchError
from core.evaluation import evaluate, recall_at_1
from core.features import Features, encode_store
from core.method import Dimensions, Method, find_method
from core.paths import cache_root, written_whole
from core.progress import Progress
from core.retriever import Retriever, SplitData
from core.runs import RunDirectory, manifest, write_json
from core.spec import RunSpec
from core.split_scores import check_budget
from core.store import Store, StoreSettings, prepare_store
from core.training import Trainer


@dataclass(frozen=True)
class Materials:
    """What a cell reads and never changes."""

    dataset: Dataset
    store: Store
    clip: ClipBackbone
    features: Features

    def fingerprints(self) -> dict[str, str]:
        """What the results depend on beside the spec."""
        return {
            "dataset": self.dataset.fingerprint,
            "store": self.store.fingerprint,
            "features": self.features.fingerprint,
            "clip": self.clip.fingerprint,
        }


def device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def uses_audio(spec: RunSpec) -> bool:
    """Whether a cell's method listens under its configuration."""
    cls = find_method(spec.method)
    return cls(cls.Config(**spec.config), Dimensions(8, spec.frames, 8)).uses_audio


def prepare_materials(spec: RunSpec, progress: Progress, workers: int) -> Materials:
    """Dataset, store and features of a cell, made where they are missing and opened where they are not."""
    dataset = load_dataset(spec.dataset, progress, workers=workers)
    clip = ClipBackbone.load(spec.backbone)
    settings = StoreSettings(frames=spec.frames, sampling=spec.frame_sampling, size=clip.image_size)
    videos = [video for split in dataset.splits.values() for video in split.videos]
    place = f"{dataset.name}-{dataset.fingerprint[:12]}-{settings.frames}-{settings.sampling}-{settings.size}"
    store = prepare_store(
        videos, dataset.fingerprint, settings, store_folder(place), workers=workers, progress=progress
    )
    audio = AudioEncoder.load(spec.audio_encoder) if uses_audio(spec) else None
    features = encode_store(
        store, clip, audio, cache_root() / "features", workers=workers, progress=progress, device=device()
    )
    return Materials(dataset, store, clip, features)


def store_folder(place: str) -> Path:
    """Where the store of that name lies; a run's manifest names its own."""
    return cache_root() / "stores" / place


def digest(spec: RunSpec, materials: Materials) -> str:
    """The hash that names a cell's folder."""
    return spec.digest(*materials.fingerprints().values())


def build_method(spec: RunSpec, materials: Materials, seed: int) -> Method:
    """A fresh method, initialised from the given seed and, where the authors do so, from CLIP."""
    torch.manual_seed(seed)
    cls = find_method(spec.method)
    dimensions = Dimensions(materials.clip.width, spec.frames, materials.features.audio_width)
    method = cls(cls.Config(**spec.config), dimensions)
    method.initialise_from_clip(materials.clip.text_weights())
    return method.to(device())


def run_cell(spec: RunSpec, directory: RunDirectory, progress: Progress) -> None:
    """Trains and scores a cell; the folder is `done` only when every file of it is whole."""
    started = datetime.now(UTC)
    directory.set_status("running")
    materials = prepare_materials(spec, progress, workers=1)
    method = build_method(spec, materials, spec.seeds.initialisation)
    materials.clip.model.to(device())
    retriever = Retriever(materials.clip, method, materials.features, materials.store, spec.training)
    data = {
        name: SplitData.of(split, materials.clip, materials.store)
        for name, split in materials.dataset.splits.items()
    }
    selecting = "test" if spec.training.selection == "test-best" else "val"
    for name in {"train", selecting, *spec.evaluation.splits}:
        if name not in data:
            raise BenchError(f"{spec.dataset} has no split '{name}'; it has {', '.join(data)}")
    check_budget(data, spec)
    trainer = Trainer(retriever, spec.training, spec.seeds, directory.path)
    trained = trainer.fit(data["train"], lambda: recall_at_1(retriever, data[selecting], spec), progress)
    with written_whole(directory.path / "checkpoint.safetensors") as temporary:
        save_file(
            {name: tensor.contiguous() for name, tensor in retriever.trained_state().items()}, temporary
        )
    untrained = build_method(spec, materials, spec.seeds.initialisation + 1)
    scored = evaluate(retriever, untrained, data, spec, directory, progress)
    parameters = sum(p.numel() for p in method.parameters())
    write_json(
        directory.path / "manifest.json",
        manifest(
            started,
            materials.fingerprints(),
            store=materials.store.folder.name,
            parameters=parameters,
            trained_parameters=sum(p.numel() for p in retriever.parameters() if p.requires_grad),
            train_seconds=round(trained.seconds, 2),
            score_seconds=round(scored, 2),
            selected_epoch=trained.best_epoch,
            selection_looks=len(trained.looks),
        ),
    )
    (directory.path / "resume.pt").unlink(missing_ok=True)
    (directory.path / "error.txt").unlink(missing_ok=True)
    directory.set_status("done")
