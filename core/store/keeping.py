"""What a store keeps of a clip: its row in the table, and the bytes of its frames and its sound."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data_options import FramesAs, Resize
from core.media.media import Clip, Frames
from core.media.pictures import Picture, pixels_of
from core.media.planes import PlaneLayout, rgb
from core.media.upright import UPRIGHT
from core.media.waveform import no_sound
from core.store.columns import LAYOUT
from core.store.jpeg import as_jpeg
from core.store.large import DTYPES, Resized, is_large
from core.store.manifest import StoreSettings
from core.store.sounds import columns_of

NO_LAYOUT: Mapping[str, object] = {name: "" if name == "format" else 0 for name in LAYOUT}


@dataclass(frozen=True)
class Kept:
    """What is kept of a clip."""

    columns: Mapping[str, Any]
    """Its row in the table, without its place in the files."""
    frames: NDArray[np.uint8]
    """Planes of all frames end to end, or their JPEG files; empty for a large clip, or if nothing decoded."""
    large: Resized | None
    """Of a large clip: its frames under one resize."""
    sound: NDArray[np.int16]
    """The planes of its sound end to end."""


def keep(id: str, key: str, clip: Clip, reason: str, resize: Resize, frames_as: FramesAs) -> Kept:
    """The frames of a clip as they decoded, or resized where it is large, in the form that is asked for."""
    frames = clip.frames
    pictures = [picture for picture in frames.pictures if picture is not None]
    large = small(frames, resize, frames_as) if pictures and is_large(pictures, frames.size) else None
    shown: list[Picture | None] = [None] * len(frames.pictures) if large else list(frames.pictures)
    first = next((picture.layout for picture in shown if picture), None)
    layout, jpeg = NO_LAYOUT, dict[str, Any]()
    if frames_as == "raw":
        data = planes_of(shown)
        layout = asdict(first) if first else NO_LAYOUT
    else:
        files = as_jpeg([rgb(one.layout, one.data, frames.colours) if one else None for one in shown])
        data, jpeg = files.data, {"jpeg_bytes": files.sizes, "jpeg_error": files.error}
        layout = asdict(upright_rgb(*first.upright)) if first else NO_LAYOUT
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
        **jpeg,
        "seen": content(
            [picture.layout for picture in pictures],
            *(picture.data for picture in pictures),  # not the resized frames: another resize has others
            frames.times,
            frames.mask,
        ),
        "heard": content(heard, sound),
    }
    return Kept(columns, data, large, sound)


def planes_of(pictures: Sequence[Picture | None]) -> NDArray[np.uint8]:
    """The planes of frames of one layout end to end; zeros for empty slots, nothing where all are empty."""
    size = next((picture.layout.size for picture in pictures if picture), 0)
    planes = np.zeros((len(pictures), size), np.uint8)
    for slot, picture in enumerate(pictures):
        if picture:
            planes[slot] = picture.data
    return planes.reshape(-1)


def upright_rgb(height: int, width: int) -> PlaneLayout:
    """How the bytes of an upright RGB frame are read."""
    return PlaneLayout("rgb24", width, height, space=0, range=0, orientation=UPRIGHT, rotation=0)


def content(*parts: object) -> str:
    """64 hexadecimal digits over some values and arrays."""
    value = sha256()
    for part in parts:
        value.update(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return value.hexdigest()


def small(frames: Frames, resize: Resize, frames_as: FramesAs) -> Resized:
    """The resized frames of a large clip as they are kept."""
    pixels: NDArray[Any] = pixels_of(frames.pictures, frames.size, resize, frames.colours).numpy()
    if frames_as == "raw":
        return Resized(pixels.astype(DTYPES[resize]).reshape(-1), pixels.shape)
    shown = zip(frames.pictures, pixels, strict=True)
    files = as_jpeg([frame if picture else None for picture, frame in shown])
    return Resized(files.data, pixels.shape, files.sizes, files.error)


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
