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
    key = question_key(files, about)
    found = kept_answer(folder, key)
    if found is not None:
        return found
    answer = ask()
    with suppress(BenchError, OSError):
        file = cache_root() / folder / f"{key}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(file) as temporary:
            temporary.write_text(json.dumps(answer), encoding="utf-8")
    return answer


def recalled(folder: str, files: Iterable[Path], about: Sequence[str]) -> Mapping[str, Any] | None:
    """What `remembered` would answer without asking; None where it would ask."""
    return kept_answer(folder, question_key(files, about))


def question_key(files: Iterable[Path], about: Sequence[str]) -> str:
    """What a question about files in their present state is known by."""
    return sha256(json.dumps([list(about), [_state(file) for file in files]]).encode()).hexdigest()[:32]


def kept_answer(folder: str, key: str) -> Mapping[str, Any] | None:
    """The answer that the cache has under a key."""
    try:
        found = json.loads((cache_root() / folder / f"{key}.json").read_text(encoding="utf-8"))
    except (BenchError, OSError, ValueError):  # not there yet, damaged, or no cache
        return None
    return found if isinstance(found, dict) else None


def _state(file: Path) -> tuple[str, int, int]:
    try:
        found = file.stat()
    except OSError:
        return str(file), 0, 0
    return str(file.resolve()), found.st_size, found.st_mtime_ns
