"""CLIP weights of transformers and OpenAI under open_clip's names: the same towers, to the last digit."""

from typing import Any

import open_clip
import pytest
import torch
from open_clip.model import CLIPTextCfg, CLIPVisionCfg
from torch import Tensor
from transformers import CLIPConfig, CLIPModel

from core.encoders.clip_layouts import check_towers, open_clip_state
from core.errors import BenchError

WIDTH, JOINT, CONTEXT, VOCABULARY, LAYERS = 128, 48, 20, 100, 2
HEADS = 2
"""64 channels each, as everywhere in CLIP."""


@pytest.fixture(scope="module")
def theirs() -> CLIPModel:
    """A small CLIPModel of transformers whose every weight is random."""
    torch.manual_seed(0)
    shape = {
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
    }
    text = {
        **shape,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": CONTEXT,
        "eos_token_id": VOCABULARY - 1,
    }
    vision = {**shape, "image_size": 64, "patch_size": 16}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=JOINT)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


@pytest.fixture
def ours() -> open_clip.CLIP:
    """open_clip's towers of the same shape, with weights of their own."""
    torch.manual_seed(1)
    vision = CLIPVisionCfg(layers=LAYERS, width=WIDTH, head_width=64, patch_size=16, image_size=64)
    text = CLIPTextCfg(context_length=CONTEXT, vocab_size=VOCABULARY, width=WIDTH, heads=HEADS, layers=LAYERS)
    return open_clip.CLIP(JOINT, vision, text, quick_gelu=True).eval()


def features(model: Any, images: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    found = model.get_image_features(images), model.get_text_features(tokens)
    return tuple(getattr(one, "pooler_output", one) for one in found)


def inputs() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    tokens = torch.randint(1, VOCABULARY - 1, (3, CONTEXT), generator=generator)
    for row, end in enumerate((5, 12, CONTEXT - 1)):
        tokens[row, end] = VOCABULARY - 1
        tokens[row, end + 1 :] = 0
    return torch.randn(3, 3, 64, 64, generator=generator), tokens


@torch.no_grad()
def test_transformers_weights_give_the_same_features_under_open_clips_names(
    theirs: CLIPModel, ours: open_clip.CLIP
) -> None:
    mapped = open_clip_state(theirs.state_dict())
    check_towers(mapped, ours.state_dict(), "a file", "small")
    ours.load_state_dict(mapped)
    images, tokens = inputs()
    pictures, captions = features(theirs, images, tokens)
    torch.testing.assert_close(ours.encode_image(images), pictures, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.encode_text(tokens), captions, atol=1e-5, rtol=1e-5)


def test_openais_names_are_open_clips_own(ours: open_clip.CLIP) -> None:
    own = ours.state_dict()
    archive = {**own, "input_resolution": torch.tensor(64), "vocab_size": torch.tensor(VOCABULARY)}
    mapped = open_clip_state(archive)
    assert mapped.keys() == own.keys()
    assert all(torch.equal(mapped[name], own[name]) for name in own)


def test_constants_that_older_versions_saved_are_passed_over(theirs: CLIPModel) -> None:
    state = theirs.state_dict()
    old = {
        **state,
        "text_model.embeddings.position_ids": torch.arange(CONTEXT)[None],
        "vision_model.embeddings.position_ids": torch.arange(17)[None],
    }
    assert open_clip_state(old).keys() == open_clip_state(state).keys()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"visual.proj": torch.zeros(WIDTH, 512)}, r"visual\.proj is \(128, 512\).*\(128, 48\).*backbone="),
        ({"adapter.weight": torch.zeros(1)}, r"unknown CLIP weights.*adapter\.weight"),
        ({"ln_final.bias": None}, r"missing CLIP weights.*ln_final\.bias"),
    ],
)
def test_other_towers_are_refused_in_one_line(
    change: dict[str, Any], message: str, ours: open_clip.CLIP
) -> None:
    state = {**ours.state_dict(), **change}
    state = {name: tensor for name, tensor in state.items() if tensor is not None}
    with pytest.raises(BenchError, match=message) as caught:
        check_towers(open_clip_state(state), ours.state_dict(), "model.pt", "small")
    assert "\n" not in str(caught.value)


def test_the_scale_may_be_missing(ours: open_clip.CLIP) -> None:
    state = {name: tensor for name, tensor in ours.state_dict().items() if name != "logit_scale"}
    check_towers(state, ours.state_dict(), "model.pt", "small")
