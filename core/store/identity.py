"""Which file a file is: its name, size, time of change, and a hash of its beginning, middle and end."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

from core.dataset import Video

PIECE = 64 * 1024
"""Bytes of each of the three pieces."""
HASHING_THREADS = 8
"""Threads: most of the time goes into waiting for the disk."""


def file_identity(path: Path) -> str:
    """64 hexadecimal digits; of a file that cannot be read, why."""
    value = sha256(os.fsencode(path.name))
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            value.update(f"\t{state.st_size}\t{state.st_mtime_ns}\t".encode())
            last = max(0, state.st_size - PIECE)
            for first in (0, last // 2, last):
                file.seek(first)
                value.update(file.read(PIECE))
    except OSError as error:
        return str(error.strerror)
    return value.hexdigest()


def clip_keys(videos: Sequence[Video]) -> list[str]:
    """64 hexadecimal digits per video, over its name, its window, its file and the file of its sound."""
    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        return list(pool.map(_key, videos))


def _key(video: Video) -> str:
    sound = file_identity(video.sound) if isinstance(video.sound, Path) else type(video.sound).__name__
    source = video.sound if isinstance(video.sound, str) else sound
    parts = (video.id, str(video.start), str(video.end), file_identity(video.path), source)
    return sha256("\t".join(parts).encode(errors="surrogateescape")).hexdigest()
