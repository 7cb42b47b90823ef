"""Looks at a file in a process of its own: a crash there costs the picture or the sound, not the command."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from core.dataset import Video
from core.media.hearing import Hearing
from core.media.listening import Heard
from core.media.looking import Look, LookSettings, hear_file, look_into, look_of
from core.media.sound_source import SoundSource
from core.media.waveform import no_sound
from core.store.decoding import each_clip, reason_of
from core.workers import LostItem

Returned = TypeVar("Returned")
HearFile = Callable[[Path, SoundSource, Hearing], Heard]


def look_at(video: Video, settings: LookSettings, hear: HearFile = hear_file) -> Look:
    """What is seen and heard in a video's file."""
    whole = _in_a_worker(partial(_both, settings=settings, hear=hear), video)
    if not isinstance(whole, LostItem):
        return whole
    heard = _in_a_worker(partial(_hear, hearing=settings.hearing, hear=hear), video)
    sound = Heard(no_sound("undecodable", reason_of(heard))) if isinstance(heard, LostItem) else heard
    found = _in_a_worker(partial(_see, sound=sound, settings=settings), video)
    return look_of(None, None, reason_of(found), sound, settings) if isinstance(found, LostItem) else found


def _in_a_worker(function: "partial[Returned]", video: Video) -> Returned | LostItem:
    return next(found for _, found in each_clip(function, [video], 1))


def _both(video: Video, settings: LookSettings, hear: HearFile) -> Look:
    return _see(video, _hear(video, settings.hearing, hear), settings)


def _hear(video: Video, hearing: Hearing, hear: HearFile) -> Heard:
    return hear(video.path, video.sound, hearing)


def _see(video: Video, sound: Heard, settings: LookSettings) -> Look:
    return look_into(video.path, sound, settings)
