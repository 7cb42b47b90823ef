"""CLIP's towers out of whatever layout a user has: open_clip's or transformers' folder, or a single file.

Folders say themselves which activation their model was trained with; a bare file is taken for OpenAI's,
which were trained with quick GELU. Sizes are those of the weights.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from torch import Tensor

from core.encoders.clip_layouts import check_towers, open_clip_state
from core.encoders.published import LAYOUTS, model_type
from core.encoders.state_files import check_folder, read_state
from core.errors import BenchError

if TYPE_CHECKING:
    import open_clip

Tokenizer = Callable[..., Tensor]
"""Captions to token rows."""

HEAD_WIDTH = 64
"""Channels per attention head in every CLIP that OpenAI trained."""


def open_towers(place: Path) -> tuple["open_clip.CLIP", Tokenizer]:
    """A CLIP model and its tokenizer from a model folder or a file of weights.

    Raises `BenchError` where there are none, or they are damaged.
    """
    if place.is_file():
        return _openai_towers(read_state(place), place, quick_gelu=True)
    if (place / "open_clip_config.json").is_file():
        return _open_clip_folder(place)
    if (place / "config.json").is_file():
        return _transformers_folder(place)
    raise BenchError(f"{place} cannot be loaded: it contains none of {' and '.join(LAYOUTS)}")


def _open_clip_folder(folder: Path) -> tuple["open_clip.CLIP", Tokenizer]:
    import open_clip

    check_folder(folder)
    source = f"local-dir:{folder}"
    try:
        model = open_clip.create_model(source, load_weights=True, require_pretrained=True)
        return model.eval(), open_clip.get_tokenizer(source)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise BenchError(f"{folder} cannot be loaded: {str(error).splitlines()[0]}") from error


def _transformers_folder(folder: Path) -> tuple["open_clip.CLIP", Tokenizer]:
    import transformers

    if model_type(folder) != "clip":
        raise BenchError(f"{folder} cannot be loaded: a model of type '{model_type(folder)}', not clip")
    files = LAYOUTS["config.json"]
    weights = [folder / name for name in files if (folder / name).is_file()]
    if not weights:
        raise BenchError(f"{folder} cannot be loaded: it contains none of {' and '.join(files)}")
    config = transformers.CLIPConfig.from_pretrained(folder)
    towers: tuple[Any, ...] = (config.text_config, config.vision_config)
    if any(tower.hidden_size != HEAD_WIDTH * tower.num_attention_heads for tower in towers):
        raise BenchError(f"{folder} cannot be loaded: expected {HEAD_WIDTH} channels per attention head")
    quick_gelu = all(tower.hidden_act == "quick_gelu" for tower in towers)
    return _openai_towers(read_state(weights[0]), folder, quick_gelu=quick_gelu)


def openai_towers(state: Mapping[str, Tensor], source: Path) -> tuple["open_clip.CLIP", Tokenizer]:
    """The towers of weights, which are taken for OpenAI's: quick GELU, in float32.

    Raises `BenchError` where weights are missing or unknown.
    """
    return _openai_towers(state, source, quick_gelu=True)


def _openai_towers(
    state: Mapping[str, Tensor], source: Path, *, quick_gelu: bool
) -> tuple["open_clip.CLIP", Tokenizer]:
    """Towers of the weights' own sizes, in float32."""
    import open_clip

    weights = {name: tensor.float() for name, tensor in open_clip_state(state).items()}
    try:
        model = _empty_towers(weights, quick_gelu)
    except KeyError as error:
        raise BenchError(f"{source} cannot be loaded: it holds no CLIP, {error} is missing") from error
    own = model.state_dict()
    check_towers(weights, own, str(source), source.name)
    model.load_state_dict({**own, **weights})
    model.visual.image_mean = open_clip.OPENAI_DATASET_MEAN
    model.visual.image_std = open_clip.OPENAI_DATASET_STD
    return model.eval(), open_clip.SimpleTokenizer(context_length=model.context_length)


def _empty_towers(weights: Mapping[str, Tensor], quick_gelu: bool) -> "open_clip.CLIP":
    """Fresh vision-transformer towers of the sizes that weights under open_clip's names have."""
    import open_clip

    width, _, patch, _ = weights["visual.conv1.weight"].shape
    positions = weights["visual.positional_embedding"].shape[0]
    context, text_width = weights["positional_embedding"].shape
    vision = open_clip.CLIPVisionCfg(
        layers=_layers(weights, "visual.transformer.resblocks."),
        width=width,
        head_width=HEAD_WIDTH,
        patch_size=patch,
        image_size=patch * round((positions - 1) ** 0.5),
    )
    text = open_clip.CLIPTextCfg(
        context_length=context,
        vocab_size=weights["token_embedding.weight"].shape[0],
        width=text_width,
        heads=text_width // HEAD_WIDTH,
        layers=_layers(weights, "transformer.resblocks."),
    )
    joint = weights["text_projection"].shape[1]
    return open_clip.CLIP(joint, vision, text, quick_gelu=quick_gelu)


def _layers(weights: Mapping[str, Tensor], prefix: str) -> int:
    return len({name[len(prefix) :].partition(".")[0] for name in weights if name.startswith(prefix)})
