"""The models of a cell: its towers, its audio encoder, its method, and how they are shown a video."""

import torch

from core.encoders.audio import AudioEncoder
from core.encoders.clip import ClipBackbone
from core.encoders.entry import IN_FILE, split_variant
from core.encoders.half import round_to_half
from core.media.hearing import Hearing, reading_of
from core.method import Dimensions, Method, made
from core.plugin_errors import calling
from core.progress import Progress
from core.registry import find_method
from core.spec import RunSpec
from core.store.manifest import StoreSettings
from core.training.checkpoints import Checkpoint


def chosen_device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def open_backbone(spec: RunSpec, checkpoint: Checkpoint | None, progress: Progress) -> ClipBackbone:
    """The towers of a cell: those of a checkpoint alone, or a CLIP with a checkpoint's weights in it."""
    method = find_method(spec.method)
    if checkpoint and spec.backbone == IN_FILE:
        clip = checkpoint.backbone(method)
    else:
        clip = ClipBackbone.load(spec.backbone, progress)
        if checkpoint:
            checkpoint.load_towers(clip, method)
    if spec.training.clip_param_dtype == "float16":
        round_to_half(clip.model)
    return clip


def open_audio(spec: RunSpec, checkpoint: Checkpoint | None, progress: Progress) -> AudioEncoder:
    """The audio encoder of a cell: that of a checkpoint alone, or one with a checkpoint's weights in it."""
    if checkpoint and split_variant(spec.audio_encoder)[0] == IN_FILE:
        return checkpoint.audio_encoder()
    audio = AudioEncoder.load(spec.audio_encoder, progress)
    if checkpoint:
        checkpoint.load_audio(audio)
    return audio


def hears(spec: RunSpec) -> bool:
    """Whether a cell's method reads sound under its configuration; at a width that all usual heads divide."""
    dimensions = Dimensions(192, spec.frames, 192, spec.text_tokens or 77)
    return made(find_method(spec.method), spec.config, dimensions).needs.sound


def hearing_of(spec: RunSpec) -> Hearing:
    """How a cell hears a clip."""
    return Hearing(spec.data["channels"], spec.data["sound_end"])


def store_settings(spec: RunSpec, clip: ClipBackbone, *, sound: bool) -> StoreSettings:
    """What a cell has decoded of each clip; `sound`: its method listens."""
    return StoreSettings(
        frames=spec.frames,
        sampling=spec.frame_sampling,
        size=clip.image_size,
        reader=spec.data["reader"],
        sound=reading_of(hearing_of(spec)) if sound else "track",
        frames_as=spec.data.get("frames_as", "raw"),  # a run from before there was a choice does not say
    )


def fresh_method(spec: RunSpec, clip: ClipBackbone, audio_width: int | None, seed: int) -> Method:
    """A cell's method with weights from the given seed and, where the authors do so, from CLIP."""
    torch.manual_seed(seed)
    words = spec.text_tokens or clip.context
    dimensions = Dimensions(clip.width, spec.frames, audio_width, words)
    method = made(find_method(spec.method), spec.config, dimensions)
    if method.authors:
        with calling(method, "authors.initialise"):
            method.authors.initialise(method, clip.text_weights())
    return method.to(chosen_device())
