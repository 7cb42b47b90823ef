"""Makes the tiny backbones of the project: `python -m core.datasets.avworld.backbones [NAME ...]`.

Trains them on the world's train split, from fixed seeds and for fixed numbers of steps, measures them
on its val split and writes the model folders under `weights/`. Names: clip, whisper, wav2vec2.
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from core.datasets.avworld import pretrain_audio, pretrain_clip
from core.datasets.avworld.shipped import SHIPPED, write_world_version
from core.datasets.avworld.stills import FACTS, Material, load_material, still_facts
from core.encoders.audio import AudioEncoder
from core.encoders.clip import ClipBackbone
from core.errors import BenchError, unknown_name
from core.progress import Lines, Progress

NAMES = ("clip", "whisper", "wav2vec2")
STORED_FRAMES = 32
"""Frames per clip in the pre-training's own store: every one of them."""
PROBE_CLIPS = 400
"""Clips of the train split that a probe is fitted on."""
RIDGE = 1e-3


def make(names: Sequence[str], progress: Progress, workers: int = 2) -> None:
    """Trains, measures and writes the named backbones."""
    for name in names:
        if name not in NAMES:
            raise unknown_name("backbone", name, NAMES)
    train, val = (load_material(split, STORED_FRAMES, progress, workers) for split in ("train", "val"))
    torch.set_num_threads(1)  # results depend on the number of threads
    for name in names:
        folder = SHIPPED / name
        unfinished = folder.with_name(f".{name}.part")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        if name == "clip":
            pretrain_clip.pretrain(train, unfinished, progress)
        else:
            pretrain_audio.pretrain(name, train, unfinished, progress)
        write_world_version(unfinished)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
        measured = measure_clip(folder, train, val) if name == "clip" else measure_audio(folder, train, val)
        size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
        figures = ", ".join(f"{key} {value:.3f}" for key, value in measured.items())
        progress.say(f"{name}: {size:.1f} MB; on val {figures}")


def measure_clip(folder: Path, train: Material, val: Material) -> dict[str, float]:
    """Share of val stills of which a linear probe on the embeddings names each fact rightly."""
    clip = ClipBackbone.load(str(folder))
    (x, facts), (y, asked) = (_embedded_stills(clip, material) for material in (train, val))
    found = {}
    for name, values in FACTS.items():
        answers = linear_probe(x, nn.functional.one_hot(facts[name], len(values)), y)
        found[name] = (answers.argmax(1) == asked[name]).double().mean().item()
    return found


def measure_audio(folder: Path, train: Material, val: Material) -> dict[str, float]:
    """Share of val's valid states of audible clips of which a linear probe names all sounds rightly."""
    audio = AudioEncoder.load(str(folder))
    (x, sounds), (y, asked) = (_heard_states(audio, material) for material in (train, val))
    return {"sounds": ((linear_probe(x, sounds, y) > 0.5) == asked.bool()).all(1).double().mean().item()}


def linear_probe(train: Tensor, targets: Tensor, val: Tensor) -> Tensor:
    """Answers `(m, C)` on `val` `(m, D)` of ridge regression from features `(n, D)` onto targets `(n, C)`."""
    mean, std = train.mean(0), train.std(0) + 1e-6
    x, y = (torch.cat([(f - mean) / std, torch.ones(len(f), 1)], 1).double() for f in (train, val))
    gram = x.T @ x + RIDGE * len(x) * torch.eye(x.shape[1], dtype=torch.float64)
    weights: Tensor = torch.linalg.solve(gram, x.T @ targets.double())
    return y @ weights


@torch.inference_mode()
def _embedded_stills(clip: ClipBackbone, material: Material) -> tuple[Tensor, dict[str, Tensor]]:
    """Embeddings `(n, D)` of every fourth still of some distinct clips, and their facts `(n,)`."""
    rows = material.one_per_group()[:: max(1, len(material.one_per_group()) // PROBE_CLIPS)]
    facts = {name: values[rows, ::4].flatten() for name, values in still_facts(material).items()}
    pixels = (torch.from_numpy(material.store.frames(int(row))[::4].copy()) for row in rows)
    return torch.cat([clip.encode_images(frames) for frames in pixels]), facts


def _heard_states(audio: AudioEncoder, material: Material) -> tuple[Tensor, Tensor]:
    """Every fifth valid state `(n, Da)` of some audible clips, and the sounds at it `(n, C)`."""
    audible = torch.from_numpy(material.store.has_audio).nonzero()[:, 0].tolist()
    rows = audible[:: max(1, len(audible) // PROBE_CLIPS)]
    found, labels = [], []
    for row in rows:
        states, valid = audio.states([material.store.waveform(row)], [float(material.store.duration[row])])
        found.append(states[0, : int(valid[0]) : 5])
        labels.append(pretrain_audio.labels_of(material, audio, row)[::5])
    return torch.cat(found), torch.cat(labels)


def main(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit code."""
    try:
        make(arguments or NAMES, Lines())
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
