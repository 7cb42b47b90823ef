"""GRAM's and VAST's contrastive loss: label smoothing, a linear temperature, candidates without gradient."""

from torch import Tensor
from torch.nn import functional


def smoothed_infonce(by_texts: Tensor, by_videos: Tensor, smoothing: float) -> Tensor:
    """Mean of both directions of the cross entropy with label smoothing, of logits `(B, B)`, texts in rows.

    The release gathers features without gradient even in a single process, so that the rows see detached
    videos and the columns detached texts: `by_texts` are logits of live texts with detached videos,
    `by_videos` the reverse; pass the same tensor twice for the ordinary loss.
    """
    # rows: every text among all videos; columns: every video among all texts
    from_texts = functional.cross_entropy(by_texts, _diagonal(by_texts), label_smoothing=smoothing)
    from_videos = functional.cross_entropy(by_videos.T, _diagonal(by_videos), label_smoothing=smoothing)
    return (from_texts + from_videos) / 2


def _diagonal(logits: Tensor) -> Tensor:
    """The right column of each row, `(B,)`."""
    return logits.new_ones(len(logits)).cumsum(0).long() - 1
