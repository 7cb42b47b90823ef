"""One cell from spec to finished run directory: data, features, training, scores, results."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from glob import escape
from hashlib import sha256
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from core.checksums import digests
from core.data_options import MissingPolicy
from core.dataset import Dataset
from core.datasets import find_dataset
from core.datasets.distractors import without_unusable
from core.datasets.missing import apply_missing_policy, mark_absent
from core.encoders.clip import ClipBackbone
from core.evaluation.evaluation import ScoringCost, evaluate, recall_at_1
from core.method import Method
from core.paths import cache_root, written_whole
from core.progress import Progress
from core.registry import find_method
from core.retriever import Retriever, SplitData
from core.run_files import DIGESTED
from core.running.code import code_fingerprint
from core.running.contents import cut_in_words, cut_of, pictures_kept, with_states
from core.running.early import check_parts, check_splits, listed_dataset
from core.running.models import (
    chosen_device,
    fresh_method,
    hearing_of,
    open_audio,
    open_backbone,
    store_settings,
)
from core.running.probing import probe_method
from core.running.seen import SEEN, declared_seen
from core.running.side_inputs import (
    speech_read,
    teacher_read,
    transcripts,
    video_captions,
    with_teacher,
)
from core.running.space import require_run_space, tensor_bytes
from core.runs import RunDirectory, manifest, write_json
from core.spec import RunSpec, dotted
from core.store.features import Features, encode_store
from core.store.identity import clip_keys
from core.store.store import Store, keys_digest, prepare_store
from core.threads import torch_threads
from core.training.checkpoints import Checkpoint
from core.training.training import Session, Trainer
from core.training.world import current_world


@dataclass(frozen=True)
class RunInputs:
    """What a cell reads and never changes."""

    dataset: Dataset
    store: Store
    clip: ClipBackbone
    features: Features
    code: str
    """Fingerprint of the code that trains and scores (see `core.running.code`)."""
    checkpoint: Checkpoint | None = None
    """The authors' weights that the run starts from; the towers hold theirs already."""

    def fingerprints(self) -> dict[str, str]:
        """What the results depend on beside the spec."""
        return {
            "dataset": self.dataset.fingerprint,
            "store": self.store.fingerprint,
            "features": self.features.fingerprint,
            "clip": self.clip.fingerprint,
            "code": self.code,
            **({"checkpoint": self.checkpoint.sha256} if self.checkpoint else {}),
        }


def prepare_inputs(
    spec: RunSpec, progress: Progress, workers: int, known: Callable[..., object] = lambda *_: None
) -> RunInputs:
    """Dataset, store and features of a cell, made where they are missing and opened where they are not.

    `known` is called with the spec, the data set as listed and the towers before anything is decoded.
    """
    dataset = listed_dataset(spec, progress, workers)
    distractors = spec.evaluation.distractors
    checkpoint = Checkpoint.read(Path(spec.checkpoint)) if spec.checkpoint else None
    clip = open_backbone(spec, checkpoint, progress)
    method = probe_method(spec)
    captions = video_captions(spec, dataset) if method.needs.video_captions else None
    audio = open_audio(spec, checkpoint, progress) if method.needs.sound else None
    check_parts(spec, clip, audio)
    known(spec, dataset, clip)
    settings = store_settings(spec, clip, sound=method.needs.sound)
    videos, media = dataset.videos, dataset.media_fingerprint
    keys = clip_keys(videos)
    clips = sha256(f"{media} {keys_digest(keys)}".encode()).hexdigest()[:12]
    kind = "-".join(str(value) for value in settings.model_dump().values())
    place = f"{dataset.name}-{clips}-{kind}"
    others = sorted(cache_root().glob(f"stores/{escape(dataset.name)}-*-{kind}"))
    missing: MissingPolicy = spec.data["missing"]
    store = prepare_store(
        videos,
        media,
        settings,
        store_folder(place),
        workers=workers,
        progress=progress,
        keep_undecodable=missing != "fail" or bool(distractors),
        resize=spec.data["resize"],
        keys=keys,
        others=others,
    )
    undecodable = {store.ids[row]: store.reason[row] for row in store.undecodable.nonzero()[0]}
    dataset = without_unusable(dataset, distractors, undecodable)
    undecodable = {id: undecodable[id] for id in undecodable.keys() & {v.id for v in dataset.videos}}
    dataset = apply_missing_policy(mark_absent(dataset, undecodable, missing), missing)
    if not find_dataset(spec.dataset).has_truth:  # a world's silent clips are meant
        dataset = with_states(dataset, store)
    features = encode_store(
        store,
        clip,
        audio,
        cache_root() / "features",
        workers=workers,
        progress=progress,
        device=chosen_device(),
        pictures=spec.training.mode != "finetune",
        patches=method.needs.patches,
        captions=captions,
        speech=transcripts(spec, dataset) if method.needs.speech else None,
        audio_states=dataset.audio_states,
        hearing=hearing_of(spec),
    )
    if method.needs.teacher:
        features = with_teacher(spec, features, store)
    code = code_fingerprint(spec)
    return RunInputs(dataset, store, clip, features, code, checkpoint)


def store_folder(place: str) -> Path:
    """Where the store of that name lies; a run's manifest names its own."""
    return cache_root() / "stores" / place


def run_hash(spec: RunSpec, inputs: RunInputs) -> str:
    """The hash that names a cell's folder."""
    return spec.digest(*inputs.fingerprints().values())


def build_method(spec: RunSpec, inputs: RunInputs, seed: int) -> Method:
    """A fresh method, initialised from the given seed and, where the authors do so, from CLIP."""
    return fresh_method(spec, inputs.clip, inputs.features.audio_width, seed)


def audio_states_in_words(inputs: RunInputs) -> str:
    """Where the audio states that a cell reads come from, for its manifest."""
    if inputs.features.audio is None:
        return "none are read"
    return "from files" if inputs.dataset.audio_states else "encoded from the sound"


def run_cell(spec: RunSpec, directory: RunDirectory, progress: Progress) -> None:
    """Trains and scores a cell; the folder is `done` only when every file of it is whole.

    Where several processes train it together, the one that leads scores and writes; it alone needs the lock.
    """
    with torch_threads(spec.training.threads):
        _run_cell(spec, directory, progress)


def _run_cell(spec: RunSpec, directory: RunDirectory, progress: Progress) -> None:
    started, session, world = datetime.now(UTC), Session(), current_world()
    if world.leads:
        directory.set_status("running")
    inputs = prepare_inputs(spec, progress, workers=1)
    if inputs.checkpoint:
        width = inputs.features.audio_width
        inputs.checkpoint.check_audio(find_method(spec.method), spec.audio_encoder, width)
    method = build_method(spec, inputs, spec.seeds.initialisation)
    if inputs.checkpoint:
        inputs.checkpoint.load_method(method, dotted(spec))
    inputs.clip.model.to(chosen_device())
    retriever = Retriever(inputs.clip, method, inputs.features, inputs.store, spec.training)
    data = split_data(spec, inputs)
    check_splits(spec, inputs.dataset)
    selecting = "test" if spec.training.selection == "test-best" else "val"
    if world.leads:
        require_run_space(directory.path, retriever, data, spec)
    trainer = Trainer(retriever, spec.training, spec.seeds, directory.path, world, session)

    def select() -> float:
        return recall_at_1(retriever, data[selecting], spec, directory.path)

    trained = trainer.fit(data.get("train"), select, progress)
    if not world.leads:
        return
    state = {name: tensor.contiguous() for name, tensor in retriever.trained_state().items()}
    with written_whole(directory.path / "checkpoint.safetensors", tensor_bytes(state)) as temporary:
        save_file(state, temporary)
    cost = score_cell(spec, inputs, retriever, data, directory, progress)
    finish_cell(
        directory,
        started,
        inputs,
        retriever,
        data,
        cost,
        fingerprints=inputs.fingerprints(),
        wall_seconds=round(session.seconds, 2),
        train_seconds=round(trained.seconds, 2),
        training_videos=len(data["train"].rows) if "train" in data else 0,
        selected_epoch=trained.best_epoch,
        selection_looks=len(trained.looks),
        processes=world.size,
        micro_batch=trained.micro_batch,
    )
    (directory.path / "resume.pt").unlink(missing_ok=True)


def split_data(spec: RunSpec, inputs: RunInputs) -> dict[str, SplitData]:
    """The splits of a cell's data set as the engine handles them."""
    return {
        name: SplitData.of(split, inputs.clip, inputs.store, spec.text_tokens)
        for name, split in inputs.dataset.splits.items()
    }


def score_cell(
    spec: RunSpec,
    inputs: RunInputs,
    retriever: Retriever,
    data: dict[str, SplitData],
    directory: RunDirectory,
    progress: Progress,
) -> ScoringCost:
    """Scores a cell's splits with weights as they are, and writes what came of it into its folder."""
    untrained = build_method(spec, inputs, spec.seeds.initialisation + 1)
    kept = pictures_kept(inputs.store)
    protocol = {**inputs.dataset.protocol, **kept, "captions cut": cut_in_words(cut_of(data)) or "none"}
    if retriever.method.needs.speech:
        protocol["speech"] = speech_read(inputs.features)
    if retriever.method.needs.teacher and spec.training.epochs:
        protocol["teacher"] = teacher_read(inputs.features)
    if retriever.method.needs.gallery:
        protocol["scores"] = "depend on the gallery"
    if seen := declared_seen(spec):
        protocol[SEEN] = seen
    bank = spec.evaluation.qb_bank
    if "qb-norm" in spec.evaluation.rescoring and bank not in data:
        protocol["qb-norm"] = f"left out: the data set has no split '{bank}'"
        progress.say(f"qb-norm is left out: {spec.dataset} has no split '{bank}'")
    decided = inputs.checkpoint.decided(type(retriever.method)) if inputs.checkpoint else {}
    return evaluate(retriever, untrained, data, spec, directory, progress, protocol, decided)


def finish_cell(
    directory: RunDirectory,
    started: datetime,
    inputs: RunInputs,
    retriever: Retriever,
    data: Mapping[str, SplitData],
    cost: ScoringCost,
    *,
    fingerprints: Mapping[str, str],
    **training: Any,
) -> None:
    """Writes the manifest of a cell that is scored; from then on its folder is `done`.

    `training` are the figures of its training, for a cell that was only scored those of its run.
    """
    figures = {
        "annotation_files": dict(inputs.dataset.files),
        "audio_states": audio_states_in_words(inputs),
        "store": inputs.store.folder.name,
        "parameters": sum(p.numel() for p in retriever.method.parameters()),
        "trained_parameters": sum(p.numel() for p in retriever.parameters() if p.requires_grad),
        "index_seconds": round(cost.index_seconds, 6),
        "query_seconds": round(cost.query.seconds, 6),
        "queries": cost.query.queries,
        "query_reliable": cost.query.reliable,
        "text_length": next(iter(data.values())).tokens.shape[1],
        **training,
        "files": digests(directory.path, DIGESTED),
    }
    write_json(directory.path / "manifest.json", manifest(started, fingerprints, **figures))
    directory.set_status("done")
