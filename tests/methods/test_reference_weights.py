"""Initialisation as the authors', weights from CLIP, and checkpoints under the authors' names."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from core.authors import ClipTextWeights, renamed
from core.errors import BenchError
from core.method import Dimensions
from core.registry import registered_methods
from methods.avigate import Avigate
from methods.clip4clip import Clip4Clip
from methods.composed import ComposedMethod
from methods.gaid import Gaid
from methods.parts.transformer import TransformerBlock
from methods.tmass import DEAD_SCALAR, TMass
from tests.methods.small_worlds import (
    AUDIO_WIDTH,
    FRAMES,
    SMALL,
    WIDTH,
    random_method,
    random_texts,
    random_videos,
)

NAMES = sorted(name for name, cls in registered_methods().items() if issubclass(cls, ComposedMethod))


def authors_state(method: ComposedMethod) -> dict[str, Tensor]:
    """The method's weights under the authors' names."""
    back = {ours: authors for authors, ours in method.authors.names.items()}
    return {renamed(name, back): tensor.clone() for name, tensor in method.state_dict().items()}


@pytest.mark.parametrize("name", NAMES)
def test_weights_survive_the_authors_names(name: str) -> None:
    cls = registered_methods()[name]
    config = {} if name == "clip4clip" else {"audio_projection": "none"}
    one = cls(cls.Config(**{**SMALL, **config}), Dimensions(WIDTH, 5, WIDTH))
    other = cls(cls.Config(**{**SMALL, **config}), Dimensions(WIDTH, 5, WIDTH))
    with torch.no_grad():
        for parameter in one.parameters():
            parameter.normal_()
    other.authors.load(other, authors_state(one))
    for key, tensor in one.state_dict().items():
        assert torch.equal(other.state_dict()[key], tensor), key


@pytest.mark.parametrize("method", [TMass, Gaid])
def test_tower_and_dead_keys_are_passed_over(method: type[ComposedMethod]) -> None:
    built = random_method(method=method, audio_projection="none") if method is TMass else gaid()
    state = authors_state(built)
    built.authors.load(built, {**state, "clip.visual.proj": torch.zeros(3), DEAD_SCALAR: torch.zeros(1)})


def gaid() -> ComposedMethod:
    return Gaid(Gaid.Config(), Dimensions(WIDTH, 5, WIDTH))


def test_unknown_missing_and_misshapen_keys_are_named_and_nothing_is_loaded() -> None:
    built = gaid()
    state = {key: tensor + 1 for key, tensor in authors_state(built).items()}
    before = {key: tensor.clone() for key, tensor in built.state_dict().items()}
    with pytest.raises(BenchError, match=r"gaid: unknown keys .*surplus\.weight"):
        built.authors.load(built, {**state, "surplus.weight": torch.zeros(1)})
    with pytest.raises(BenchError, match=r"gaid: missing keys .*gate_fc\.bias"):
        built.authors.load(built, {key: t for key, t in state.items() if key != "gate_fc.bias"})
    with pytest.raises(
        BenchError, match=r"gaid: misshapen keys .*gate_fc\.weight is \(1, 5\), not \(1, 24\)"
    ):
        built.authors.load(built, {**state, "gate_fc.weight": torch.zeros(1, 5)})
    with pytest.raises(BenchError, match=r"gaid: missing keys .*clip\.logit_scale"):
        built.authors.load(built, {key: t for key, t in state.items() if key != "clip.logit_scale"})
    assert all(torch.equal(built.state_dict()[key], tensor) for key, tensor in before.items())


def test_avigates_projection_is_a_transposed_matrix() -> None:
    built = Avigate(Avigate.Config(**{**SMALL, "audio_projection": "linear"}), Dimensions(WIDTH, 5, 6))
    state = authors_state(built)
    matrix = torch.randn(6, WIDTH)
    state.pop("audio_projection.weight")
    built.authors.load(built, {**state, "audio_projection": matrix})
    assert_close(built.fusion.projection.linear(torch.eye(6)), matrix)


@torch.no_grad()
def test_gaids_projection_of_wav2vec2_is_loaded_and_a_silent_clip_is_its_bias() -> None:
    """As the released code has it: a linear map of every state, zeros for a silent clip among them."""
    linear = torch.nn.Linear(AUDIO_WIDTH, WIDTH).double()
    state = {f"linear.{name}": tensor for name, tensor in linear.state_dict().items()}
    config = {**Gaid.authors.config(state), "audio_alignment": "released"}
    built = Gaid(Gaid.Config(**config), Dimensions(WIDTH, FRAMES, AUDIO_WIDTH)).double()
    assert Gaid.authors.audio_width(state) == AUDIO_WIDTH
    own = {key: t for key, t in authors_state(built).items() if not key.startswith("linear.")}
    built.authors.load(built, {**own, **state})
    videos = random_videos(5)
    assert videos.has_audio is not None
    assert not videos.has_audio.all()
    expected = torch.nn.functional.adaptive_avg_pool1d(linear(videos.audio).transpose(1, 2), FRAMES)
    assert_close(built.fusion.aligned(videos), expected.transpose(1, 2), rtol=0, atol=1e-12)


def test_pooling_starts_as_the_identity_and_the_radius_with_one_frame_per_channel() -> None:
    method = TMass(TMass.Config(), Dimensions(WIDTH, 5))
    for part in (*method.pooling.cross_attn.children(), method.pooling.linear_proj):
        assert torch.equal(part.weight, torch.eye(WIDTH))
        assert not part.bias.any()
    assert torch.equal(method.perturbation.radius.weight, torch.eye(WIDTH, 5))
    assert not method.perturbation.radius.bias.any()
    assert float(gaid().perturbation.alpha.detach()) == 0.5


def test_avigate_starts_as_the_authors_do() -> None:
    method = Avigate(Avigate.Config(), Dimensions(128, 12, 128))
    tokens = method.fusion.query_tokens
    assert_close(tokens.T @ tokens, torch.eye(12), rtol=0, atol=1e-5)
    assert float(method.fusion.query_positions.weight.detach().std()) == pytest.approx(0.02, rel=0.1)
    for block in method.fusion.fusion_blocks():
        assert float(block.cross_ff.cross_fc.weight.detach().std()) == pytest.approx(0.02, rel=0.05)
        bound = (6 / (4 * 128)) ** 0.5  # Xavier-uniform of the packed (3D, D) matrix
        assert 0.99 * bound < float(block.cross_attn.in_proj_weight.detach().abs().max()) <= bound
        assert block.ln_3.eps == block.ln_1.eps == 1e-12
        assert all(
            "bias" not in name
            for gate in (block.attn_gate, block.ff_gate)
            for name, _ in gate.named_parameters()
        )
    assert float(method.fusion.projection.linear.weight.detach().std()) == pytest.approx(128**-0.5, rel=0.05)
    assert method.fusion.projection.linear.bias is None


def clip_weights(layers: int, width: int, heads: int, context: int) -> ClipTextWeights:
    blocks = tuple(TransformerBlock(width, heads).state_dict() for _ in range(layers))
    return ClipTextWeights(blocks, torch.randn(context, width), heads)


def test_transformers_copy_clips_first_text_layers() -> None:
    clip = clip_weights(6, WIDTH, 2, 40)
    config = {"transformer_layers": 2, "resampler_layers": 1, "transformer_heads": 2}
    sequence = Clip4Clip(Clip4Clip.Config(**config, pooling="sequence-transformer"), Dimensions(WIDTH, 5))
    sequence.authors.initialise(sequence, clip)
    assert sequence.initialised_from_clip == ("pooling.frame_positions", "pooling.transformer")
    assert torch.equal(sequence.pooling.frame_positions.weight[:40], clip.positions)
    avigate = Avigate(Avigate.Config(**config), Dimensions(WIDTH, 5, WIDTH))
    fresh = {name: p.clone() for name, p in avigate.named_parameters() if "cross" in name or "gate" in name}
    avigate.authors.initialise(avigate, clip)
    assert len(avigate.initialised_from_clip) == 3
    for transformer in (sequence.pooling.transformer, avigate.fusion.transformer, avigate.fusion.resampler):
        for block, layer in zip(transformer, clip.blocks, strict=False):
            for key, weight in layer.items():
                assert torch.equal(block.state_dict()[key], weight)
    assert all(torch.equal(dict(avigate.named_parameters())[name], p) for name, p in fresh.items())


@pytest.mark.parametrize(
    "clip", [clip_weights(1, WIDTH, 2, 40), clip_weights(4, WIDTH, 4, 40), clip_weights(4, 16, 2, 40)]
)
def test_where_clip_does_not_fit_the_blocks_keep_their_fresh_weights(clip: ClipTextWeights) -> None:
    config = {"transformer_layers": 2, "transformer_heads": 2, "pooling": "sequence-transformer"}
    method = Clip4Clip(Clip4Clip.Config(**config), Dimensions(WIDTH, 5))
    before = {name: p.clone() for name, p in method.pooling.transformer.named_parameters()}
    method.authors.initialise(method, clip)
    assert "pooling.transformer" not in method.initialised_from_clip
    assert all(torch.equal(p, before[name]) for name, p in method.pooling.transformer.named_parameters())


def test_rate_groups() -> None:
    groups = {
        name: Avigate.authors.rate_group(name) for name, _ in random_method(method=Avigate).named_parameters()
    }
    assert groups["logit_scale"] == "clip"
    assert groups.pop("fusion.query_tokens") == "query_tokens"
    assert {group for name, group in groups.items() if name != "logit_scale"} == {"new"}


def test_half_precision_features_are_scored_in_the_methods_precision() -> None:
    method, texts, videos = random_method(method=Avigate).float(), random_texts(3), random_videos(3)
    half = type(texts)(texts.embeds.half(), texts.keys)
    sound = type(videos)(**{**vars(videos), "frames": videos.frames.half(), "audio": videos.audio.half()})
    scores = method.score(half, method.index(sound), None)
    exact = random_method(method=Avigate)
    assert scores.dtype == torch.float32
    assert_close(scores.double(), exact.score(texts, exact.index(videos), None), rtol=0, atol=5e-3)
    assert method.index(sound).videos.frames.dtype == torch.float32
