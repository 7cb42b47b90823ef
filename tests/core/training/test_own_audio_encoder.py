"""A checkpoint that holds an audio encoder of its own: AVIGATE's AST, under the names of timm."""

from pathlib import Path

import pytest
import torch
from transformers import ASTConfig, ASTModel

from core.encoders.ast_layout import transformers_ast_state
from core.encoders.audio import AudioEncoder, OpenAudio
from core.errors import BenchError
from core.training.checkpoints import Checkpoint


def ast_config() -> ASTConfig:
    return ASTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        num_mel_bins=32,
        max_length=64,
        frequency_stride=16,
        time_stride=16,
        layer_norm_eps=1e-6,  # timm's
    )


def timms_transformer() -> torch.nn.Module:
    """The distilled DeiT that the authors of AST build on, with one channel; every weight random."""
    timm = pytest.importorskip("timm.models.deit")
    torch.manual_seed(4)
    model: torch.nn.Module = timm.VisionTransformerDistilled(
        img_size=(32, 64), patch_size=16, in_chans=1, embed_dim=32, depth=2, num_heads=2
    ).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@torch.no_grad()
def test_avigates_audio_encoder_gives_the_same_tokens_under_transformers_names() -> None:
    theirs, ours = timms_transformer(), ASTModel(ast_config()).eval()
    state = {f"v.{name}": tensor for name, tensor in theirs.state_dict().items()}
    ours.load_state_dict(transformers_ast_state({**state, "mlp_head.1.weight": torch.zeros(1)}))
    fbank = torch.randn(2, 64, 32, generator=torch.Generator().manual_seed(5))
    expected = theirs.forward_features(fbank.transpose(1, 2)[:, None])
    torch.testing.assert_close(ours(fbank).last_hidden_state, expected, atol=1e-5, rtol=1e-5)


def test_a_checkpoints_own_audio_encoder_is_used_or_refused(tmp_path: Path) -> None:
    state = {f"clip.audio.v.{name}": tensor for name, tensor in timms_transformer().state_dict().items()}
    torch.save(state, tmp_path / "model.pth")
    checkpoint = Checkpoint.read(tmp_path / "model.pth")
    ast = AudioEncoder("an AST", OpenAudio(ASTModel(ast_config()), None))
    checkpoint.load_audio(ast)
    assert torch.equal(ast.encoder.layernorm.weight, state["clip.audio.v.norm.weight"])
    with pytest.raises(BenchError, match=r"its own audio encoder, an AST, and 'avworld-whisper' is none"):
        checkpoint.load_audio(AudioEncoder.load("avworld-whisper"))
