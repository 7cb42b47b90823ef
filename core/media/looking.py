"""What the bench sees and hears in one file: the sampled frames, and the loudness over time."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.data_options import Reader, Sampling
from core.media.counting import Packets, count_packets
from core.media.demuxing import MediaError, opened
from core.media.hearing import OURS, Hearing, heard, reading_of
from core.media.listening import Heard, listen
from core.media.media import Clip, with_picture
from core.media.sound_source import SoundSource
from core.media.states import sound_states

LOUDNESS_STEP = 800
"""Samples of 16 kHz per value of loudness: 50 ms."""
SIZE = 224
"""Short side of the frames in pixels."""


@dataclass(frozen=True)
class LookSettings:
    """How a file is looked at; the defaults are those of a run."""

    sampling: Sampling = "segment-centres"
    frames: int = 12
    reader: Reader = "own"
    hearing: Hearing = OURS


@dataclass(frozen=True)
class Look:
    """What is seen and heard in a file."""

    clip: Clip | None
    """Picture and sound; None where no frame decodes."""
    packets: Packets | None
    """What the packets of the picture tell; None where there is no picture track."""
    reason: str
    """Why no frame decodes."""
    heard: Heard
    """The sound."""
    waveform: NDArray[np.float32]
    """`(n,)` at 16 kHz, what a method hears."""

    @property
    def duration(self) -> float:
        """Seconds of the clip, or of its sound where there is no picture."""
        return self.clip.frames.duration if self.clip else self.heard.sound.end


def hear_file(path: Path, sound: SoundSource, hearing: Hearing) -> Heard:
    """The sound of a file, or of a sound file beside it."""
    return listen(path, sound, reading=reading_of(hearing))


def look_into(path: Path, sound: Heard, settings: LookSettings) -> Look:
    """The picture of a file beside its sound; never raises for what is in the file."""
    clip, packets, reason = None, None, ""
    try:
        with opened(path) as container:
            packets = count_packets(container, (0.0, None))
        clip = with_picture(
            path,
            sound,
            (0.0, None),
            sampling=settings.sampling,
            frames=settings.frames,
            size=SIZE,
            reader=settings.reader,
            whole=True,
        )
    except MediaError as error:
        reason = error.reason
    return look_of(clip, packets, reason, sound, settings)


def look_of(
    clip: Clip | None, packets: Packets | None, reason: str, sound: Heard, settings: LookSettings
) -> Look:
    """The look at a file of which so much is known."""
    duration = clip.frames.duration if clip else sound.sound.end
    return Look(clip, packets, reason, sound, heard(sound.sound, duration, settings.hearing))


def record(found: Look) -> dict[str, object]:
    """What was seen and heard, for programs; numbers that are not known are None."""
    packets, clip, sound = found.packets, found.clip, found.heard.sound
    states = dict(clip.states) if clip else {}
    own = sound_states(found.heard, "incomplete" not in states, (0.0, None))
    picture = [state for state in states if state not in own or len(states[state]) > len(own[state])]
    track = sound.channels > 0
    return {
        "picture": {
            "state": ", ".join(picture) or ("ok" if clip else picture_state(found.reason)),
            "reason": "; ".join(states[state] for state in picture) or found.reason,
            "duration": round(found.duration, 3),
            "stated_rate": packets.stated if packets else None,
            "measured_rate": packets.measured if packets else None,
            "frames": frames_of(clip) if clip else [],
        },
        "sound": {
            "state": ", ".join(({"no-track": "none"}.get(sound.status, sound.status), *own)),
            "reason": "; ".join(filter(None, (sound.reason, *own.values()))),
            "seconds": round(sound.end - sound.start, 3),
            "start": round(sound.start, 3) + 0.0 if track else None,  # no -0.0
            "channels": sound.channels,
            "rate": sound.rate if track else None,
            "loudness": loudness(found.waveform),
        },
    }


def picture_state(reason: str) -> str:
    """What a picture that gives no frame is called."""
    return next((state for begin, state in REASON_STATES.items() if reason.startswith(begin)), "undecodable")


REASON_STATES = {"no moving picture": "no moving picture", "holds no picture track": "none"}
"""Beginning of a reason -> the state."""


def frames_of(clip: Clip) -> list[dict[str, object]]:
    """The real frames: when they are shown, and the mean colour of their central half."""
    frames = clip.frames
    height, width = frames.pixels.shape[1:3]
    middles = frames.pixels[:, height // 4 : height - height // 4, width // 4 : width - width // 4]
    return [
        {"time": round(float(time), 3), "mean_rgb": [round(float(value), 1) for value in middle.mean((0, 1))]}
        for time, middle, real in zip(frames.times, middles, frames.mask, strict=True)
        if real
    ]


def loudness(waveform: NDArray[np.float32]) -> list[float]:
    """Root mean square of each 50 ms from the clip's start."""
    whole = np.pad(waveform, (0, -waveform.size % LOUDNESS_STEP)).reshape(-1, LOUDNESS_STEP)
    return [round(float(value), 5) for value in np.sqrt(np.square(whole).mean(axis=1))]
