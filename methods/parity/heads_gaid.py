"""Parity of GAID: gate, pooling, DASP, the weighted loss with gradients, and three scoring protocols."""

import torch
from torch import Tensor

from core.errors import BenchError
from methods.composed import ComposedMethod
from methods.gaid import Gaid
from methods.parity.golden import Golden
from methods.parity.heads_xpool import NoNoise
from methods.parity.narrowing import as_kind, given
from methods.parity.setup import (
    build,
    compare_gradients,
    gate_of,
    grouped_scores,
    loss_under,
    released_scores,
    texts_of,
    videos_of,
)
from methods.parts.objective.infonce import pair_weights, weighted_infonce
from methods.parts.perturbation.base import support_text
from methods.parts.perturbation.dasp import DeterministicText


def check_gaid(golden: Golden) -> None:
    """A matched batch with its loss, then the evaluation protocols."""
    frames, audio = golden.input("in/frames").requires_grad_(), golden.input("in/audio").requires_grad_()
    texts, noise = golden.input("in/text").requires_grad_(), golden.input("in/noise")[:, None]
    prior = golden.setting("prior")
    if prior not in ("uniform01", "normal"):
        raise BenchError(f"{golden.path.name}: unknown prior '{prior}'; known: uniform01, normal")
    config = {
        "heads": golden.integer("heads"),
        "dropout": golden.number("dropout"),
        "prior": "normal" if prior == "normal" else "uniform",
        "audio_alignment": "released",
        "loss_weights": "positive-cosine-released",
        "support_weight": golden.number("support_loss_weight"),
    }
    method = build(golden, Gaid, frames, golden.inputs("w/"), config, audio.shape[-1])
    with torch.no_grad():
        check_gaid_parts(golden, method, texts, frames, audio, noise)
        check_gaid_protocols(golden, method)
    losses = loss_under(method, noise, texts_of(texts), videos_of(frames, audio=audio))
    golden.compare("out/loss_pert", losses.terms["main"])
    golden.compare("out/loss_total", losses.total)
    golden.compare("out/loss_total_manual", losses.total)
    losses.total.backward()
    inputs = {"in.text": texts, "in.frames": frames, "in.audio": audio}
    required = ("gate_fc.", "pool_frames.", "stochastic.alpha", "stochastic.std_branch.")
    compare_gradients(golden, "grad/", method, inputs, required)


def check_gaid_parts(
    golden: Golden, method: ComposedMethod, texts: Tensor, frames: Tensor, audio: Tensor, noise: Tensor
) -> None:
    """Every step from the sound to the similarities of the matched batch."""
    videos, part = videos_of(frames, audio=audio), as_kind(method.perturbation, DeterministicText)
    # the steps in the order of the paper: sound, gate, fused frames, pooled vector, text
    golden.compare("out/audio_pooled", gate_of(method).aligned(videos))
    golden.compare("out/gate", gate_of(method).gates(texts, videos))
    index = method.index(videos)
    fused = method.gated_by(texts, index)
    golden.compare("out/fused", fused.videos.frames)
    pooled = method.pooling(texts, fused.videos)
    golden.compare("out/pooled", pooled.vector.transpose(0, 1))
    pairs, queries = fused.videos.paired(), texts[:, None]
    # log S = W c + b, then S = exp(log S)
    log_radius = part.log_radii(part.cosines(texts, pairs.frames, pairs.mask))
    radius = log_radius.exp()
    golden.compare("out/log_std", log_radius[:, 0])
    # t + (alpha x + 1 - alpha) S, t + alpha S, and t + S (v - t) / |v - t|
    golden.compare("out/text_train", part.train_queries(queries, radius, noise)[:, 0])
    golden.compare("out/text_infer", part.scoring_query(queries, radius)[:, 0])
    golden.compare("out/text_support", support_text(queries, radius, pooled.vector.mean(0)[:, None])[:, 0])
    similarities = method.training_similarities(noise, texts_of(texts), index)
    golden.compare("out/sims_train", similarities.main)
    golden.compare("out/sims_support", support := given(similarities.support))
    # w_i = c_ii / sum_j c_jj, taken from the cosines of the perturbed texts
    weights = pair_weights(similarities.main, "positive-cosine-released")
    golden.compare("out/weights", weights)
    logits = method.logit_scale.exp() * support  # recorded at weight 0 too
    golden.compare("out/loss_support", weighted_infonce(logits, weights))


def check_gaid_protocols(golden: Golden, method: ComposedMethod) -> None:
    """Leak-free, gate-own/pool-by-query (true and rolled captions), and released scores."""
    texts, pairing = texts_of(golden.input("eval/in_text")), golden.input("eval/text_video_index")
    videos = videos_of(golden.input("eval/in_frames"), audio=golden.input("eval/in_audio"))
    index, gate, noise = method.index(videos), gate_of(method), NoNoise()
    # every text with every video, which the released loop never computes
    values = gate.gate_values(texts.embeds, index.videos.frames, given(index.audio), index.videos.mask)
    golden.compare("eval/leakfree_gate", values[..., 0])
    golden.compare("eval/leakfree_sims", method.score(texts, index, noise))

    released = released_scores(method, texts, videos, pairing, noise)
    golden.compare("eval/released_sims", released)
    golden.compare("eval/released_sims_grouped", grouped_scores(released, pairing))

    # the caption that the released gate sees of each video
    first = torch.stack([(pairing == video).nonzero()[0, 0] for video in range(len(videos))])
    own = texts.embeds[first]
    golden.compare("eval/paired_gate", gate.gates(own, videos))
    golden.compare("eval/pairedgate_querypool_sims", method.score_gated_by(own, texts, index, noise))
    # a caption of another video instead: what the gate takes from the true one is the leak
    rolled = texts.embeds[golden.input("eval/rolled_caption_index")]
    golden.compare("eval/rolled_caption_sims", method.score_gated_by(rolled, texts, index, noise))
