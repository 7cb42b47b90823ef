"""X-CLIP's multi-grained interaction: sentence and words with video and frames, four similarities.

Ma et al., "X-CLIP: End-to-End Multi-grained Contrastive Learning for Video-Text Retrieval", ACM MM 2022
(arXiv 2207.07285), section 3. All vectors are unit; `t` sentence, `w_l` words, `v` video, `f` frames:

    attn(x, Q) = sum_j (sum_i y_i Q_ij) x_j,  y = softmax(x / 0.01)      along one axis of x
    S1 = t G v            S2 = attn_l(w_l . v, A1)          S3 = attn_f(t . f, B1)
    C_lf = w_l M f        S4 = 1/2 [ attn_f(attn_l(C, A2), B3) + attn_l(attn_f(C, B2), A3) ]
    S  = (S1 + S2 + S3 + S4) / 4

The release masks neither padded words nor padded frames in S2, S3 and S4, so its score depends on the length
of the rows; under `masked` hidden positions leave softmax, matrices and sums. Since
`sum_j (sum_i y_i Q_ij) x_j = sum_i y_i (Q x)_i`, the mixtures are products with Q of what was not yet
exponentiated.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

TEMPERATURE = 0.01
"""Of every softmax here; a constant in the release, not the logit scale."""


class GrainedTexts(NamedTuple):
    """Captions as the interaction sees them, all unit vectors."""

    sentence: Tensor
    """`(N, D)`."""
    words: Tensor
    """`(N, L, D)`."""
    mask: Tensor
    """`(N, L)` bool: words that take part."""


class GrainedVideos(NamedTuple):
    """Videos as the interaction sees them, all unit vectors."""

    video: Tensor
    """`(V, D)`."""
    frames: Tensor
    """`(V, F, D)`."""
    mask: Tensor
    """`(V, F)` bool: frames that take part."""


def attended(x: Tensor, mixture: Tensor, mask: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """attn `(...)` over the last axis of `x` `(..., L)` with Q `(L, L)`; the bool `mask` broadcasts."""
    shown = mask | ~mask.any(-1, keepdim=True)
    kept = torch.where(mask, x, torch.zeros_like(x[..., :1]))
    weights = torch.where(shown, x / temperature, -torch.inf).softmax(-1)
    return (weights * (kept @ mixture.T)).sum(-1)


class MultiGrainedWords(nn.Module):
    """The eight matrices, identities at the start, and the four terms."""

    def __init__(self, width: int, words: int, frames: int) -> None:
        super().__init__()
        self.global_mat_weight = nn.Parameter(torch.eye(width))
        self.local_mat_weight = nn.Parameter(torch.eye(width))
        self.word_logit_weight = nn.Parameter(torch.eye(words))
        self.word_mat_weight = nn.Parameter(torch.eye(words))
        self.word_mat_weight2 = nn.Parameter(torch.eye(words))
        self.frame_logit_weight = nn.Parameter(torch.eye(frames))
        self.frame_mat_weight = nn.Parameter(torch.eye(frames))
        self.frame_mat_weight2 = nn.Parameter(torch.eye(frames))

    def terms(self, texts: GrainedTexts, videos: GrainedVideos) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """S1 to S4, `(N, V)` each."""
        sentence_video = texts.sentence @ self.global_mat_weight @ videos.video.T
        word_video = torch.einsum("nld,vd->nvl", texts.words, videos.video)
        sentence_frame = torch.einsum("nd,vfd->nvf", texts.sentence, videos.frames)
        cosines = torch.einsum("nld,vfd->nvlf", texts.words @ self.local_mat_weight, videos.frames)
        return (
            sentence_video,
            attended(word_video, self.word_logit_weight, texts.mask[:, None]),
            attended(sentence_frame, self.frame_logit_weight, videos.mask),
            self.word_frame(cosines, texts.mask, videos.mask),
        )

    def word_frame(self, cosines: Tensor, word_mask: Tensor, frame_mask: Tensor) -> Tensor:
        """S4 `(N, V)` of C `(N, V, L, F)`."""
        by_word = cosines.transpose(2, 3)  # (N, V, F, L)
        per_frame = attended(by_word, self.word_mat_weight, word_mask[:, None, None])
        per_word = attended(cosines, self.frame_mat_weight, frame_mask[:, None])
        frames = attended(per_frame, self.frame_mat_weight2, frame_mask)
        words = attended(per_word, self.word_mat_weight2, word_mask[:, None])
        return (frames + words) / 2

    def forward(self, texts: GrainedTexts, videos: GrainedVideos) -> Tensor:
        """S `(N, V)`, the mean of the four terms."""
        return torch.stack(self.terms(texts, videos)).sum(0) / 4

    def folded(self, texts: GrainedTexts) -> tuple[Tensor, Tensor]:
        """Texts with G and M folded in, what each is compared with the video and with the frames.

        `(N, 1 + L, D)` each: `[t G; w]` against v (S1 and S2), `[t; w M]` against f (S3 and C).
        """
        with_video = torch.cat([(texts.sentence @ self.global_mat_weight)[:, None], texts.words], dim=1)
        with_frames = torch.cat([texts.sentence[:, None], texts.words @ self.local_mat_weight], dim=1)
        return with_video, with_frames

    def scores(self, folded: tuple[Tensor, Tensor], word_mask: Tensor, videos: GrainedVideos) -> Tensor:
        """S `(N, V)` of folded texts: two products over all pairs, then the small mixtures."""
        with_video, with_frames = folded
        count, rows = with_video.shape[:2]
        slots = videos.frames.shape[1]
        globally = (with_video.flatten(0, 1) @ videos.video.T).view(count, rows, -1)  # (N, 1 + L, V)
        flat = with_frames.flatten(0, 1) @ videos.frames.flatten(0, 1).T
        locally = flat.view(count, rows, -1, slots).transpose(1, 2)  # (N, V, 1 + L, F)
        total = globally[:, 0] + attended(
            globally[:, 1:].transpose(1, 2), self.word_logit_weight, word_mask[:, None]
        )
        total += attended(locally[:, :, 0], self.frame_logit_weight, videos.mask)
        total += self.word_frame(locally[:, :, 1:], word_mask, videos.mask)
        return total / 4
