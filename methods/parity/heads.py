"""Parity of CLIP4Clip's two headers and of AVIGATE's head."""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn

from core.errors import BenchError
from methods.avigate import Avigate
from methods.clip4clip import Clip4Clip
from methods.composed import ComposedMethod
from methods.parity.golden import Golden
from methods.parity.narrowing import as_kind
from methods.parity.setup import (
    build,
    compare_gradients,
    loss_of,
    similarities_of,
    texts_of,
    videos_of,
)
from methods.parts.fusion.gated_transformer import GatedTransformer
from methods.parts.interaction.multi_grained import local_similarity
from methods.parts.objective.margin import adaptive_margin
from methods.parts.pooling.mean import mean_of_directions, released_mean_of_directions
from methods.parts.pooling.sequence_transformer import SequenceTransformerPooling
from methods.parts.transformer import with_positions
from methods.parts.vectors import frame_cosines, unit, vector_cosines

PADDED_ROWS = 2e-4
"""Tolerance of AVIGATE's and SAVE's layers: the releases add an inert -1e4 to the logits of padded rows."""


def build_clip4clip(golden: Golden, frames: Tensor) -> ComposedMethod:
    """CLIP4Clip under the header that the file names."""
    weights, header = golden.inputs("weights."), golden.setting("header")
    if header == "meanP":
        return build(golden, Clip4Clip, frames, weights, {})
    if header != "seqTransf":
        raise BenchError(f"{golden.path.name}: unknown header '{header}'; known: meanP, seqTransf")
    config = {
        "pooling": "sequence-transformer",
        "transformer_layers": golden.integer("layers"),
        "transformer_heads": golden.integer("heads"),
        "positions": position_rows(weights),
    }
    return build(golden, Clip4Clip, frames, weights, config)


def position_rows(weights: dict[str, Tensor]) -> int:
    """Rows of the recorded frame position table."""
    table = weights.get("frame_position_embeddings.weight")
    return 1 if table is None else len(table)


def check_clip4clip(golden: Golden) -> None:
    """Logits, both directions of the loss, gradients, an unpaired batch, and the released NaN columns."""
    texts, frames = golden.input("in.text").requires_grad_(), golden.input("in.frames").requires_grad_()
    mask = golden.input("in.video_mask").bool()
    method = build_clip4clip(golden, frames)
    logits = method.logit_scale.exp() * similarities_of(method, texts[:, 0], videos_of(frames, mask))
    golden.compare("out.logits", logits)
    # -1/B sum_i log softmax_j(s_ij)_i, and of the transposed logits
    golden.compare("out.loss_t2v", -logits.log_softmax(1).diagonal().mean())
    golden.compare("out.loss_v2t", -logits.log_softmax(0).diagonal().mean())
    loss = loss_of(method, texts_of(texts[:, 0]), videos_of(frames, mask))
    golden.compare("out.loss", loss)
    loss.backward()
    transforms = golden.setting("header") == "seqTransf"
    inputs = {"in.text": texts, "in.frames": frames, "logit_scale": method.logit_scale}
    required = ("frame_position_embeddings.", "transformerClip.") if transforms else ()
    compare_gradients(golden, "grad.", method, inputs, required)
    if transforms:
        pooling = as_kind(method.pooling, SequenceTransformerPooling)
        # intermediate states say which layer is off, where the end alone would not
        first = pooling.transformer[0](with_positions(frames, pooling.frame_positions), mask)
        golden.compare("mid.after_block0", first)
        golden.compare("mid.frames_after_temporal_plus_residual", pooling.contextual(frames, mask))
    with torch.no_grad():
        check_clip4clip_evaluation(golden, method)


def check_clip4clip_evaluation(golden: Golden, method: ComposedMethod) -> None:
    """More texts than videos; then an empty mask and zero frames, NaN by the released normalisation."""
    texts, frames = golden.input("eval.in.text")[:, 0], golden.input("eval.in.frames")
    mask = golden.input("eval.in.video_mask").bool()
    empty = golden.input("eval.in.video_mask_with_empty_video0").bool()
    scale = method.logit_scale.exp()

    def contextual(frames: Tensor, mask: Tensor) -> Tensor:
        if golden.setting("header") == "meanP":
            return frames
        return as_kind(method.pooling, SequenceTransformerPooling).contextual(frames, mask)

    def logits(pool: Callable[[Tensor, Tensor], Tensor], frames: Tensor, mask: Tensor) -> Tensor:
        return scale * vector_cosines(texts[:, None], unit(pool(contextual(frames, mask), mask)))

    golden.compare("eval.out.logits", logits(mean_of_directions, frames, mask))
    # recorded as NaN, which only the released order of operations gives
    golden.compare("eval.out.logits_empty_mask_video0", logits(released_mean_of_directions, frames, empty))
    # a zero frame is 0 / 0 in the released order even where the mask leaves it out
    zeroed = torch.where(mask[..., None], frames, torch.zeros_like(frames))
    golden.compare("eval.out.logits_zero_padded_frames", logits(released_mean_of_directions, zeroed, mask))


def check_avigate(golden: Golden) -> None:
    """Resampler, gated transformer, both grains, the margin, the loss and its gradients."""
    weights = golden.inputs("w/")
    texts, frames = golden.input("in/text").requires_grad_(), golden.input("in/frames").requires_grad_()
    audio = golden.input("in/audio_tokens").requires_grad_()
    mask = golden.input("in/frame_mask").bool()
    config = {
        "audio_projection": "none",
        "queries": golden.integer("queries"),
        "resampler_layers": golden.integer("resampler_layers"),
        "transformer_layers": golden.integer("fusion_layers"),
        "transformer_heads": golden.integer("heads"),
        "positions": position_rows(weights),
        "residual": golden.number("residual"),
        "temperature": golden.number("lam"),
        "margin_beta": golden.number("beta"),
        "margin_delta": golden.number("margin"),
    }
    method = build(golden, Avigate, frames, weights, config, audio.shape[-1])
    with torch.no_grad():
        check_avigate_layers(golden, method, frames, audio, mask)
        check_avigate_similarities(golden, method, texts, frames, audio, mask)
    videos = videos_of(frames, mask, audio)
    cosines = similarities_of(method, texts, videos)
    # the margin compares pictures before any sound
    visual = mean_of_directions(method.fusion.visual(frames), mask)
    margin = adaptive_margin(texts, visual, golden.number("beta"), golden.number("margin"))
    golden.compare("train/margin", margin)
    golden.compare("train/logits", method.logit_scale.exp() * (cosines + margin))
    loss = loss_of(method, texts_of(texts), videos)
    golden.compare("train/loss", loss)
    loss.backward()
    inputs = {"in.text": texts, "in.frames": frames, "in.audio_tokens": audio}
    required = ("clip.logit_scale", "query_tokens", "transformer_Fusion.", "transformerClip.")
    compare_gradients(golden, "grad/", method, inputs, required)


class PaddedRowBias(nn.Module):
    """Cross-attention as released: -1e4 on every logit of a padded frame's row.

    Softmax does not see it, but float32 rounds those rows' logits to 1e-3, and the next layer's gates look
    at the mean over all rows.
    """

    def __init__(self, attention: nn.Module, mask: Tensor) -> None:
        super().__init__()
        self.attention = attention
        self.bias = -1e4 * (~mask)[..., None].float()  # (B, F, 1)

    def forward(self, query: Tensor, source: Tensor) -> Tensor:
        """`(B, F, D)` attends `(B, Q, D)`."""
        attended: Tensor = self.attention(query, source, self.bias.expand(-1, -1, source.shape[1]))
        return attended


def check_avigate_layers(
    golden: Golden, method: ComposedMethod, frames: Tensor, audio: Tensor, mask: Tensor
) -> None:
    """The state after each layer, and both gates of each clip and layer."""
    # a copy, because the released bias is put into its attention
    fusion = as_kind(deepcopy(method.fusion), GatedTransformer)
    videos = videos_of(frames, audio=audio)
    # layer by layer, so that a deviation has a place
    queries = (fusion.query_tokens.T + fusion.query_positions.weight).expand(len(frames), -1, -1)
    for number, resampler in enumerate(fusion.resampler_blocks()):
        queries = resampler.resample(queries, audio, None)
        golden.compare(f"eval/resampler_layer{number}", queries)
    golden.compare("eval/resampled_audio", fusion.resampled(videos))
    state = fusion.visual(frames)
    gates = []
    for number, block in enumerate(fusion.fusion_blocks()):
        block.cross_attn = PaddedRowBias(block.cross_attn, mask)
        gates.append(torch.cat(block.gates(state, queries), dim=-1))
        state = block.fuse(state, queries)
        golden.compare(f"eval/fusion_layer{number}", state, atol=PADDED_ROWS)
    golden.compare("eval/fused", fusion.encode(videos)[0])
    attention, feed_forward = torch.stack(gates, dim=1).unbind(-1)  # (B, layers) each
    golden.compare("eval/attn_gate", attention)
    golden.compare("eval/ff_gate", feed_forward)


def check_avigate_similarities(
    golden: Golden, method: ComposedMethod, texts: Tensor, frames: Tensor, audio: Tensor, mask: Tensor
) -> None:
    """The global vector, both grains and their mean, all times the logit scale."""
    videos, scale = videos_of(frames, mask, audio), method.logit_scale.exp()
    fused = method.index(videos).videos
    direction = method.pooling(texts, fused).direction
    golden.compare("eval/video_global", direction)
    cosines = frame_cosines(texts[:, None], unit(fused.frames))
    local = local_similarity(cosines, mask, scale, method.parts.temperature)
    golden.compare("eval/local", scale * local)
    golden.compare("eval/global", scale * vector_cosines(texts[:, None], direction))
    golden.compare("eval/logits", scale * similarities_of(method, texts, videos))
