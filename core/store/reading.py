"""Reads clips out of their files: picture and sound together, or apart where that has cost processes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.dataset import Video
from core.media.demuxing import MediaError
from core.media.listening import Heard, listen
from core.media.media import Clip, with_picture
from core.media.sound_source import SoundSource
from core.media.waveform import no_sound
from core.store.decoding import bounded
from core.store.manifest import StoreSettings
from core.workers import Begin

Hear = Callable[[Video, StoreSettings], Heard]
"""How a video's sound is read, e.g. `hear`."""
See = Callable[[Video, StoreSettings, Heard], Clip]
"""How its picture is read beside the sound, e.g. `see`."""
PICTURE, SOUND = "\tpicture", "\tsound"
"""Behind a clip's name: the step in which one of the two is read alone."""


def hear(video: Video, settings: StoreSettings) -> Heard:
    """The sound of a video; never raises for what is in a file."""
    return listen(video.path, video.sound, (video.start, video.end), settings.sound)


def see(video: Video, settings: StoreSettings, heard: Heard) -> Clip:
    """A video's frames beside its sound; raises `MediaError` where no frame decodes."""
    return with_picture(
        video.path,
        heard,
        (video.start, video.end),
        sampling=settings.sampling,
        frames=settings.frames,
        size=settings.size,
        reader=settings.reader,
    )


@dataclass(frozen=True)
class ClipReader:
    """Reads the clips of a shard, each in a step of its own, for FFmpeg may crash or hang over it."""

    hear: Hear
    see: See
    settings: StoreSettings

    def read(self, video: Video, begin: Begin, lost: Mapping[str, str]) -> Clip:
        """A clip; where reading it has cost processes, picture and sound are tried one by one.

        Raises `MediaError` where no frame decodes.
        """
        if video.id not in lost:
            begin(video.id)
            with bounded(video):
                return self.see(video, self.settings, self.hear(video, self.settings))
        heard = self._heard(video, begin, lost)
        if reason := lost.get(video.id + PICTURE):
            raise MediaError(video.path, reason)
        begin(video.id + PICTURE)
        with bounded(video):
            return self.see(video, self.settings, heard)

    def _heard(self, video: Video, begin: Begin, lost: Mapping[str, str]) -> Heard:
        if reason := lost.get(video.id + SOUND):
            return Heard(no_sound("undecodable", culprit(video.sound) + reason))
        begin(video.id + SOUND)
        with bounded(video):
            return self.hear(video, self.settings)


def culprit(sound: SoundSource) -> str:
    """The name of a sound file before what is wrong with it; nothing for a video's own track."""
    return f"{sound}: " if isinstance(sound, Path) else ""
