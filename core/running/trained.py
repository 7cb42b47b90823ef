"""A finished run as a model: its spec, its towers, its audio encoder and its method, with the run's weights.

    from core import load_run

    run = load_run("runs/gaid-avworld-1a2b3c4d")
    texts = run.encode_texts(["a dog barks behind a fence"])
    videos = run.encode_files(["one.mp4", "two.mp4"], "work")
    scores = run.score(texts, videos)  # (1, 2)

Nothing of the data that the run was trained on is needed. `bench evaluate` and the audit, which do read a
data set, open its features first and put the weights in afterwards: `trained_retriever`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from core.batch import Texts, Videos, stable_keys
from core.dataset import Video
from core.encoders.audio import AudioEncoder
from core.encoders.clip import ClipBackbone
from core.errors import BenchError
from core.method import Method, NoiseSource
from core.progress import Progress, Silent
from core.retriever import Retriever, load_weights, worded
from core.run_files import CHECKPOINT, Manifest, read_manifest, verify
from core.running.cells import RunInputs, build_method
from core.running.code import code_fingerprint
from core.running.early import check_parts
from core.running.models import (
    chosen_device,
    fresh_method,
    hearing_of,
    open_audio,
    open_backbone,
    store_settings,
)
from core.running.probing import probe_method
from core.runs import RunDirectory
from core.scoring.noise import scoring_noise
from core.scoring.scoring import build_index, exact_arithmetic, score_matrix
from core.spec import SCHEMA, RunSpec, TrainingSpec
from core.store.features import encode_store
from core.store.identity import clip_keys
from core.store.speech_features import Transcripts
from core.store.storage import Store
from core.store.store import keys_digest, prepare_store
from core.training.checkpoints import Checkpoint


class NothingUsable(BenchError):
    """None of some files has a picture that decodes."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        first, reason = next(iter(reasons.items()))
        super().__init__(
            f"none of {len(reasons):,} files can be used; first: {first}: {reason}; name videos that play"
        )
        self.reasons = reasons


@dataclass(frozen=True)
class EncodedFiles:
    """Some media files as a run's method takes them."""

    videos: Videos
    """Encoded, `(V, ...)`: the files whose picture decodes, in their order."""
    store: Store
    """What was decoded, a row per file: times of the frames, durations, and why a file cannot be used."""
    rows: Tensor
    """`(V,)` int64: row in the store of each encoded video."""


@dataclass(frozen=True)
class TrainedRun:
    """A finished run with its weights loaded."""

    directory: RunDirectory
    """Its folder."""
    spec: RunSpec
    """What it is."""
    manifest: Manifest
    """Where it comes from."""
    clip: ClipBackbone
    """Its towers with the weights that it ended with."""
    audio: AudioEncoder | None
    """Its audio encoder; None where its method hears nothing."""
    method: Method
    """Its method, in evaluation mode."""
    code_changed: bool
    """Whether the code that scores differs from the code that trained it."""

    @property
    def noise(self) -> NoiseSource:
        """That of its leak-free scores."""
        return scoring_noise(self.method.config, self.spec.seeds.noise, released=False)

    @property
    def fingerprint(self) -> str:
        """What tells its model from every other: the checksums of its weights and what they build on."""
        size, sum = self.manifest.files.get(CHECKPOINT, (0, 0))
        towers = self.manifest.fingerprints.get("clip", "")
        return f"{self.spec.method} {size} {sum:08x} {towers[:16]}"

    def cut_texts(self, captions: Sequence[str]) -> tuple[Tensor, int]:
        """Token rows `(N, L)` int64, and how many captions have more tokens than the run reads."""
        tokens, cut = self.clip.tokens_and_cuts(captions, self.spec.text_tokens or self.clip.context)
        return tokens, int(cut.sum())

    def encode_texts(self, captions: Sequence[str]) -> Texts:
        """Encoded captions `(N, ...)`; longer ones than the run reads are cut, as in its training.

        Raises `BenchError` for an empty list and for a caption without words.
        """
        if not captions or not all(caption.strip() for caption in captions):
            raise BenchError("an empty text finds nothing; give a few words, e.g. 'a dog barks'")
        tokens, _ = self.cut_texts(captions)
        device = chosen_device()
        method, clip = self.method, self.clip
        with exact_arithmetic(method):
            rows = tokens.to(device)
            encode = clip.encode_text_and_words if method.needs.words else clip.encode_text
            embeds = encode(rows)
            keys = stable_keys(list(captions)).to(device)
            return worded(embeds, rows, keys)

    def encode_files(
        self,
        files: Sequence[str | Path | Video],
        folder: str | Path,
        *,
        workers: int = 1,
        progress: Progress | None = None,
        speech: Mapping[str, str] | None = None,
    ) -> EncodedFiles:
        """Media files, or windows of them, decoded and encoded as the run did it with its own videos.

        `speech` is what is said in them, by the video's id, for a method that reads it; nothing unless given.

        What is decoded stays in `folder`, so that the same call again reads it; a killed one goes on. Files
        without a picture that decodes are left out of `videos` and named in `store.reason`. Raises
        `BenchError` where no file can be used, and for a full disk.
        """
        videos = [file if isinstance(file, Video) else Video(str(file), Path(file)) for file in files]
        if not videos:
            raise BenchError("no file to encode; name at least one video")
        progress, place = progress or Silent(), Path(folder)
        keys = clip_keys(videos)
        store = prepare_store(
            videos,
            keys_digest(keys),
            store_settings(self.spec, self.clip, sound=self.audio is not None),
            place / "store",
            workers=workers,
            progress=progress,
            keep_undecodable=True,
            resize=self.spec.data["resize"],
            keys=keys,
        )
        usable = [row for row in range(len(store)) if not store.undecodable[row]]
        if not usable:
            raise NothingUsable(
                {video.id: reason for video, reason in zip(videos, store.reason, strict=True)}
            )
        if self.method.needs.speech and not speech:
            progress.say(f"{self.spec.method} reads speech, and no transcript of these files is given")
        features = encode_store(
            store,
            self.clip,
            self.audio,
            place / "features",
            workers=workers,
            progress=progress,
            device=chosen_device(),
            patches=self.method.needs.patches,
            speech=Transcripts(speech or {}, self.spec.text_tokens) if self.method.needs.speech else None,
            hearing=hearing_of(self.spec),
        )
        # the towers hold the run's weights already, so what they make of a frame is final
        still = Retriever(self.clip, self.method, features, store, self.still)
        rows = store_rows(usable)
        with exact_arithmetic(self.method):
            return EncodedFiles(still.encode_rows(rows), store, rows)

    @property
    def still(self) -> TrainingSpec:
        """How the run trained, but with towers that no longer change."""
        return self.spec.training.model_copy(update={"mode": "frozen", "compile": False})

    def score(self, texts: Texts, videos: Videos | EncodedFiles) -> Tensor:
        """Leak-free scores `(N, V)`, as `bench run` computes them; higher is better."""
        found = videos.videos if isinstance(videos, EncodedFiles) else videos
        index = build_index(self.method, found, engine=self.spec.evaluation.engine)
        precision = self.spec.evaluation.precision
        return score_matrix(self.method, texts, index, noise=self.noise, precision=precision)


def store_rows(rows: Sequence[int]) -> Tensor:
    """Rows of a store, `(n,)` int64."""
    return torch.tensor(rows, dtype=torch.int64)


def load_run(folder: str | Path, progress: Progress | None = None) -> TrainedRun:
    """The finished run in a folder as a model that encodes, scores and searches.

    Its weights are downloaded where the run's encoders are not on this machine (see `core.encoders`).
    Raises `BenchError` where the folder holds no finished run, a file of it is damaged, or an encoder on this
    machine is another than the run's.
    """
    directory = finished(Path(folder))
    spec, manifest = directory.read_spec(), read_manifest(directory)
    verify_weights(directory, manifest)
    progress = progress or Silent()
    checkpoint = Checkpoint.read(Path(spec.checkpoint)) if spec.checkpoint else None
    clip = open_backbone(spec, checkpoint, progress)
    require_same_towers(directory, manifest.fingerprints, clip)
    audio = open_audio(spec, checkpoint, progress) if probe_method(spec).needs.sound else None
    check_parts(spec, clip, audio)
    method = fresh_method(spec, clip, audio.width if audio else None, spec.seeds.initialisation)
    clip.model.to(chosen_device())
    put_weights(directory, clip, method)
    changed = manifest.fingerprints.get("code") != code_fingerprint(spec)
    return TrainedRun(directory, spec, manifest, clip, audio, method, changed)


def finished(folder: Path) -> RunDirectory:
    """The folder of a finished run; raises `BenchError` for any other."""
    directory = RunDirectory(folder)
    if not (folder / "status.json").is_file():
        raise BenchError(f"{folder} holds no run; name a folder that `bench run` has made")
    status = directory.status()
    if status.get("schema") != SCHEMA:
        raise BenchError(
            f"{folder}: schema {status.get('schema')}, this version reads {SCHEMA}; run the cell again"
        )
    if status.get("state") != "done":
        raise BenchError(f"{folder}: {status.get('state')}; the same `bench run` continues it")
    return directory


def verify_weights(directory: RunDirectory, manifest: Manifest) -> None:
    """Raises `BenchError` where a run has no weights, or others than it was finished with."""
    if not (directory.path / CHECKPOINT).is_file():
        raise BenchError(f"{directory.path} has no {CHECKPOINT}; run the cell again")
    verify(directory, {name: sums for name, sums in manifest.files.items() if name == CHECKPOINT})


def require_same_towers(directory: RunDirectory, fingerprints: Mapping[str, str], clip: ClipBackbone) -> None:
    """Raises `BenchError` where the towers on this machine are not those that the run started from."""
    if fingerprints.get("clip", clip.fingerprint) != clip.fingerprint:
        raise BenchError(
            f"{directory.path.name} was trained with other weights of '{clip.name}' than this machine has; "
            "put those back (BENCH_WEIGHTS), or run the cell again"
        )


def put_weights(directory: RunDirectory, clip: ClipBackbone, method: Method) -> None:
    """Loads a run's checkpoint into its towers and its method; raises `BenchError` where it does not fit."""
    try:
        load_weights(load_file(directory.path / CHECKPOINT), clip.model, method)
    except (OSError, SafetensorError, RuntimeError, KeyError) as error:
        raise directory.damaged(CHECKPOINT, str(error)) from error
    clip.model.eval()
    method.eval()


def trained_retriever(directory: RunDirectory, spec: RunSpec, inputs: RunInputs) -> Retriever:
    """A run's method and towers with the weights of its checkpoint, over the features of some data set.

    `spec` is the run's own, or the run's on another data set. Raises `BenchError` where they do not fit.
    """
    method = build_method(spec, inputs, spec.seeds.initialisation)
    inputs.clip.model.to(chosen_device())
    retriever = Retriever(inputs.clip, method, inputs.features, inputs.store, spec.training)
    put_weights(directory, inputs.clip, method)
    retriever.eval()
    return retriever
