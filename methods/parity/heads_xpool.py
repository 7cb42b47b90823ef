"""Parity of X-Pool: pooling with gradients, dropout, baselines, evaluation."""

import torch
from torch import Tensor, nn

from methods.composed import ComposedMethod
from methods.parity.golden import Golden
from methods.parity.narrowing import as_kind
from methods.parity.setup import (
    build,
    compare_gradients,
    compare_tied_metrics,
    grouped_scores,
    loss_of,
    released_scores,
    similarities_of,
    texts_of,
    ungrouped,
    videos_of,
)
from methods.parts.pooling.baselines import attention_pooled, top_k_pooled
from methods.parts.pooling.text_conditioned import TextConditionedPooling
from methods.parts.vectors import masked_mean
from methods.xpool import XPool

OWNER = "pool_frames."
"""Prefix that X-Pool's files leave out."""


class RecordedDropout(nn.Module):
    """Multiplies by a recorded mask, divided by 1 - p already, instead of drawing one."""

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.mask = mask

    def forward(self, x: Tensor) -> Tensor:
        """`(N, V, D)` -> `(N, V, D)`."""
        return x * self.mask


def build_xpool(golden: Golden, frames: Tensor, logit_scale: Tensor) -> ComposedMethod:
    """X-Pool with the file's weights."""
    state = {OWNER + key: weight for key, weight in golden.inputs("weights.").items()}
    config = {"heads": golden.integer("num_mha_heads"), "dropout": 0.0}
    return build(golden, XPool, frames, {**state, "clip.logit_scale": logit_scale}, config)


def pooled_vectors(method: ComposedMethod, texts: Tensor, frames: Tensor) -> Tensor:
    """Pooled vectors as the authors order them, `(V, N, D)`."""
    pooled: Tensor = method.pooling(texts, method.index(videos_of(frames)).videos).vector
    return pooled.transpose(0, 1)


def check_xpool_pooling(golden: Golden) -> None:
    """Pooled vectors, similarities, loss and all gradients; and an unpaired batch."""
    texts, frames = golden.input("in.text").requires_grad_(), golden.input("in.frames").requires_grad_()
    method = build_xpool(golden, frames, golden.input("in.logit_scale"))
    golden.compare("out.pooled", pooled_vectors(method, texts, frames))
    golden.compare("out.sims", similarities_of(method, texts, videos_of(frames)))
    loss = loss_of(method, texts_of(texts), videos_of(frames))
    golden.compare("out.loss", loss)
    loss.backward()
    weights = tuple(name.removeprefix("weights.") for name in golden.names() if name.startswith("weights."))
    inputs = {"in.text": texts, "in.frames": frames, "logit_scale": method.logit_scale}
    compare_gradients(golden, "grad.", method, inputs, weights, owner=OWNER)
    golden.compare(
        "out2.pooled", pooled_vectors(method, golden.input("in2.text"), golden.input("in2.frames"))
    )


def check_xpool_dropout(golden: Golden) -> None:
    """Where dropout sits: on the linear branch only."""
    texts, frames = golden.input("in.text"), golden.input("in.frames")
    method = build_xpool(golden, frames, torch.zeros(()))
    pooling = as_kind(method.pooling, TextConditionedPooling)
    # a recorded mask, because two versions of torch draw different ones
    pooling.dropout = RecordedDropout(golden.input("in.dropout_mask_scaled").transpose(0, 1))
    golden.compare("out.pooled", pooled_vectors(method, texts, frames))


def check_xpool_baselines(golden: Golden) -> None:
    """Mean, top-k and attention pooling of unit vectors."""
    texts, frames = golden.input("in.text"), golden.input("in.frames")
    real = torch.ones(frames.shape[:2], dtype=torch.bool)
    golden.compare("out.avg", masked_mean(frames, real))
    top_k = top_k_pooled(texts, frames, real, golden.integer("k"))
    golden.compare("out.topk", top_k.transpose(0, 1))
    attention = attention_pooled(texts, frames, real, golden.number("attention_temperature"))
    golden.compare("out.attention", attention.transpose(0, 1))


def check_xpool_evaluation(golden: Golden) -> None:
    """The released evaluation, which is leak-free: scores, metrics, and the mean validation loss."""
    texts, frames = golden.input("in.text"), golden.input("in.frames_unique")
    pairing = golden.input("in.video_of_text")
    method = build_xpool(golden, frames, torch.tensor(golden.number("logit_scale")))
    golden.compare("out.pooled", pooled_vectors(method, texts, frames))
    # X-Pool's release is leak-free: both conditions give these scores
    scores = released_scores(method, texts_of(texts), videos_of(frames), pairing, NoNoise())
    golden.compare("out.sims", grouped_scores(scores, pairing))
    compare_tied_metrics(golden, "metrics", ungrouped(golden.input("out.sims"), pairing), pairing)
    # the mean over batches, not over pairs: the last batch is shorter and counts as much
    batches = torch.arange(len(texts)).split(golden.integer("eval_batch_size"))
    losses = [loss_of(method, texts_of(texts[rows]), videos_of(frames[pairing[rows]])) for rows in batches]
    golden.compare("out.val_loss_mean_over_batches", torch.stack(losses).mean())


class NoNoise:
    """A noise source that nobody may ask."""

    shared = False
    """Every pair has its own draw."""

    def draw(self, texts: Tensor, videos: Tensor, trials: int, width: int, prior: str) -> Tensor:
        """Raises `RuntimeError`."""
        raise RuntimeError("a method without random points asked for noise")
