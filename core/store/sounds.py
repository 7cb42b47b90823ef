"""The sound of a clip as a store keeps it: whole numbers at the track's own rate, up to two planes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.media.waveform import SampleRun, Sound

SOUND_COLUMNS = {
    "rate": pa.int64(),
    "channels": pa.int64(),
    "planes": pa.int64(),
    "samples": pa.int64(),
    "stated": pa.float64(),
    "starts": pa.list_(pa.float64()),
    "lengths": pa.list_(pa.int64()),
    "status": pa.string(),
    "sound_reason": pa.string(),
}
"""Columns of a store's table that describe a clip's sound."""


def columns_of(sound: Sound) -> dict[str, object]:
    """The columns of a sound; its samples are kept apart, plane after plane."""
    return {
        "rate": sound.rate,
        "channels": sound.channels,
        "planes": len(sound.planes),
        "samples": sound.planes.shape[1],
        "stated": sound.stated,
        "starts": [run.start for run in sound.runs],
        "lengths": [run.samples for run in sound.runs],
        "status": sound.status,
        "sound_reason": sound.reason,
    }


def sound_from(columns: Mapping[str, Any], samples: NDArray[np.int16]) -> Sound:
    """The sound of a row; `samples` are its planes end to end."""
    return Sound(
        samples.reshape(columns["planes"], columns["samples"]),
        columns["rate"],
        tuple(map(SampleRun, columns["starts"], columns["lengths"])),
        columns["channels"],
        columns["status"],
        columns["sound_reason"],
        columns["stated"],
    )
