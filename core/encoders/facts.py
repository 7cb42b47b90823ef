"""What files of weights are known to hold, so that a command need not load them to learn it again.

Kept in the cache under the path, size and time of change of each file, the sources of this room and the
versions of the libraries that read weights: whatever may change the answer asks the weights anew.
"""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from core.paths import cache_root, written_whole
from core.versions import package_version

LIBRARIES = ("torch", "open_clip_torch", "transformers", "safetensors")


def remembered(place: Path, what: str, ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """What `ask` answered, as JSON has it, when it was last asked `what` of these files; else it is asked.

    `place` is a file or a model folder.
    """
    file = cache_root() / "encoders" / f"{_key(place, what)}.json"
    try:
        found: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError):  # not there yet, or damaged, which asking mends
        answer = ask()
    file.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(file) as temporary:
        temporary.write_text(json.dumps(answer), encoding="utf-8")
    return answer


def _key(place: Path, what: str) -> str:
    weights = sorted(file for file in place.rglob("*") if file.is_file()) if place.is_dir() else [place]
    files = [*weights, *sorted(Path(__file__).parent.glob("*.py"))]
    stats = [(str(file.resolve()), (stat := file.stat()).st_size, stat.st_mtime_ns) for file in files]
    versions = [package_version(name) for name in LIBRARIES]
    return sha256(json.dumps([what, stats, versions]).encode()).hexdigest()[:32]
