"""What is asked of an index: words, or a clip in the place of words."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from core.batch import Texts, Videos
from core.errors import BenchError
from core.running.trained import TrainedRun
from core.scoring.scoring import exact_arithmetic
from core.visible import visible_line

SHOWN_LETTERS = 60
"""Letters of a query that an error line repeats."""


def query_vectors(run: TrainedRun, texts: Texts) -> NDArray[np.float32]:
    """What finds candidates for texts, `(N, D)` float32: the method's own, or the texts' directions."""
    with exact_arithmetic(run.method):
        found = run.method.candidates.texts(texts) if run.method.candidates else texts.embeds
    unit = torch.nn.functional.normalize(found.float(), dim=-1)
    return np.ascontiguousarray(unit.cpu().numpy())


def asked_texts(run: TrainedRun, queries: Sequence[str]) -> Texts:
    """Encoded queries; raises `BenchError` for an empty one, and one that is longer than the run reads."""
    for number, query in enumerate(queries, start=1):
        if not query.strip():
            raise BenchError(f"query {number} is empty; give a few words, e.g. 'a dog barks'")
        _, cut = run.cut_texts([query])
        if cut:
            length = run.spec.text_tokens or run.clip.context
            shown = visible_line(query if len(query) <= SHOWN_LETTERS else query[:SHOWN_LETTERS] + "...")
            raise BenchError(
                f"query {number} ('{shown}') is longer than the {length} tokens that are read; shorten it"
            )
    return run.encode_texts(queries)


def texts_like(videos: Videos, length: int) -> Texts:
    """Videos in the place of texts: their frames' mean in the joint space, and their frames as words.

    Frames and texts are in one space, so that every method's own scores apply. Texts are `length` words long.
    """
    mask = videos.frame_mask[..., None]
    mean = (videos.frames * mask).sum(1) / mask.sum(1).clamp(min=1)
    shown = min(length, videos.frames.shape[1])
    words = videos.frames.new_zeros(len(mean), length, videos.frames.shape[2])
    words[:, :shown] = videos.frames[:, :shown]
    real = videos.frame_mask.new_zeros(len(mean), length)
    real[:, :shown] = videos.frame_mask[:, :shown]
    return Texts(mean, videos.keys, words, real)
