"""Answers that take long and depend on files alone: kept in the cache until one of the files changes.

A file is known by its path, size and time of change. Where the cache cannot be read or written the answer is
found anew each time, which costs time and nothing else.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from core.errors import BenchError
from core.paths import cache_root, written_whole


def remembered(
    folder: str, files: Iterable[Path], about: Sequence[str], ask: Callable[[], Mapping[str, Any]]
) -> Mapping[str, Any]:
    """What `ask` answered when it was last asked `about` these files, as JSON has it; else it is asked.

    `folder` is a folder of the cache. A file that is missing counts as one that is empty.
    """
    key = sha256(json.dumps([list(about), [_state(file) for file in files]]).encode()).hexdigest()[:32]
    try:
        file = cache_root() / folder / f"{key}.json"
        found = json.loads(file.read_text(encoding="utf-8"))
    except (BenchError, OSError, ValueError):  # not there yet, damaged, or no cache
        found = None
    if isinstance(found, dict):
        return found
    answer = ask()
    with suppress(BenchError, OSError):
        file = cache_root() / folder / f"{key}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(file) as temporary:
            temporary.write_text(json.dumps(answer), encoding="utf-8")
    return answer


def _state(file: Path) -> tuple[str, int, int]:
    try:
        found = file.stat()
    except OSError:
        return str(file), 0, 0
    return str(file.resolve()), found.st_size, found.st_mtime_ns
