"""Where the sound of a clip is read from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class StatesFile:
    """An audio encoder's states of a clip, as GAID stores them; its sound itself is not there."""

    path: Path
    """A `.pt` file that holds one tensor."""


SoundSource = Path | StatesFile | Literal["own track", "none"]
"""A file apart from the picture, states in place of sound, the track of the media file itself, or nowhere: a
clip without sound."""


def why_unheard(source: SoundSource) -> str:
    """Why a clip whose sound is neither its own track nor in a sound file gives none."""
    return "no sound, but an encoder's states" if isinstance(source, StatesFile) else "no sound file"
