"""CLIP weights in every layout that users have give the same towers; what is no CLIP is refused by name."""

import json
import pickle
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPModel

from core.encoders.clip import ClipBackbone
from core.encoders.clip_layouts import open_clip_state
from core.errors import BenchError

close = partial(torch.testing.assert_close, atol=1e-5, rtol=1e-5)

CAPTIONS = ["a dog barks", "somebody plays the piano while it rains"]


@pytest.fixture(scope="module")
def theirs() -> CLIPModel:
    """A small CLIPModel of transformers with random weights and CLIP's own vocabulary."""
    torch.manual_seed(0)
    shape = {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision = {**shape, "image_size": 32, "patch_size": 16}
    text = {**shape, "eos_token_id": 49407}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=64)).eval()


@pytest.fixture(scope="module")
def state(theirs: CLIPModel) -> dict[str, Tensor]:
    """Its weights under open_clip's and OpenAI's names."""
    return {name: tensor.contiguous() for name, tensor in open_clip_state(theirs.state_dict()).items()}


def script_archive(state: Mapping[str, Tensor], path: Path) -> None:
    """A TorchScript archive of the weights, with the numbers that OpenAI's archives have beside them."""
    root = nn.Module()
    numbers = {"input_resolution": torch.tensor(32), "context_length": torch.tensor(77)}
    for name, tensor in {**state, **numbers}.items():
        *path_, leaf = name.split(".")
        place = root
        for part in path_:
            if not hasattr(place, part):
                place.add_module(part, nn.Module())
            place = getattr(place, part)
        place.register_buffer(leaf, tensor)
    torch.jit.save(torch.jit.script(root), path)


def write(layout: str, folder: Path, theirs: CLIPModel, state: dict[str, Tensor]) -> Path:
    """The same weights in one of the layouts; returns what a user passes."""
    folder.mkdir()
    if layout.startswith("transformers"):
        theirs.save_pretrained(folder)
        if layout == "transformers-bin":
            (folder / "model.safetensors").unlink()
            torch.save(theirs.state_dict(), folder / "pytorch_model.bin")
        return folder
    if layout == "open_clip":
        tower = {"layers": 2, "width": 128}
        config = {
            "embed_dim": 64,
            "quick_gelu": True,
            "vision_cfg": {**tower, "image_size": 32, "patch_size": 16, "head_width": 64},
            "text_cfg": {**tower, "context_length": 77, "vocab_size": 49408, "heads": 2},
        }
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
        save_file(state, folder / "open_clip_model.safetensors")
        return folder
    file = folder / f"weights.{'safetensors' if layout == 'safetensors' else 'pt'}"
    if layout == "safetensors":
        save_file(state, file)
    elif layout == "openai":
        script_archive(state, file)
    elif layout == "training":
        parallel = {f"module.{name}": tensor for name, tensor in state.items()}
        torch.save({"epoch": 3, "state_dict": parallel}, file)
    else:
        torch.save(theirs.state_dict(), file)
    return file


LAYOUTS = ("transformers", "transformers-bin", "open_clip", "safetensors", "openai", "training", "file")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_transformers_features(layout, theirs, state, tmp_path):
    clip = ClipBackbone.load(str(write(layout, tmp_path / "weights", theirs, state)))
    assert (clip.width, clip.context, clip.image_size) == (64, 77, 32)
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    tokens = clip.tokenise(CAPTIONS)
    with torch.inference_mode():
        pictures, captions = theirs.get_image_features(images), theirs.get_text_features(tokens)
        torch.testing.assert_close(
            clip.model.encode_image(images), pictures.pooler_output, atol=1e-5, rtol=1e-5
        )
        torch.testing.assert_close(clip.encode_text(tokens), captions.pooler_output, atol=1e-5, rtol=1e-5)


def test_every_layout_of_the_same_weights_has_the_same_fingerprint(theirs, state, tmp_path):
    found = {
        ClipBackbone.load(str(write(name, tmp_path / name, theirs, state))).fingerprint for name in LAYOUTS
    }
    assert len(found) == 1


def test_pixels_are_normalised_as_openai_did(theirs, state, tmp_path):
    clip = ClipBackbone.load(str(write("file", tmp_path / "weights", theirs, state)))
    assert clip.model.visual.image_mean == open_clip.OPENAI_DATASET_MEAN
    assert clip.model.visual.image_std == open_clip.OPENAI_DATASET_STD


def test_a_tower_without_quick_gelu_keeps_its_own_activation(theirs, tmp_path):
    config = json.loads(theirs.config.to_json_string(use_diff=False))
    for tower in ("text_config", "vision_config"):
        config[tower]["hidden_act"] = "gelu"
    other = CLIPModel(CLIPConfig(**config)).eval()
    other.load_state_dict(theirs.state_dict())
    other.save_pretrained(tmp_path)
    clip = ClipBackbone.load(str(tmp_path))
    tokens = clip.tokenise(CAPTIONS)
    with torch.inference_mode():
        expected = other.get_text_features(tokens).pooler_output
        close(clip.encode_text(tokens), expected)


class Poison:
    """Runs a command where a pickle of it is loaded carelessly."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def test_a_poisoned_pickle_is_refused_and_not_run(tmp_path):
    for name, content in (
        ("a.pt", {"state_dict": Poison(tmp_path / "ran")}),
        ("b.pt", Poison(tmp_path / "ran")),
    ):
        torch.save(content, tmp_path / name)
    (tmp_path / "c.pt").write_bytes(pickle.dumps(Poison(tmp_path / "ran")))
    for name in ("a.pt", "b.pt", "c.pt"):
        with pytest.raises(
            BenchError, match=rf"{name} (is a pickle that needs .*refused|holds no weights)"
        ) as error:
            ClipBackbone.load(str(tmp_path / name))
        assert "\n" not in str(error.value)
    assert not (tmp_path / "ran").exists()


def test_what_is_no_clip_is_one_clear_line(tmp_path, state):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "config.json").write_text('{"model_type": "clip"}')
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "config.json").write_text("{")
    (tmp_path / "half.safetensors").write_bytes(b"\0" * 100)
    torch.save({"a": 1}, tmp_path / "number.pt")
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pt")
    torch.save({n: t for n, t in state.items() if n != "ln_final.bias"}, tmp_path / "torn.pt")
    for name, reason in (
        ("empty", r"cannot be loaded: it contains none of open_clip_config\.json and config\.json"),
        ("bert", "a model of type 'bert', not clip"),
        ("bare", r"it contains none of model\.safetensors and pytorch_model\.bin"),
        ("torn", r"config\.json cannot be read"),
        ("half.safetensors", "holds no weights that can be read"),
        ("number.pt", "its entry 'a' is int"),
        ("other.pt", r"it holds no CLIP, 'visual\.conv1\.weight' is missing"),
        ("torn.pt", r"missing CLIP weights.*ln_final\.bias"),
        ("nowhere", "no such file or folder"),
    ):
        with pytest.raises(BenchError, match=reason) as error:
            ClipBackbone.load(str(tmp_path / name))
        assert "\n" not in str(error.value)
        assert name in str(error.value)
