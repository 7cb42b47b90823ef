"""Parity of heads that join picture, sound and speech: VAST, VALOR, SAVE."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from core.authors import load_renamed
from core.errors import BenchError
from methods.parity.golden import Golden
from methods.parity.heads import PADDED_ROWS
from methods.parity.modules import SCALE_NAMES
from methods.parity.narrowing import as_kind, given
from methods.parity.setup import compare_gradients_of
from methods.parts.fusion.gated_speech import Shares, joined_branches
from methods.parts.fusion.gated_transformer import GatedFusionBlock, ResamplerBlock, branch
from methods.parts.interaction.multi_grained import local_similarity
from methods.parts.interaction.token_wise import (
    Tokens,
    WeightNet,
    softmax_weights,
    token_wise,
    token_wise_scores,
)
from methods.parts.modality_heads import ModalityHeads, mean_class_token, pooled_modality
from methods.parts.objective.alignment import (
    alignment_loss,
    audio_visual_similarities,
    teacher_similarities,
)
from methods.parts.objective.infonce import symmetric_infonce
from methods.parts.objective.margin import adaptive_margin
from methods.parts.objective.smoothed import smoothed_infonce
from methods.parts.pooling.mean import mean_of_directions
from methods.parts.transformer import with_positions
from methods.parts.vectors import frame_cosines, masked_mean, unit

INPUTS = {"t": "text", "s": "subtitle", "v": "vision", "a": "audio"}
"""Modality -> the encoder whose states it is made of."""
GRADIENTS = 2e-5
"""Tolerance of SAVE's gradients."""


def cleared(tensors: list[Tensor]) -> None:
    """Forgets gradients of an earlier loss."""
    for tensor in tensors:
        tensor.grad = None


class VastHead(nn.Module):
    """Linear heads of single modalities, one with bias over their concatenation for several, temperature."""

    def __init__(self, golden: Golden, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        heads = {key.split(".")[0]: w for key, w in weights.items() if key.endswith("weight")}
        named = {key.removeprefix("contra_head_"): w for key, w in heads.items()}
        single, joint = ({m: w for m, w in named.items() if (len(m) == 1) == one} for one in (True, False))
        self.heads = ModalityHeads({m: w.shape[1] for m, w in single.items()}, len(single["t"]))
        self.joint = nn.ModuleDict({m: nn.Linear(w.shape[1], len(w)) for m, w in joint.items()})
        self.temperature = nn.Parameter(torch.ones(()))
        self.names = {f"contra_head_{m}.linear.": f"heads.maps.{m}." for m in single}
        self.names |= {f"contra_head_{m}.": f"joint.{m}." for m in joint} | {"contra_temp": "temperature"}
        load_renamed(self, golden.kind, weights, self.names, frozenset())

    def forward(self, modalities: str, states: Mapping[str, Tensor]) -> Tensor:
        """Unit vector `(B, D)` of one modality or of several, picture first."""
        pooled = [pooled_modality(m, states[m]) for m in modalities]
        if len(modalities) == 1:
            vector: Tensor = self.heads(modalities, pooled[0])
            return vector
        # unit(W [v; a; s] + b)
        return unit(self.joint[modalities](torch.cat(pooled, dim=-1)))


def check_vast(golden: Golden) -> None:
    """Features of every modality and concatenation; scores, loss and gradients of every task."""
    head = VastHead(golden, golden.inputs("w/"))
    states = {m: golden.input(f"in/{name}_states").requires_grad_() for m, name in INPUTS.items()}
    for modalities in (*head.heads.maps, *head.joint):
        golden.compare(f"out/feat_{modalities}", head(modalities, states))
    for task in ("v", "a", *head.joint):
        text, video = head("t", states), head(task, states)
        golden.compare(f"out/sims_t{task}", text @ video.T)
        # rows with detached videos, columns with detached texts, as under the gather of the release
        loss = smoothed_infonce(
            text @ video.detach().T / head.temperature,
            text.detach() @ video.T / head.temperature,
            golden.number("label_smoothing"),
        )
        golden.compare(f"out/loss_t{task}", loss)
        cleared([*head.parameters(), *states.values()])
        loss.backward()
        inputs = {f"in.{INPUTS[m]}_states": states[m] for m in ("t", *task)}
        compare_gradients_of(golden, f"grad_t{task}/", head, head.names, inputs, ("contra_temp",))


class ValorHead(nn.Module):
    """VALOR's fine and coarse heads; which of its parts exist, the variant's weights say."""

    def __init__(self, golden: Golden, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        linear = {k.split(".")[0][-1]: w for k, w in weights.items() if k.endswith(".linear.weight")}
        width = len(linear["t"])
        self.heads = ModalityHeads({m: w.shape[1] for m, w in linear.items()}, width)
        sides = {side: f"{side}_fine_weight." for side in ("text", "video", "audio")}
        self.weights = nn.ModuleDict(
            {side: WeightNet(width, 2) for side, key in sides.items() if f"{key}0.weight" in weights}
        )
        fused = weights.get("va_fusion.weight")
        self.fused = None if fused is None else nn.Linear(fused.shape[1], len(fused))
        self.logit_scale = nn.Parameter(torch.zeros(()))
        self.names = {f"contra_head_{m}.linear.": f"heads.maps.{m}." for m in linear}
        self.names |= {key: f"weights.{side}." for side, key in sides.items()}
        self.names |= {"va_fusion.": "fused.", "clip_model.logit_scale": "logit_scale"}
        load_renamed(self, golden.kind, weights, self.names, frozenset())

    def fine(self, mask: Tensor, states: Mapping[str, Tensor], task: str, late: bool) -> Tensor:
        """Token-wise scores `(N, V)`; `late` adds the scores of picture and sound with even weights."""
        words = self.heads("t", states["t"])
        parts = {m: self.heads(m, states[m][:, :, 0]) for m in task}
        if late:
            word_weights = mask.float() / mask.sum(-1, keepdim=True)
            even = {m: z.new_full(z.shape[:2], 1 / z.shape[1]) for m, z in parts.items()}
            # every modality is compared by itself, and the scores are added
            scores = [
                token_wise(masked_cosines(words, mask, z), word_weights, even[m]) for m, z in parts.items()
            ]
            return torch.stack(scores).sum(0)
        word_weights = softmax_weights(self.weights["text"](words)[..., 0], mask)
        nets = {"v": "video", "a": "audio"}
        # frames and sounds share one softmax
        logits = torch.cat([self.weights[nets[m]](z)[..., 0] for m, z in parts.items()], dim=1)
        tokens = torch.cat(list(parts.values()), dim=1)
        return token_wise(masked_cosines(words, mask, tokens), word_weights, logits.softmax(-1))

    def coarse(self, ends: Tensor, states: Mapping[str, Tensor], task: str, late: bool) -> Tensor:
        """Cosines `(N, V)` of the end mark's state with means of raw states, joined or added."""
        # the end mark has the largest number of the vocabulary, which is how the release finds it
        text: Tensor = self.heads("t", states["t"][torch.arange(len(ends)), ends])
        parts: list[Tensor] = [self.heads(m, mean_class_token(states[m])) for m in task]
        if late or len(parts) == 1:
            return torch.stack([text @ part.T for part in parts]).sum(0)
        joint: Tensor = given(self.fused)(torch.cat(parts, dim=-1))
        return text @ unit(joint).T


def masked_cosines(words: Tensor, mask: Tensor, tokens: Tensor) -> Tensor:
    """Cosines `(N, V, L, K)` of unit words and tokens, 0 for padded words as released."""
    # C_lk = m_l w_l . z_k
    return torch.einsum("nld,vkd->nvlk", words * mask[..., None], tokens)


def check_valor(golden: Golden) -> None:
    """Every variant and task with loss and gradients; scores from given tokens and weights."""
    tokens = golden.input("in/tokens")
    states = {m: golden.input(f"in/{INPUTS[m]}_states").requires_grad_() for m in ("t", "v", "a")}
    for name in golden.endings("out/sims_"):
        variant, task = name.rsplit("_t", 1)
        grain, late = variant.removesuffix("_late"), variant.endswith("_late")
        if grain not in ("fine", "coarse"):
            raise BenchError(f"{golden.path.name}: unknown variant '{variant}'; known: fine, coarse, .._late")
        head = ValorHead(golden, golden.inputs(f"w_{variant}/"))
        if grain == "fine":
            scores = head.fine(tokens != 0, states, task, late)
        else:
            scores = head.coarse(tokens.argmax(-1), states, task, late)
        golden.compare(f"out/sims_{name}", scores)
        loss = symmetric_infonce(head.logit_scale.exp() * scores)
        golden.compare(f"out/loss_{name}", loss)
        cleared(list(states.values()))
        loss.backward()
        inputs = {f"in.{INPUTS[m]}_states": states[m] for m in ("t", *task)}
        compare_gradients_of(
            golden, f"grad_{name}/", head, head.names, inputs, ("clip_model.logit_scale", "contra_head_t.")
        )
    mask = golden.input("eval/in_text_mask").bool()
    words, videos = golden.input("eval/in_text"), golden.input("eval/in_video")
    raw = golden.input("eval/in_text_weights"), golden.input("eval/in_video_weights")
    weights = softmax_weights(raw[0], mask), raw[1].softmax(-1)
    golden.compare("eval/sims", token_wise(masked_cosines(words, mask, videos), *weights))
    everywhere = torch.ones(videos.shape[:2], dtype=torch.bool)
    # the algebra has to give the recorded scores as well
    packed = Tokens(words, weights[0], mask), Tokens(videos, weights[1], everywhere)
    golden.compare("eval/sims", token_wise_scores(*packed))


class SaveHead(nn.Module):
    """SAVE's two gated transformers, one over the resampled sound and one over the speech's tokens."""

    names: ClassVar[Mapping[str, str]] = {
        **SCALE_NAMES,
        "query_tokens": "query_tokens",
        "query_position_embeddings.": "query_positions.",
        "frame_position_embeddings.": "frame_positions.",
        "Audio_Resampler.resblocks.": "resampler.",
        "transformerClip.resblocks.": "sound.",
        "transformerClip_ASR.resblocks.": "speech.",
    }

    def __init__(self, golden: Golden, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        width, queries = weights["query_tokens"].shape
        heads, layers = golden.integer("heads"), golden.integer("fusion_layers")
        self.logit_scale = nn.Parameter(torch.zeros(()))
        self.query_tokens = nn.Parameter(torch.zeros(width, queries))
        self.query_positions = nn.Embedding(queries, width)
        self.frame_positions = nn.Embedding(len(weights["frame_position_embeddings.weight"]), width)
        resampler_layers = golden.integer("resampler_layers")
        self.resampler = nn.ModuleList(ResamplerBlock(width, heads) for _ in range(resampler_layers))
        self.sound = nn.ModuleList(GatedFusionBlock(width, heads) for _ in range(layers))
        self.speech = nn.ModuleList(GatedFusionBlock(width, heads) for _ in range(layers))
        load_renamed(self, golden.kind, weights, self.names, frozenset({"asr_query_tokens"}))

    def resampled(self, audio: Tensor) -> Tensor:
        """The sound `(V, T, D)` as query tokens `(V, Q, D)`."""
        queries = (self.query_tokens.T + self.query_positions.weight).expand(len(audio), -1, -1)
        for block in self.resampler:
            queries = as_kind(block, ResamplerBlock).resample(queries, audio, None)
        return queries


def check_save(golden: Golden) -> None:
    """Both branches with their gates, both grains, margin, alignment, loss and gradients."""
    head = SaveHead(golden, golden.inputs("w/"))
    names = ("text", "frames", "audio_tokens", "speech_tokens")
    text, frames, audio, speech = (golden.input(f"in/{name}").requires_grad_() for name in names)
    mask = golden.input("in/frame_mask").bool()
    start = with_positions(frames, head.frame_positions)
    queries = head.resampled(audio)
    golden.compare("eval/resampled_audio", queries)
    parts = {}
    for name, blocks, memory in (("audio", head.sound, queries), ("speech", head.speech, speech)):
        parts[name], gates = branch(cast(Sequence[GatedFusionBlock], blocks), start, memory)
        golden.compare(f"eval/{name}_branch", parts[name], atol=PADDED_ROWS)
        golden.compare(f"eval/{name}_attn_gate", gates[..., 0])
        golden.compare(f"eval/{name}_ff_gate", gates[..., 1])
    shares = Shares(*(golden.number(f"{name}_share") for name in Shares._fields))
    fused = joined_branches(parts["audio"], parts["speech"], start, shares)
    golden.compare("eval/fused_directions", unit(fused), atol=PADDED_ROWS)
    direction = unit(mean_of_directions(fused, mask))
    golden.compare("eval/video_global", direction)
    scale = head.logit_scale.exp()
    cosines = grains(golden, text, fused, mask, scale)
    golden.compare("eval/global", scale * unit(text) @ direction.T)
    golden.compare("eval/local", scale * (2 * cosines - unit(text) @ direction.T))
    golden.compare("eval/logits", scale * cosines)
    others = golden.input("eval/in_text")
    golden.compare("eval/unpaired_logits", scale * grains(golden, others, fused, mask, scale))
    visual = masked_mean(unit(start), mask)
    margin = adaptive_margin(text, visual, golden.number("beta"), golden.number("margin"))
    golden.compare("train/margin", margin)
    golden.compare("train/logits", scale * (cosines + margin))
    main = symmetric_infonce(scale * (cosines + margin))
    golden.compare("train/loss_main", main)
    ours = audio_visual_similarities(start, queries)
    golden.compare("train/audio_visual_sims", ours)
    embeds = [golden.input(f"in/teacher_{side}") for side in ("video", "audio")]
    teacher = teacher_similarities(torch.stack(embeds, dim=1))
    audible = golden.input("in/has_audio").bool()
    aligned = alignment_loss(ours, teacher, audible, golden.number("teacher_scale"))
    golden.compare("train/loss_alignment", aligned)
    loss = main + golden.number("lam") * aligned
    golden.compare("train/loss", loss)
    loss.backward()
    inputs = {f"in.{name}": x for name, x in zip(names, (text, frames, audio, speech), strict=True)}
    compare_gradients_of(
        golden, "grad/", head, head.names, inputs, ("query_tokens", "clip.logit_scale"), atol=GRADIENTS
    )


def grains(golden: Golden, text: Tensor, fused: Tensor, mask: Tensor, scale: Tensor) -> Tensor:
    """Mean of the global cosine and the log-sum-exp over frames, `(N, V)`."""
    temperature = float(golden.meta.get("tau", 1.0))
    direction = unit(mean_of_directions(fused, mask))
    local = local_similarity(frame_cosines(text[:, None], unit(fused)), mask, scale, temperature)
    return (local + unit(text) @ direction.T) / 2
