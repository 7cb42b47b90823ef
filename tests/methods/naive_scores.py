"""Scores of one text and one video at a time in float64, from the formulas of the papers and nothing else.

Written without the project's parts: attention is torch's own `multi_head_attention_forward`, adaptive
pooling is torch's own, everything else is spelled out for a single pair.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from methods.parts.config import ComposedConfig


def direction(x: Tensor) -> Tensor:
    norm = x.norm()
    return x / norm if norm > 0 else x


def cosine(x: Tensor, y: Tensor) -> Tensor:
    return direction(x) @ direction(y)


def layer_norm(x: Tensor, weights: dict[str, Tensor], name: str, eps: float) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt()
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(x: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    y = weights[f"{name}.weight"] @ x
    return y + weights[f"{name}.bias"] if f"{name}.bias" in weights else y


def rows(function, x: Tensor, *arguments) -> Tensor:
    return torch.stack([function(row, *arguments) for row in x])


def qgelu(x: Tensor) -> Tensor:
    return x / (1 + (-1.702 * x).exp())


def attention(
    query: Tensor,
    source: Tensor,
    weights: dict[str, Tensor],
    name: str,
    heads: int,
    real: Tensor | None = None,
) -> Tensor:
    """Torch's own multi-head attention, one clip: `(Lq, D)` over `(Ls, D)`; `real` `(Ls,)` bool."""
    out, _ = functional.multi_head_attention_forward(
        query[:, None],
        source[:, None],
        source[:, None],
        query.shape[1],
        heads,
        weights[f"{name}.in_proj_weight"],
        weights[f"{name}.in_proj_bias"],
        None,
        None,
        False,
        0.0,
        weights[f"{name}.out_proj.weight"],
        weights[f"{name}.out_proj.bias"],
        key_padding_mask=None if real is None else ~real[None],
    )
    return out[:, 0]


def clip_block(
    x: Tensor, weights: dict[str, Tensor], name: str, heads: int, real: Tensor | None = None
) -> Tensor:
    h = layer_norm(x, weights, f"{name}.ln_1", 1e-12)
    x = x + attention(h, h, weights, f"{name}.attn", heads, real)
    h = layer_norm(x, weights, f"{name}.ln_2", 1e-12)
    return x + rows(
        lambda r: linear(qgelu(linear(r, weights, f"{name}.mlp.c_fc")), weights, f"{name}.mlp.c_proj"), h
    )


@dataclass
class Naive:
    """A method's weights in float64 and its configuration."""

    weights: dict[str, Tensor]
    config: ComposedConfig

    @property
    def scale(self) -> Tensor:
        return self.weights["logit_scale"].exp()

    def heads(self, width: int) -> int:
        return self.config.transformer_heads or max(1, width // 64)

    def sound(self, audio: Tensor, real: Tensor, valid: int, audible: bool) -> Tensor:
        """One projected average of encoder states per frame of one clip, `(F, D)`."""
        frames, count = len(real), int(real.sum())
        if self.config.audio_alignment == "clip":
            pooled = torch.zeros(frames, audio.shape[1], dtype=audio.dtype)
            pooled[:count] = functional.adaptive_avg_pool1d(audio[:valid].T, count).T
        else:
            pooled, count = functional.adaptive_avg_pool1d(audio.T, frames).T, frames
        out = torch.zeros(
            frames, self.weights.get("fusion.projection.linear.weight", audio.T).shape[0], dtype=audio.dtype
        )
        for i in range(count):
            out[i] = (
                self.projected(pooled[i])
                if audible
                else self.weights.get("fusion.projection.null", torch.zeros_like(out[i]))
            )
        return out

    def projected(self, state: Tensor) -> Tensor:
        if self.config.audio_projection != "none":
            state = linear(state, self.weights, "fusion.projection.linear")
        if self.config.audio_projection == "linear-norm":
            state = layer_norm(state, self.weights, "fusion.projection.norm", 1e-5)
        return state

    def gate(self, text: Tensor, frames: Tensor, audio: Tensor, real: Tensor) -> Tensor:
        """The gate of one pair, `(F, 1)` or `(F, D)`."""
        if self.config.fusion == "sample":
            frames = frames[real].mean(0).expand_as(frames)
            audio = audio[real].mean(0).expand_as(audio)
        blocks = {"frame": frames, "audio": audio, "text": text.expand_as(frames)}
        seen = torch.cat(
            [blocks[name] for name in ("frame", "audio", "text") if name in self.config.gate_inputs], 1
        )
        return rows(lambda r: 1 / (1 + (-linear(r, self.weights, "fusion.gate")).exp()), seen)

    def fused(self, text: Tensor, frames: Tensor, sound: Tensor, real: Tensor) -> Tensor:
        if self.config.fusion == "none":
            return frames
        if self.config.fusion == "gated-transformer":
            return self.gated_transformer(frames, sound)
        gate = self.gate(text, frames, sound, real)
        return gate * sound + (1 - gate) * frames

    def gated_transformer(self, frames: Tensor, tokens: Tensor) -> Tensor:
        w, heads = self.weights, self.heads(frames.shape[1])
        q = w["fusion.query_tokens"].T + w["fusion.query_positions.weight"]
        for layer in range(self.config.resampler_layers):
            name = f"fusion.resampler.{layer}"
            h = layer_norm(q, w, f"{name}.ln_1", 1e-12)
            q = q + attention(h, h, w, f"{name}.attn", heads)
            kv = layer_norm(tokens, w, f"{name}.ln_3", 1e-12)
            q = q + attention(layer_norm(q, w, f"{name}.ln_3", 1e-12), kv, w, f"{name}.cross_attn", heads)
            h = layer_norm(q, w, f"{name}.ln_2", 1e-12)
            q = q + rows(
                lambda r, n=name: linear(qgelu(linear(r, w, f"{n}.mlp.c_fc")), w, f"{n}.mlp.c_proj"), h
            )
        start = x = frames + w["fusion.frame_positions.weight"][: len(frames)]
        for layer in range(self.config.transformer_layers):
            name = f"fusion.transformer.{layer}"
            z = torch.cat([x.mean(0), q.mean(0)])
            ga = linear(qgelu(linear(z, w, f"{name}.attn_gate.ag_fc")), w, f"{name}.attn_gate.ag_proj").tanh()
            gf = linear(qgelu(linear(z, w, f"{name}.ff_gate.fg_fc")), w, f"{name}.ff_gate.fg_proj").tanh()
            x = x + ga * attention(layer_norm(x, w, f"{name}.ln_3", 1e-12), q, w, f"{name}.cross_attn", heads)
            h = layer_norm(x, w, f"{name}.ln_4", 1e-12)
            x = x + gf * rows(
                lambda r, n=name: linear(
                    qgelu(linear(r, w, f"{n}.cross_ff.cross_fc")), w, f"{n}.cross_ff.cross_proj"
                ),
                h,
            )
            x = clip_block(x, w, name, heads)
        return self.config.residual * x + (1 - self.config.residual) * start

    def pooled(self, text: Tensor, u: Tensor, real: Tensor) -> Tensor:
        """The pooled vector of one pair."""
        w, kept = self.weights, u[real]
        match self.config.pooling:
            case "mean":
                return rows(direction, kept).mean(0)
            case "sequence-transformer":
                x = u + w["pooling.frame_positions.weight"][: len(u)]
                for layer in range(self.config.transformer_layers):
                    x = clip_block(x, w, f"pooling.transformer.{layer}", self.heads(u.shape[1]), real)
                return rows(direction, (x + u)[real]).mean(0)
            case "top-k":
                units = rows(direction, kept)
                order = (units @ direction(text)).argsort(descending=True)
                return units[order[: self.config.top_k]].sum(0)
            case "attention":
                units = rows(direction, kept)
                return (units @ direction(text) / self.config.attention_temperature).softmax(0) @ units
        query = linear(layer_norm(text, w, "pooling.layer_norm1", 1e-5), w, "pooling.cross_attn.q_proj")
        normed = layer_norm(kept, w, "pooling.layer_norm1", 1e-5)
        keys = rows(linear, normed, w, "pooling.cross_attn.k_proj")
        values = rows(linear, normed, w, "pooling.cross_attn.v_proj")
        size = len(text) // self.config.heads
        parts = []
        for head in range(self.config.heads):
            part = slice(head * size, (head + 1) * size)
            parts.append((keys[:, part] @ query[part] / math.sqrt(size)).softmax(0) @ values[:, part])
        out = layer_norm(
            linear(torch.cat(parts), w, "pooling.cross_attn.out_proj"), w, "pooling.layer_norm2", 1e-5
        )
        return layer_norm(out + linear(out, w, "pooling.linear_proj"), w, "pooling.layer_norm3", 1e-5)

    def similarity(self, query: Tensor, pooled: Tensor, u: Tensor, real: Tensor) -> Tensor:
        """Similarity of one query with one pooled video, divided by the logit scale."""
        if self.config.interaction != "multi-grained":
            return cosine(query, pooled)
        sharp = self.config.temperature * self.scale
        local = torch.stack([(sharp * cosine(query, frame)).exp() for frame in u[real]]).sum().log() / sharp
        return (local + cosine(query, pooled)) / 2

    def radius(self, text: Tensor, u: Tensor, real: Tensor) -> Tensor:
        cosines = torch.stack(
            [cosine(text, frame) if r else text.new_zeros(()) for frame, r in zip(u, real, strict=True)]
        )
        return linear(cosines, self.weights, "perturbation.radius").exp()

    def queries(self, text: Tensor, radius: Tensor, noise: Tensor) -> list[Tensor]:
        """The points that scoring tries: noise `(K, D)`, standard deviation included."""
        match self.config.perturbation:
            case "none":
                return [text]
            case "dasp":
                return [text + self.weights["perturbation.alpha"] * radius]
        return [text + draw * radius for draw in noise]

    def score(
        self,
        text: Tensor,
        frames: Tensor,
        sound: Tensor,
        real: Tensor,
        noise: Tensor,
        gate_text: Tensor | None = None,
        own: Tensor | None = None,
    ) -> Tensor:
        """One score. `gate_text` replaces the text in the gate, `own` the text in the final pooling."""
        u = self.fused(text if gate_text is None else gate_text, frames, sound, real)
        pooled = self.pooled(text, u, real)
        tries = (
            self.queries(text, self.radius(text, u, real), noise)
            if self.config.perturbation != "none"
            else [text]
        )
        chosen = max(tries, key=lambda q: float(self.similarity(q, pooled, u, real)))
        return self.similarity(chosen, pooled if own is None else self.pooled(own, u, real), u, real)
