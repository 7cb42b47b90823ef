"""Where the sound of a clip is read from."""

from pathlib import Path
from typing import Literal

SoundSource = Path | Literal["own track", "none"]
"""A file apart from the picture, the track of the media file itself, or nowhere: a clip without sound."""
NO_FILE = "no sound file"
"""Why a clip whose sound is nowhere has none."""
