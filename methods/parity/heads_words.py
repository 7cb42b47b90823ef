"""Parity of the heads that read words: X-CLIP and DRL (WTI, TI, DP, XTI, CDCR)."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from core.errors import BenchError
from methods.parity.golden import Golden
from methods.parity.modules import Head, compare_loss, set_layer_norm
from methods.parts.interaction.cross import CrossTransformer
from methods.parts.interaction.token_wise import (
    Tokens,
    WeightNet,
    even_weights,
    softmax_weights,
    token_cosines,
    token_wise,
    token_wise_scores,
)
from methods.parts.interaction.words import GrainedTexts, GrainedVideos, MultiGrainedWords
from methods.parts.objective.decorrelation import (
    Correlation,
    correlation_penalty,
    drawn_correlation,
    matched_correlation,
    pooled_correlation,
)
from methods.parts.pooling.mean import mean_of_directions
from methods.parts.vectors import unit


class XclipHead(Head):
    """X-CLIP's similarity."""

    names: ClassVar[Mapping[str, str]] = {
        **Head.names,
        **{f"{grain}_mat_": f"interaction.{grain}_mat_" for grain in ("global", "local", "word", "frame")},
        **{f"{grain}_logit_": f"interaction.{grain}_logit_" for grain in ("word", "frame")},
    }

    def __init__(self, golden: Golden, weights: Mapping[str, Tensor]) -> None:
        width, words, frames = (
            len(weights[f"{key}_weight"]) for key in ("global_mat", "word_logit", "frame_logit")
        )
        super().__init__(golden, weights, width)
        self.interaction = MultiGrainedWords(width, words, frames)
        self.load(golden, weights)

    def inputs(
        self, text: Tensor, words: Tensor, frames: Tensor, mask: Tensor
    ) -> tuple[GrainedTexts, GrainedVideos]:
        """Both sides as released: every position takes part."""
        video = unit(mean_of_directions(self.temporal(frames, mask), mask))
        texts = GrainedTexts(unit(text), unit(words), mask.new_ones(words.shape[:2]))
        return texts, GrainedVideos(video, unit(frames), torch.ones_like(mask))


def check_xclip(golden: Golden) -> None:
    """Logits, loss, gradients; unpaired terms, and what other content behind the masks does."""
    if golden.number("temperature") != 0.01:
        raise BenchError(f"{golden.path.name}: temperature {golden.setting('temperature')} is not 0.01")
    head = XclipHead(golden, golden.inputs("w/"))
    header = golden.setting("header")
    if header != ("seqTransf" if head.temporal.positions is not None else "meanP"):
        raise BenchError(f"{golden.path.name}: header '{header}' does not fit the recorded weights")
    text, words, frames = (golden.input(f"in/{key}").requires_grad_() for key in ("text", "words", "frames"))
    golden.input("in/text_mask")
    scores = head.interaction.mean_of_terms(
        *head.inputs(text, words, frames, golden.input("in/frame_mask").bool())
    )
    golden.compare("out/logits", head.logit_scale.exp() * scores)
    inputs = {"in.text": text, "in.words": words, "in.frames": frames}
    compare_loss(golden, head, scores, 0.0, inputs, ("clip.logit_scale", "global_mat_weight"))
    with torch.no_grad():
        check_xclip_evaluation(golden, head)


def check_xclip_evaluation(golden: Golden, head: XclipHead) -> None:
    """The four terms of unpaired texts and videos, and the folded form."""
    scale, part = head.logit_scale.exp(), head.interaction
    mask, text = golden.input("eval/in_frame_mask").bool(), golden.input("eval/in_text")
    golden.input("eval/in_text_mask")
    # the released head reads padding, so other content behind the masks gives other scores
    for suffix in ("", "_other_padding"):
        words, frames = (golden.input(f"eval/in_{key}{suffix}") for key in ("words", "frames"))
        texts, videos = head.inputs(text, words, frames, mask)
        golden.compare(f"eval/logits{suffix}", scale * part.scores(part.folded(texts), videos))
        if suffix:
            continue
        golden.compare("eval/logits", scale * part.mean_of_terms(texts, videos))
        # S1 to S4 one by one: a sum can be right by two errors
        terms = part.terms_of(texts, videos)
        names = ("video_sentence", "video_word", "sentence_frame", "frame_word")
        for name, term in zip(names, terms, strict=True):
            golden.compare(f"eval/term_{name}", scale * term)
        golden.compare("eval/frame_word_unscaled", terms[3])


class DrlHead(Head):
    """DRL's four interactions."""

    names: ClassVar[Mapping[str, str]] = {
        **Head.names,
        "text_weight_fc.": "word_weights.",
        "video_weight_fc.": "frame_weights.",
        "cross.embeddings.position_embeddings.": "cross.positions.",
        "cross.transformer.resblocks.": "cross.blocks.",
        "cross.pooler.ln_pool.": "cross.norm.",
        "cross.pooler.dense.": "cross.dense.",
        "similarity_dense.": "cross.similarity.",
    }

    def __init__(self, golden: Golden, weights: Mapping[str, Tensor], width: int) -> None:
        super().__init__(golden, weights, width)
        self.kind = golden.setting("interaction")
        if self.kind not in ("wti", "ti", "dp", "xti"):
            raise BenchError(
                f"{golden.path.name}: unknown interaction '{self.kind}'; known: wti, ti, dp, xti"
            )
        if self.kind == "wti":
            layers = golden.integer("wti_arch")
            self.word_weights, self.frame_weights = WeightNet(width, layers), WeightNet(width, layers)
            if layers == 1:  # a bare linear map in the release, a sequence of one here
                bare = {"text_weight_fc.": "word_weights.0.", "video_weight_fc.": "frame_weights.0."}
                self.own_names = {**self.names, **bare}
        if self.kind == "xti":
            positions = len(weights["cross.embeddings.position_embeddings.weight"])
            layers = 1 + max(int(k.split(".")[3]) for k in weights if k.startswith("cross.transformer."))
            self.cross = CrossTransformer(width, layers, golden.integer("heads"), positions, dropout=0.0)
            set_layer_norm(self.cross, golden.number("layer_norm_eps"))
        self.load(golden, weights)

    def weights_of(
        self, words: Tensor, word_mask: Tensor, tokens: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Weights of words `(N, L)` and frames `(V, F)`."""
        if self.kind != "wti":
            return even_weights(word_mask, words.dtype), even_weights(mask, tokens.dtype)
        return (
            softmax_weights(self.word_weights(words)[..., 0], word_mask),
            softmax_weights(self.frame_weights(tokens)[..., 0], mask),
        )

    def forward(self, words: Tensor, word_mask: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """Scores `(N, V)`."""
        end = end_words(words, word_mask)
        if self.kind == "xti":
            scores: Tensor = self.cross(end, tokens, mask)
            return scores
        if self.kind == "dp":
            return unit(end) @ unit(mean_of_directions(tokens, mask)).T
        return token_wise(
            token_cosines(words, word_mask, tokens, mask), *self.weights_of(words, word_mask, tokens, mask)
        )


def end_words(words: Tensor, mask: Tensor) -> Tensor:
    """The word at the end mark of each caption, `(N, D)`."""
    return words[torch.arange(len(words)), mask.sum(-1) - 1]


def check_drl(golden: Golden) -> None:
    """Contextual tokens, logits, CDCR, loss, gradients; an unpaired gallery with its weights."""
    weights = golden.inputs("w/")
    words, frames = (golden.input(f"in/{key}").requires_grad_() for key in ("words", "frames"))
    word_mask, mask = (golden.input(f"in/{key}_mask").bool() for key in ("text", "frame"))
    head = DrlHead(golden, weights, frames.shape[-1])
    tokens = head.temporal(frames, mask)
    golden.compare("out/video_tokens", tokens)
    scores = head(words, word_mask, tokens, mask)
    golden.compare("out/logits", head.logit_scale.exp() * scores)
    golden.compare("out/logits_v2t", head.logit_scale.exp() * scores.T)
    penalty = cdcr(golden, head, words, word_mask, tokens, mask)
    golden.compare("out/loss_cdcr", penalty)
    main = head.logit_scale.exp() * scores
    # both directions of InfoNCE, without the decorrelation
    losses = -(main.log_softmax(1).diagonal() + main.log_softmax(0).diagonal()) / 2
    golden.compare("out/loss_similarity", losses.mean())
    inputs = {"in.words": words, "in.frames": frames}
    compare_loss(golden, head, scores, golden.number("cdcr_lambda") * penalty, inputs, ())
    with torch.no_grad():
        check_drl_evaluation(golden, head)


def cdcr(
    golden: Golden, head: DrlHead, words: Tensor, word_mask: Tensor, tokens: Tensor, mask: Tensor
) -> Tensor:
    """The decorrelation term under the file's variant."""
    kind, alphas = golden.integer("cdcr"), [golden.number(f"cdcr_alpha{i}") for i in (1, 2)]
    penalty = Correlation(*alphas)
    if head.kind == "xti" or not kind:
        return tokens.new_zeros(())
    if head.kind == "dp":
        # the dot product has no tokens: its channels are those of the pooled vectors
        pooled = unit(end_words(words, word_mask)), unit(mean_of_directions(tokens, mask))
        correlation = pooled_correlation(*pooled)
    elif kind == 1:
        draws = golden.input("in/draw_text"), golden.input("in/draw_video")
        correlation = drawn_correlation(words, word_mask, tokens, mask, draws)
    else:
        weights = head.weights_of(words, word_mask, tokens, mask) if kind == 3 else None
        correlation = matched_correlation(words, word_mask, tokens, mask, weights)
    return correlation_penalty(correlation, penalty)


def check_drl_evaluation(golden: Golden, head: DrlHead) -> None:
    """Scores of unpaired texts and videos, plain and without padding."""
    words, frames = golden.input("eval/in_words"), golden.input("eval/in_frames")
    word_mask, mask = (golden.input(f"eval/in_{key}_mask").bool() for key in ("text", "frame"))
    tokens = head.temporal(frames, mask)
    golden.compare("eval/video_tokens", tokens)
    golden.compare("eval/sims", head(words, word_mask, tokens, mask))
    word_weights, frame_weights = head.weights_of(words, word_mask, tokens, mask)
    if head.kind == "wti":
        golden.compare("eval/word_weights", word_weights)
        golden.compare("eval/frame_weights", frame_weights)
    if head.kind in ("wti", "ti"):
        # once more without hidden tokens, as the exact engine scores
        texts = Tokens(unit(words), word_weights, word_mask)
        golden.compare("eval/sims", token_wise_scores(texts, Tokens(unit(tokens), frame_weights, mask)))
