"""What a store keeps of a clip: its row in the table, and the bytes of its frames and its sound."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data_options import Resize
from core.media.media import Clip, Frames
from core.media.pictures import pixels_of
from core.media.waveform import no_sound
from core.store.large import DTYPES, is_large
from core.store.manifest import StoreSettings
from core.store.sounds import columns_of
from core.store.storage import LAYOUT

NO_LAYOUT: Mapping[str, object] = {name: "" if name == "format" else 0 for name in LAYOUT}


@dataclass(frozen=True)
class Kept:
    """What is kept of a clip."""

    columns: Mapping[str, Any]
    """Its row in the table, without its place in the files."""
    planes: NDArray[np.uint8]
    """Of all frames end to end; empty where they are large, or nothing decoded."""
    large: NDArray[Any] | None
    """`(F, h, w, 3)` of a large clip under one resize."""
    sound: NDArray[np.int16]
    """The planes of its sound end to end."""


def keep(id: str, key: str, clip: Clip, reason: str, resize: Resize) -> Kept:
    """The planes of a clip's frames, or their resized pixels where it is large; empty slots are zeros."""
    frames = clip.frames
    pictures = [picture for picture in frames.pictures if picture is not None]
    large = small(frames, resize) if pictures and is_large(pictures, frames.size) else None
    size = pictures[0].layout.size if pictures and large is None else 0
    planes = np.zeros((len(frames.pictures), size), np.uint8)
    for slot, picture in enumerate(frames.pictures):
        if picture is not None and large is None:
            planes[slot] = picture.data
    layout = asdict(pictures[0].layout) if size else NO_LAYOUT
    sound = np.ascontiguousarray(clip.sound.planes.reshape(-1))
    heard = columns_of(clip.sound)
    columns = {
        "id": id,
        "key": key,
        **layout,
        "large": large is not None,
        "duration": np.float32(frames.duration),
        "times": frames.times,
        "mask": frames.mask,
        "reason": reason,
        "states": [f"{state}: {why}" for state, why in clip.states.items()],
        **heard,
        "seen": content(
            [picture.layout for picture in pictures],
            *(picture.data for picture in pictures),  # not the resized frames: another resize has others
            frames.times,
            frames.mask,
        ),
        "heard": content(heard, sound),
    }
    return Kept(columns, planes.reshape(-1), large, sound)


def content(*parts: object) -> str:
    """64 hexadecimal digits over some values and arrays."""
    value = sha256()
    for part in parts:
        value.update(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return value.hexdigest()


def small(frames: Frames, resize: Resize) -> NDArray[Any]:
    """The resized frames of a large clip as they are kept."""
    pixels: NDArray[Any] = pixels_of(frames.pictures, frames.size, resize, frames.colours).numpy()
    return pixels.astype(DTYPES[resize])


def blank(settings: StoreSettings, reason: str) -> Clip:
    """What stands in the store for a clip that does not decode: no frame is real, there is no sound."""
    frames = Frames(
        [None] * settings.frames,
        settings.size,
        "flagged",
        np.zeros(settings.frames, np.float32),
        np.zeros(settings.frames, np.bool_),
        duration=0.0,
        fps=0.0,
    )
    return Clip(frames, no_sound("undecodable", reason))
