"""Parity of the heads that weight frames by a softmax: EMCL-Net and DiCoSA, and QB-Norm with a threshold."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from core.evaluation.rescoring import qb_norm, query_bank
from methods.parity.golden import Golden
from methods.parity.modules import Head, compare_loss
from methods.parts.em import EmSettings, distinct_bases, moved_bases, pair_cosines, reconstructed
from methods.parts.interaction.concepts import Concepts, decoupling
from methods.parts.objective.infonce import symmetric_infonce
from methods.parts.softmax_frames import softmax_pooled
from methods.parts.vectors import unit


class EmclHead(Head):
    """EMCL-Net: softmax pooling, EM over a tile, cosine."""

    def __init__(self, golden: Golden, weights: Mapping[str, Tensor], width: int) -> None:
        super().__init__(golden, weights, width)
        self.settings = EmSettings(golden.integer("stages"), golden.number("lamd"), golden.number("beta"))
        self.temperature = golden.number("temperature")
        self.load(golden, weights)

    def stacked(self, texts: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """X `(N V + N, D)`: pooled videos row by row, then the texts."""
        return torch.cat([softmax_pooled(texts, tokens, mask, self.temperature).flatten(0, 1), texts])

    def tile(self, texts: Tensor, tokens: Tensor, mask: Tensor, bases: Tensor) -> Tensor:
        """Scores `(N, V)` with one EM over all of them."""
        stacked = self.stacked(texts, tokens, mask)
        rebuilt, _ = reconstructed(stacked, distinct_bases(bases), self.settings)
        return tile_cosines(rebuilt, len(texts))

    def tiles(self, texts: Tensor, tokens: Tensor, mask: Tensor, bases: Tensor, size: int) -> Tensor:
        """Scores `(N, V)` with an EM per tile of `size` texts and videos."""
        columns = tuple(zip(tokens.split(size), mask.split(size), strict=True))
        rows = [torch.cat([self.tile(t, x, m, bases) for x, m in columns], dim=1) for t in texts.split(size)]
        return torch.cat(rows)

    def pairs(self, texts: Tensor, tokens: Tensor, mask: Tensor, bases: Tensor) -> Tensor:
        """Scores `(N, V)` with an EM per pair."""
        pooled = softmax_pooled(texts, tokens, mask, self.temperature)
        both = torch.stack([pooled, texts[:, None].expand_as(pooled)], dim=2)
        return pair_cosines(both, distinct_bases(bases), self.settings)


def tile_cosines(rebuilt: Tensor, count: int) -> Tensor:
    """Cosines `(N, V)` of rebuilt rows `(N V + N, D)`."""
    # pooled videos come first, a block per text, the texts last
    videos, texts = rebuilt[:-count].unflatten(0, (count, -1)), rebuilt[-count:]
    return (unit(videos) * unit(texts)[:, None]).sum(-1)


def check_emcl(golden: Golden) -> None:
    """EM of a training batch, loss, gradients, the moved bases; three scopes of EM in evaluation."""
    text, frames = golden.input("in/text").requires_grad_(), golden.input("in/frames").requires_grad_()
    mask, bases = golden.input("in/frame_mask").bool(), golden.input("in/mu")
    head = EmclHead(golden, golden.inputs("w/"), frames.shape[-1])
    tokens = head.temporal(frames, mask)
    golden.compare("out/video_tokens", tokens)
    stacked = head.stacked(text, tokens, mask)
    golden.compare("out/em_input", stacked)
    distinct = distinct_bases(bases)
    rebuilt, mu = reconstructed(stacked, distinct, head.settings)
    golden.compare("out/em_output", rebuilt)
    # momentum mu_0 + (1 - momentum) mean over the rows of mu
    golden.compare("out/mu_after_step", moved_bases(distinct, mu, golden.number("momentum")))
    scores = tile_cosines(rebuilt, len(text))
    golden.compare("out/sims", scores)
    compare_loss(golden, head, scores, 0.0, {"in.text": text, "in.frames": frames}, ())
    with torch.no_grad():
        texts, others = golden.input("eval/in_text"), golden.input("eval/in_frames")
        shown = golden.input("eval/in_frame_mask").bool()
        tokens = head.temporal(others, shown)
        golden.compare("eval/video_tokens", tokens)
        # two starts of the bases: scores depend on their signs
        for suffix in ("", "_b"):
            mu = golden.input(f"eval/mu{suffix}")
            golden.compare(f"eval/sims_one_tile{suffix}", head.tile(texts, tokens, shown, mu))
        mu = golden.input("eval/mu")
        golden.compare("eval/sims_pairs", head.pairs(texts, tokens, shown, mu))
        golden.compare("eval/sims_tiles", head.tiles(texts, tokens, shown, mu, golden.integer("tile")))


class DicosaHead(Head):
    """DiCoSA: softmax pooling and weighted concepts."""

    names: ClassVar[Mapping[str, str]] = {**Head.names, "weight_fc.": "interaction.weight_fc."}

    def __init__(self, golden: Golden, weights: Mapping[str, Tensor], width: int) -> None:
        super().__init__(golden, weights, width)
        self.interaction = Concepts(width, golden.integer("concepts"))
        self.temperature = golden.number("temperature")
        self.load(golden, weights)


def check_dicosa(golden: Golden) -> None:
    """Scores, both losses, gradients; an unpaired gallery, plain and with W1 per token."""
    text, frames = golden.input("in/text").requires_grad_(), golden.input("in/frames").requires_grad_()
    mask = golden.input("in/frame_mask").bool()
    head = DicosaHead(golden, golden.inputs("w/"), frames.shape[-1])
    tokens = head.temporal(frames, mask)
    golden.compare("out/video_tokens", tokens)
    pooled = softmax_pooled(text, tokens, mask, head.temperature)
    scores = head.interaction.weighed(text[:, None], pooled)
    golden.compare("out/sims", scores)
    # video i as text i pools it
    own = pooled.diagonal(dim1=0, dim2=1).T
    settings = (golden.integer("concepts"), golden.number("alpha"), golden.number("beta"))
    penalty = decoupling(text, own, *settings, golden.integer("words"))
    golden.compare("out/loss_decoupling", penalty)
    golden.compare("out/loss_similarity", symmetric_infonce(head.logit_scale.exp() * scores))
    inputs = {"in.text": text, "in.frames": frames}
    compare_loss(golden, head, scores, penalty, inputs, ("clip.logit_scale", "weight_fc."))
    with torch.no_grad():
        texts, others = golden.input("eval/in_text"), golden.input("eval/in_frames")
        shown = golden.input("eval/in_frame_mask").bool()
        tokens = head.temporal(others, shown)
        golden.compare("eval/video_tokens", tokens)
        golden.compare(
            "eval/sims",
            head.interaction.weighed(texts[:, None], softmax_pooled(texts, tokens, shown, head.temperature)),
        )
        # the algebra has to give the recorded scores as well
        basis = head.interaction.basis(tokens, shown)
        golden.compare("eval/sims", head.interaction.scores(texts, basis, head.temperature))


def check_qb_norm_theta(golden: Golden) -> None:
    """`in.bank_sims` `(M, V)`, `in.sims` `(N, V)` -> `out.k<K>_beta<B>_theta<T>`, active videos."""
    bank, scores = golden.input("in.bank_sims"), golden.input("in.sims")
    k, beta, theta = golden.integer("k"), golden.number("beta"), golden.integer("theta")
    found = query_bank(bank, beta=beta, k=k, theta=theta)
    golden.compare("out.active_videos", found.activated.nonzero()[:, 0])
    for name in golden.endings("out.k"):
        golden.compare(f"out.k{name}", qb_norm(scores, found))
