"""What files of weights are known to hold, so that a command need not load them to learn it again.

Whatever may change the answer asks the weights anew: the files, the sources of this package and the
versions of the libraries that read weights.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from core.remembered import remembered
from core.versions import package_version

LIBRARIES = ("torch", "open_clip_torch", "transformers", "safetensors")


def facts_at(place: Path, what: str, ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """What `ask` answers about a file or a model folder, asked once."""
    weights = sorted(file for file in place.rglob("*") if file.is_file()) if place.is_dir() else [place]
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return remembered("encoders", [*weights, *sources], [what, *map(package_version, LIBRARIES)], ask)
