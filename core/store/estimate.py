"""What decoding some clips will take in bytes and in time, from decoding a few of them."""

from collections.abc import Sequence
from functools import partial
from statistics import mean
from time import thread_time
from typing import NamedTuple

import numpy as np

from core.data_options import Resize
from core.dataset import Video
from core.media.media import MediaError
from core.store.decoding import each_clip
from core.store.keeping import keep
from core.store.reading import ClipReader

PROBES = 5
"""Clips that are decoded for an estimate."""
PROBE_SECONDS = 60.0
"""After which a clip is left out of an estimate."""


class Estimate(NamedTuple):
    """What decoding some clips will take."""

    size: float
    """Bytes of the store."""
    seconds: float
    """Of one processor core."""


def estimate(videos: Sequence[Video], reader: ClipReader, resize: Resize = "antialiased") -> Estimate:
    """About what decoding the videos will take, from decoding a few of them, evenly spaced."""
    if not videos:
        return Estimate(0, 0)
    rows = np.unique(np.linspace(0, len(videos) - 1, PROBES).round().astype(int))
    cost = partial(_cost, reader=reader, resize=resize)
    found = [one for _, one in each_clip(cost, [videos[row] for row in rows], 1, PROBE_SECONDS)]
    # Preparation itself names every clip that cannot be decoded.
    costs = [one for one in found if isinstance(one, Estimate)] or [Estimate(0, 0)]
    return Estimate(
        len(videos) * mean(one.size for one in costs), len(videos) * mean(one.seconds for one in costs)
    )


def _cost(video: Video, reader: ClipReader, resize: Resize) -> Estimate | None:
    """What one clip takes; None where it does not decode."""
    began = thread_time()
    try:
        kept = keep(
            video.id, "", reader.read(video, lambda step: None, {}), "", resize, reader.settings.frames_as
        )
    except MediaError:
        return None
    size = kept.frames.nbytes + (kept.large.data.nbytes if kept.large else 0)
    return Estimate(size + kept.sound.nbytes, thread_time() - began)
