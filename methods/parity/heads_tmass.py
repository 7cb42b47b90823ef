"""Parity of T-MASS: components, initialisation, training steps, released and leak-free evaluation."""

import torch
from torch import Tensor

from core.authors import renamed
from core.errors import BenchError
from core.evaluation.rescoring import dual_softmax
from core.method import Dimensions
from core.training.optimizers import XPoolAdamW, warmup_cosine
from methods.composed import ComposedMethod
from methods.parity.golden import Golden, float_tensor
from methods.parity.heads_xpool import pooled_vectors
from methods.parity.narrowing import given
from methods.parity.setup import (
    ball_of,
    build,
    compare_gradients,
    compare_tied_metrics,
    grouped_scores,
    loss_under,
    released_scores,
    texts_of,
    ungrouped,
    videos_of,
)
from methods.parts.composition import VideoIndex
from methods.parts.objective.infonce import symmetric_infonce
from methods.parts.perturbation.stp import stochastic_text
from methods.parts.vectors import unit
from methods.tmass import DEAD_SCALAR, TMass

TIE = 1e-6
"""Cosines of two trials that differ by at most this much tie; either may be the selected one."""


class RecordedNoise:
    """Replays noise `(V, K, N, D)`, std included, for texts and videos keyed by position."""

    shared = False
    """Every pair has its own draw."""

    def __init__(self, noise: Tensor, std: float) -> None:
        self.noise = noise.permute(2, 0, 1, 3) / std  # (N, V, K, D)

    def draw(self, texts: Tensor, videos: Tensor, trials: int, width: int, prior: str) -> Tensor:
        """See `NoiseSource.draw`."""
        return self.noise[texts[:, None], videos]


def prior_of(golden: Golden) -> dict[str, object]:
    """The prior in our names."""
    prior, std = golden.setting("prior"), golden.number("prior_std")
    if prior not in ("uniform01", "normal"):
        raise BenchError(f"{golden.path.name}: unknown prior '{prior}'; known: uniform01, normal")
    return {"prior": "normal", "prior_std": std} if prior == "normal" else {"prior": "uniform"}


def check_tmass_components(golden: Golden) -> None:
    """Pooled vectors, log-radius of matched pairs, and the stochastic text under each recorded prior."""
    texts, frames = golden.input("in.text"), golden.input("in.frames")
    config = {"heads": golden.integer("num_mha_heads")}
    method = build(golden, TMass, frames, golden.inputs("weights."), config)
    golden.compare("out.pooled", pooled_vectors(method, texts, frames))
    texts, frames = golden.input("in.pair_text"), golden.input("in.pair_frames")
    pairs, part = method.index(videos_of(frames)).videos.paired(), ball_of(method)
    log_radius = part.log_radii(part.cosines(texts, pairs.frames, pairs.mask))
    # log S = W c + b of matched pairs; the release calls it a variance
    golden.compare("out.log_var", log_radius[:, 0])
    for name, noise in golden.inputs("noise.").items():
        golden.compare(f"out.stochastic_{name}", stochastic_text(texts, log_radius[:, 0].exp(), noise))


def check_tmass_init(golden: Golden) -> None:
    """Every freshly made parameter but the logit scale."""
    radius = golden.input("init.stochastic.std_branch.linear_proj.weight")  # (D, F)
    config = TMass.Config.model_validate({"heads": golden.integer("num_mha_heads")})
    method = TMass(config, Dimensions(*radius.shape))
    # the towers bring their own scale
    golden.skip("init.clip.logit_scale", "CLIP's own value")
    authors = {ours: key for key, ours in TMass.authors.names.items()}
    for name in method.state_dict().keys() - {"logit_scale"}:
        golden.compare(f"init.{renamed(name, authors)}", method.state_dict()[name])


def check_tmass_training(golden: Golden) -> None:
    """Consecutive optimiser steps: similarities, losses, gradients, clipping, rates, clamped weights."""
    state = golden.inputs("weights_before.")
    config = {
        "heads": golden.integer("num_mha_heads"),
        "dropout": golden.number("dropout"),
        "support_weight": golden.number("support_loss_weight"),
        **prior_of(golden),
    }
    method = build(golden, TMass, golden.input("step0.in.frames"), state, config).train()
    new = [
        parameter
        for name, parameter in method.named_parameters()
        if method.authors.rate_group(name) != "clip"
    ]
    beta1, beta2 = (float(beta) for beta in golden.setting("betas").split(","))
    # two groups: rate and decay of the towers, and of everything new
    groups = [{"params": [method.logit_scale]}, {"params": new}]
    decay, eps = golden.number("weight_decay"), golden.number("adam_eps")
    optimizer = XPoolAdamW(groups, lr=0.0, betas=(beta1, beta2), eps=eps, weight_decay=decay)
    first, step = step_layout(golden, 0), 0
    while layout := step_layout(golden, step):
        # a step that is recorded in part would be compared in part
        for name in sorted(first ^ layout):
            raise BenchError(f"{golden.path.name}: '{name}' is not recorded for every step")
        check_step(golden, f"step{step}.", step, method, optimizer, state.get(DEAD_SCALAR))
        step += 1


def step_layout(golden: Golden, step: int) -> set[str]:
    """What is recorded of a step, without its prefix."""
    prefix = f"step{step}."
    return {name.removeprefix(prefix) for name in golden.names() if name.startswith(prefix)}


def check_step(
    golden: Golden,
    prefix: str,
    step: int,
    method: ComposedMethod,
    optimizer: XPoolAdamW,
    dead: Tensor | None,
) -> None:
    """One training step under `prefix`."""
    texts = golden.input(prefix + "in.text").requires_grad_()
    frames = golden.input(prefix + "in.frames").requires_grad_()
    noise = golden.input(prefix + "noise")[:, None]
    similarities = method.training_similarities(noise, texts_of(texts), method.index(videos_of(frames)))
    golden.compare(prefix + "sims_main", similarities.main)
    golden.compare(prefix + "sims_support", supporting := given(similarities.support))
    losses = loss_under(method, noise, texts_of(texts), videos_of(frames))
    golden.compare(prefix + "loss_main", losses.terms["main"])
    support = symmetric_infonce(method.logit_scale.exp() * supporting)  # recorded at weight 0 too
    golden.compare(prefix + "loss_support", support)
    golden.compare(prefix + "loss_total", losses.total)
    optimizer.zero_grad()
    losses.total.backward()
    recorded = ("clip.logit_scale", "pool_frames.", "stochastic.")
    compare_gradients(golden, prefix + "grad_before_clip.", method, {}, recorded)
    compare_gradients(golden, prefix + "grad_in.", method, {"text": texts, "frames": frames}, ())
    # one norm over all parameters, as released
    norm = torch.nn.utils.clip_grad_norm_(method.parameters(), golden.number("max_grad_norm"))
    golden.compare(prefix + "grad_total_norm", norm)
    # rates are those of the step about to be taken
    factor = warmup_cosine(step, golden.integer("total_steps"), golden.integer("warmup_steps"))
    for group, name in zip(optimizer.param_groups, ("clip", "new"), strict=True):
        group["lr"] = factor * golden.number(f"lr_{name}")
        golden.compare(f"{prefix}lr_{name}_group", float_tensor(group["lr"]))
    optimizer.step()
    golden.compare(prefix + "logit_scale_after_update_before_clamp", method.logit_scale)
    with torch.no_grad():
        # the release caps the scale at 100 after every step
        method.logit_scale.clamp_(max=float(torch.tensor(100.0).log()))
    compare_weights(golden, prefix + "after.", method, dead, recorded)


def compare_weights(
    golden: Golden, prefix: str, method: ComposedMethod, dead: Tensor | None, required: tuple[str, ...]
) -> None:
    """Compares recorded weights under `prefix`; the dead scalar must be what it was."""
    parameters = dict(method.named_parameters())
    recorded = [name.removeprefix(prefix) for name in golden.names() if name.startswith(prefix)]
    for key in required:
        if not any(name.startswith(key) for name in recorded):
            raise BenchError(f"{golden.path.name}: missing weight '{prefix}{key}'")
    for key in recorded:
        own = dead if key == DEAD_SCALAR else parameters.get(renamed(key, method.authors.names) or "")
        if own is None:
            raise BenchError(f"{golden.path.name}: '{prefix}{key}' is a weight of nothing here")
        golden.compare(prefix + key, own)


def check_tmass_evaluation(golden: Golden) -> None:
    """The released evaluation step by step, its metrics, and the leak-free scores of the same noise."""
    embeds, frames = golden.input("in.text"), golden.input("in.frames_unique")
    pairing = golden.input("in.video_of_text")
    # the loader hands a video over once per caption; the engine keeps it once
    golden.compare("in.frames_per_pair_row", frames[pairing])
    prior = prior_of(golden)
    config = {"heads": golden.integer("num_mha_heads"), "trials": golden.integer("trials"), **prior}
    method = build(golden, TMass, frames, golden.inputs("weights."), config)
    texts, index = texts_of(embeds), method.index(videos_of(frames))
    golden.compare("out.pooled", pooled_vectors(method, embeds, frames))
    noise = golden.input("noise")
    compare_selection(golden, method, embeds, index, noise)
    source = RecordedNoise(noise, golden.number("prior_std") if prior["prior"] == "normal" else 1.0)

    clean = method.score(texts, index, source)
    golden.compare("derived.sims_query_conditioned", clean)
    golden.compare("derived.sims_query_conditioned_grouped", grouped_scores(clean, pairing))
    recorded = golden.input("derived.sims_query_conditioned")
    compare_tied_metrics(golden, "derived.metrics_query_conditioned", recorded, pairing)

    # the recordings are by video and slot of the caption
    released = grouped_scores(released_scores(method, texts, videos_of(frames), pairing, source), pairing)
    golden.compare("out.sims_before_dsl", released)
    # the released evaluation rescores before it ranks
    if golden.setting("DSL") == "True":
        released = dual_softmax(released)
    golden.compare("out.sims_released", released)
    recorded = ungrouped(golden.input("out.sims_released"), pairing)
    compare_tied_metrics(golden, "metrics_released", recorded, pairing)


def compare_selection(
    golden: Golden, method: ComposedMethod, texts: Tensor, index: VideoIndex, noise: Tensor
) -> None:
    """Cosine of every trial with the query's own pooling `(V, K, N)`, the chosen trial, and its direction."""
    videos, part = index.videos, ball_of(method)
    pooled = method.pooling(texts, videos)
    radius = part.radii_of(texts[:, None], videos.frames, videos.mask)
    queries = [stochastic_text(texts[:, None], radius, trial.transpose(0, 1)) for trial in noise.unbind(1)]
    cosines = torch.stack([method.compared(query, texts_of(texts), pooled).T for query in queries], dim=1)
    golden.compare("out.select_cos", cosines)
    recorded = golden.input("out.select_idx")
    # rounding may choose another trial of the same cosine, and that is no deviation
    tied = cosines.gather(1, recorded[:, None])[:, 0] >= cosines.amax(1) - TIE
    chosen = torch.where(tied, recorded, cosines.argmax(1))
    golden.compare("out.select_idx", chosen)
    directions = torch.stack([unit(query).transpose(0, 1) for query in queries], dim=1)  # (V, K, N, D)
    picked = chosen[:, None, :, None].expand(-1, 1, -1, directions.shape[-1])
    golden.compare("out.selected_text", directions.gather(1, picked)[:, 0])
