"""Encoders whose weights others publish: under which names, and where on this machine they may lie.

Looked for in this order: the folders of the variable `BENCH_WEIGHTS`, the folder that `bench.toml` names
(`[weights]` `folder = "DIR"`), the Hugging Face cache, the cache of OpenAI's and open_clip's downloads,
torch's hub. What is nowhere is downloaded from the Hugging Face hub by its own library, unless the user
is offline. Where two repositories are named they hold the same weights.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.encoders.entry import EncoderEntry, encoders, registered_encoders
from core.errors import BenchError
from core.progress import Lines, Progress
from core.settings import read_settings

VARIABLE = "BENCH_WEIGHTS"
"""Names folders of weights, separated as in PATH."""
WEIGHTS_SECTION, KEY = "weights", "folder"
"""What names a folder of weights in `bench.toml`."""
OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
"""Variables of the libraries that forbid downloads."""
OPENAI_CACHE = Path("~/.cache/clip")
"""Where OpenAI's package and open_clip download single files to."""

LAYOUTS = {
    "open_clip_config.json": ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"),
    "config.json": ("model.safetensors", "pytorch_model.bin"),
}
"""Configuration -> weights, of open_clip's and of transformers' model folders; either weights will do."""


@dataclass(frozen=True)
class Published(EncoderEntry):
    """Weights that their authors have published, under a name of this project."""

    repositories: tuple[str, ...]
    """Repositories on the Hugging Face hub that hold the same weights; the first one is downloaded."""
    files: tuple[str, ...] = ()
    """Names of a single file with the same weights."""
    config: str = "config.json"
    """The layout of the first repository (see `LAYOUTS`)."""

    def place(self, progress: Progress | None = None) -> Path:
        """Where this machine has them, downloaded where it has not and may; raises as `obtain` does."""
        return obtain(self, progress)


# CLIP towers that OpenAI trained (Radford et al. 2021), with quick GELU.
VIT_B_32 = Published(
    name="ViT-B-32",
    kind="backbone",
    repositories=("timm/vit_base_patch32_clip_224.openai", "openai/clip-vit-base-patch32"),
    files=("ViT-B-32.pt",),
    config="open_clip_config.json",
    trained_on="400 million pairs of images and texts of the web (WIT), not published",
)
VIT_B_16 = Published(
    name="ViT-B-16",
    kind="backbone",
    repositories=("timm/vit_base_patch16_clip_224.openai", "openai/clip-vit-base-patch16"),
    files=("ViT-B-16.pt",),
    config="open_clip_config.json",
    trained_on="400 million pairs of images and texts of the web (WIT), not published",
)
# Audio encoders of Radford et al. 2022, Baevski et al. 2020 and Gong et al. 2021.
WHISPER_BASE = Published(
    name="whisper-base",
    kind="audio encoder",
    repositories=("openai/whisper-base",),
    trained_on="680,000 hours of transcribed web audio, not published",
)
WHISPER_SMALL = Published(
    name="whisper-small",
    kind="audio encoder",
    repositories=("openai/whisper-small",),
    trained_on="680,000 hours of transcribed web audio, not published",
)
WAV2VEC2_BASE = Published(
    name="wav2vec2-base",
    kind="audio encoder",
    repositories=("facebook/wav2vec2-base-960h",),
    trained_on="LibriSpeech, 960 hours",
)
WAV2VEC2_LARGE = Published(
    name="wav2vec2-large",
    kind="audio encoder",
    repositories=("facebook/wav2vec2-large-960h",),
    trained_on="LibriSpeech, 960 hours",
)
AST = Published(
    name="ast",
    kind="audio encoder",
    repositories=("MIT/ast-finetuned-audioset-10-10-0.4593",),
    trained_on="ImageNet, then AudioSet",
)


def published_encoders() -> Mapping[str, Published]:
    """Every published encoder by name, those of installed packages included."""
    return {name: entry for name, entry in registered_encoders().items() if isinstance(entry, Published)}


def backbone_names() -> tuple[str, ...]:
    """The CLIP towers that have a name."""
    return tuple(sorted(encoders("backbone")))


def audio_encoder_names() -> tuple[str, ...]:
    """The audio encoders that have a name, without their variants."""
    return tuple(sorted(encoders("audio encoder")))


def is_model_folder(folder: Path) -> bool:
    """Whether a folder has the configuration and the weights of open_clip's or transformers' layout.

    timm's layout has the file names of transformers' and no `model_type`.
    """
    whole = [
        config
        for config, files in LAYOUTS.items()
        if (folder / config).is_file() and any((folder / weights).is_file() for weights in files)
    ]
    return bool(whole) and (whole != ["config.json"] or bool(model_type(folder)))


def own_folders() -> list[Path]:
    """The folders of weights that the user names; raises `BenchError` for an unreadable `bench.toml`."""
    named = [
        *os.environ.get(VARIABLE, "").split(os.pathsep),
        str(read_settings(WEIGHTS_SECTION).get(KEY, "")),
    ]
    return [Path(folder).expanduser() for folder in named if folder]


def own_places(entry: Published) -> Iterator[Path]:
    """Where the user's own folders may hold an encoder: by our name, its repository's or its file's."""
    for folder in own_folders():
        yield folder / entry.name
        for repository in entry.repositories:
            yield folder / repository
            yield folder / repository.rpartition("/")[2]
        for file in entry.files:
            yield folder / file


def cached_places(entry: Published) -> Iterator[Path]:
    """Where the libraries' own caches may hold an encoder."""
    import torch
    from huggingface_hub import try_to_load_from_cache

    for repository in entry.repositories:
        for config in LAYOUTS:
            found = try_to_load_from_cache(repository, config)
            if isinstance(found, str):
                yield Path(found).parent
    for file in entry.files:
        yield OPENAI_CACHE.expanduser() / file
        yield Path(torch.hub.get_dir()) / "checkpoints" / file


def weights_folder(entry: Published) -> Path | None:
    """The model folder or the file of an encoder on this machine; None where there is none."""
    for place in (*own_places(entry), *cached_places(entry)):
        if is_model_folder(place) or place.is_file():
            return place
    return None


def obtain(entry: Published, progress: Progress | None = None) -> Path:
    """The model folder or the file of an encoder, downloaded where this machine has none and may.

    Says so to `progress` first, unless given by printing. Raises `BenchError` that names the weights, the
    places and the remedy.
    """
    found = weights_folder(entry)
    if found is not None:
        return found
    if is_offline():
        raise BenchError(f"{missing(entry)}; downloads are off ({' or '.join(OFFLINE)} or --offline)")
    return download(entry, progress or Lines())


def missing(entry: Published) -> str:
    """What is missing, where it was looked for, and how to put it there, in one line."""
    folders = ", ".join(map(str, own_folders())) or f"{VARIABLE} (not set)"
    caches = f", {OPENAI_CACHE} and torch's hub" if entry.files else ""
    return (
        f"no weights of '{entry.name}' in {folders}, the Hugging Face cache{caches}; put "
        f"{' or '.join((*entry.repositories, *entry.files))} into a folder and set {VARIABLE} to it"
    )


def is_offline() -> bool:
    """Whether one of the libraries' own variables forbids downloads."""
    return any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in OFFLINE)


def download(entry: Published, progress: Progress) -> Path:
    """The folder of an encoder in the Hugging Face cache, downloaded through that hub's library.

    Raises `BenchError` where it cannot be reached.
    """
    from huggingface_hub import snapshot_download

    repository = entry.repositories[0]
    line = f"downloading {repository} from the Hugging Face hub: the weights of '{entry.name}', once"
    progress.say(line)
    for weights in LAYOUTS[entry.config]:
        wanted = [entry.config, "preprocessor_config.json", weights]
        try:
            folder = Path(snapshot_download(repository, allow_patterns=wanted))
        except OSError as error:  # what the hub's library raises without a network, too
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise BenchError(f"{missing(entry)}; downloading {repository} failed: {reason}") from error
        if is_model_folder(folder):
            return folder
    raise BenchError(f"{repository} was downloaded to {folder} but holds no weights that are known here")


def model_type(folder: Path) -> str:
    """The `model_type` of a transformers configuration; empty where there is none.

    Raises `BenchError` where the file is not JSON.
    """
    try:
        return str(json.loads((folder / "config.json").read_text()).get("model_type", ""))
    except (OSError, ValueError, AttributeError) as error:
        raise BenchError(f"{folder / 'config.json'} cannot be read: {error}") from error
