"""The sound of a clip: its file's own track, or a file apart on the clock of the picture."""

from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer

from core.media.clock import origin_beside, origin_of
from core.media.decoders import Decoding, Tally, decoded
from core.media.demuxing import MediaError, Track, Window, best, opened
from core.media.sound_source import SoundSource, why_unheard
from core.media.waveform import SILENCE, Reading, Sound, SoundBuilder, no_sound

LONGEST_SECONDS = 3600.0
"""Seconds: a longer clip, or a time stamp that pretends one, is refused before it fills the memory."""


@dataclass(frozen=True)
class Heard:
    """The sound of a clip, and what became of its track."""

    sound: Sound
    """As the track has it."""
    codec: str = ""
    """FFmpeg's name of the codec; empty where there is no track."""
    tally: Tally = field(default_factory=Tally)
    """Counts of its packets."""
    stated: float | None = None
    """Seconds into the file at which the track ends by its own header; None where it states nothing."""


def listen(
    path: Path,
    source: SoundSource = "own track",
    window: Window = (0.0, None),
    reading: Reading = "track",
) -> Heard:
    """The sound of a media file, or of its window [start, end) in seconds.

    The window is that of a sound file apart, too, on the clock of the media file. Never raises for what is
    in a file.
    """
    if source == "own track":
        file = path
    elif isinstance(source, Path):
        file = source
    else:
        return Heard(no_sound("no-track", why_unheard(source)))
    try:
        # A file apart has its own stamps, so no place in it is known before it is read.
        with opened(file, window[0] if file == path else 0.0) as container:
            return _track(container, window, _sound_origin(path, file, container), reading)
    except MediaError as error:
        reason = error.reason if file == path else str(error)
        return Heard(no_sound("undecodable", reason))


def _sound_origin(path: Path, file: Path, container: InputContainer) -> float:
    """The second of the sound's stamps at which the media file begins."""
    if file == path:
        return origin_of(container)
    try:
        with opened(path) as picture:
            return origin_beside(picture, container)
    except MediaError:  # a picture that cannot be opened has no clock
        return origin_of(container)


def _track(container: InputContainer, window: Window, origin: float, reading: Reading) -> Heard:
    track = best(container, "audio")
    if track is None:
        return Heard(no_sound("no-track", "no audio track"))
    found, builder = Decoding(), SoundBuilder(reading)
    for unit, frame in decoded(container, [track], window[1], found):
        if isinstance(frame, av.AudioFrame):
            builder.add(frame, None if frame.pts is None else frame.pts * unit - origin - window[0])
            if builder.seconds > LONGEST_SECONDS:
                raise MediaError(
                    container.name,
                    f"its sound reaches past {LONGEST_SECONDS:g} s; cut it, or fix its time stamps",
                )
    codec = track.codec_context.name if track.codec_context else ""
    tally, stated = found.tally("audio"), stated_end(track, origin)
    error = found.errors.get("audio", "")
    if not builder.rate:
        reason = error or "the audio track holds no samples"
        return Heard(no_sound("undecodable", reason), codec, tally, stated)
    planes, runs = builder.finish(window)
    silent = not planes.size or np.abs(planes, dtype=np.int32).max() <= SILENCE
    sound = Sound(
        planes,
        builder.rate,
        runs,
        builder.channels,
        "silent" if silent else "audible",
        error or ("digital silence" if silent else ""),
        None if container.duration is None else container.duration / av.time_base,
    )
    return Heard(sound, codec, tally, stated)


def stated_end(track: Track, origin: float) -> float | None:
    """When a track ends by its own header, in seconds from the file's start; None where it states nothing."""
    if not track.duration or not track.time_base:
        return None
    return float((track.duration + (track.start_time or 0)) * track.time_base) - origin
