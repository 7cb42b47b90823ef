"""Parity of UATVR: extra tokens on both sides, WTI over unit tokens, the probabilistic losses."""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from methods.parity.golden import Golden
from methods.parity.modules import Head, compare_loss
from methods.parity.narrowing import given
from methods.parts.interaction.token_wise import (
    Tokens,
    WeightNet,
    softmax_weights,
    token_wise,
    token_wise_scores,
)
from methods.parts.objective.infonce import symmetric_infonce
from methods.parts.objective.probabilistic import (
    MeanNet,
    UncertaintyNet,
    kl_loss,
    multi_instance_loss,
    samples,
)
from methods.parts.temporal import contextual_tokens, with_extra
from methods.parts.vectors import masked_mean, unit


class Side(NamedTuple):
    """Unit tokens of captions or videos, extra ones last."""

    tokens: Tensor
    """`(B, L + E, D)`."""
    mask: Tensor
    """`(B, L + E)` bool."""


class UatvrHead(Head):
    """One transformer for both sides, a weight net and two probabilistic nets per side."""

    names: ClassVar[Mapping[str, str]] = {
        **Head.names,
        "word_position_embeddings.": "word_positions.",
        "text_weight_fc.": "word_weights.",
        "video_weight_fc.": "frame_weights.",
        "pie_net_text.": "means.text.",
        "pie_net_video.": "means.video.",
        "uncertain_net_text.": "uncertainties.text.",
        "uncertain_net_video.": "uncertainties.video.",
    }

    def __init__(self, golden: Golden, weights: Mapping[str, Tensor], width: int) -> None:
        super().__init__(golden, weights, width)
        self.extra = {side: golden.integer(f"extra_{side}_tokens") for side in ("text", "video")}
        self.word_positions = nn.Embedding(len(weights["word_position_embeddings.weight"]), width)
        self.word_weights, self.frame_weights = WeightNet(width, 2), WeightNet(width, 2)
        self.means = nn.ModuleDict({side: MeanNet(width) for side in self.extra})
        self.uncertainties = nn.ModuleDict({side: UncertaintyNet(width) for side in self.extra})
        self.load(golden, weights)

    def side(self, name: str, tokens: Tensor, mask: Tensor) -> Side:
        """Tokens of one side after the shared transformer."""
        table = self.word_positions if name == "text" else given(self.temporal.positions)
        extra = self.extra[name]
        out = contextual_tokens(self.temporal.blocks, table.weight, tokens, mask, extra)
        return Side(unit(out), with_extra(mask, extra))

    def forward(self, texts: Side, videos: Side, hide_start: bool = False) -> Tensor:
        """WTI `(N, V)`; `hide_start` is the release with one text per call, which loses the start mark."""
        words = texts.mask.clone()
        if hide_start:
            # one text per call squeezes an axis of the mask away, and with it the start mark
            words[:, 0] = False
        shown = [side.tokens * mask[..., None] for side, mask in ((texts, words), (videos, videos.mask))]
        cosines = torch.einsum("nld,vfd->nvlf", *shown)
        weights = self.weights(Side(texts.tokens, words), videos)
        return token_wise(cosines, *weights)

    def weights(self, texts: Side, videos: Side) -> tuple[Tensor, Tensor]:
        """Weights of words and frames, of unit tokens."""
        return (
            softmax_weights(self.word_weights(texts.tokens)[..., 0], texts.mask),
            softmax_weights(self.frame_weights(videos.tokens)[..., 0], videos.mask),
        )


def pooled_side(name: str, side: Side, extra: int) -> tuple[Tensor, Tensor]:
    """The pooled vector `(B, D)` and the tokens without the extra ones; words leave out the start mark."""
    own = side.tokens.shape[1] - extra
    tokens, mask = side.tokens[:, :own], side.mask[:, :own].clone()
    if name == "text":
        mask[:, 0] = False
    return unit(masked_mean(tokens, mask)), tokens


def check_uatvr(golden: Golden) -> None:
    """Tokens, scores, three losses, gradients; an unpaired gallery, and texts one by one."""
    words, frames = (golden.input(f"in/{key}").requires_grad_() for key in ("words", "frames"))
    golden.input("in/text")  # the end mark's state is computed and not used
    masks = {"text": golden.input("in/text_mask").bool(), "video": golden.input("in/frame_mask").bool()}
    head = UatvrHead(golden, golden.inputs("w/"), frames.shape[-1])
    sides = {name: head.side(name, x, masks[name]) for name, x in (("text", words), ("video", frames))}
    golden.compare("out/word_tokens_unit", sides["text"].tokens)
    golden.compare("out/video_tokens_unit", sides["video"].tokens)
    # WTI over all tokens, the extra ones included
    scores = head(sides["text"], sides["video"])
    golden.compare("out/wti", scores)
    golden.compare("out/logits", head.logit_scale.exp() * scores)
    golden.compare("out/loss_similarity", symmetric_infonce(head.logit_scale.exp() * scores))
    drawn, kl = {}, frames.new_zeros(())
    for name, side in sides.items():
        pooled, tokens = pooled_side(name, side, head.extra[name])
        mean = head.means[name](pooled, tokens)
        log_sigma = head.uncertainties[name](pooled, tokens)
        # z_k = mu + eps_k exp(log sigma) with recorded draws
        drawn[name] = samples(mean, log_sigma, golden.input(f"in/noise_{name}"))
        kl = kl + kl_loss(drawn[name], log_sigma)
        found = {"pooled": pooled, "mean": mean, "logsigma": log_sigma, "samples": drawn[name]}
        for key, value in found.items():
            golden.compare(f"out/{name}_{key}", value)
    mil = golden.number("mil_weight") * multi_instance_loss(drawn["video"], drawn["text"])
    kl = golden.number("kl_weight") * kl
    golden.compare(weighted_name(golden, "mil"), mil)
    golden.compare(weighted_name(golden, "kl"), kl)
    inputs = {"in.words": words, "in.frames": frames}
    compare_loss(golden, head, scores, mil + kl, inputs, ("pie_net_text.", "uncertain_net_video."))
    with torch.no_grad():
        check_uatvr_evaluation(golden, head)


def weighted_name(golden: Golden, term: str) -> str:
    """The recorded name of a weighted loss, which ends in its weight."""
    return next((n for n in golden.names() if n.startswith(f"out/loss_{term}")), f"out/loss_{term}")


def check_uatvr_evaluation(golden: Golden, head: UatvrHead) -> None:
    """Logits of unpaired texts and videos, plain and without padding, and with the start mark lost."""
    golden.input("eval/in_text")
    texts = head.side("text", golden.input("eval/in_words"), golden.input("eval/in_text_mask").bool())
    videos = head.side("video", golden.input("eval/in_frames"), golden.input("eval/in_frame_mask").bool())
    scale = head.logit_scale.exp()
    golden.compare("eval/logits", scale * head(texts, videos))
    # once more without hidden tokens, as the exact engine scores
    weights = head.weights(texts, videos)
    words = Tokens(texts.tokens, weights[0], texts.mask)
    frames = Tokens(videos.tokens, weights[1], videos.mask)
    golden.compare("eval/logits", scale * token_wise_scores(words, frames))
    golden.compare("eval/logits_texts_one_by_one", scale * head(texts, videos, hide_start=True))
