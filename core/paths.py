"""Where generated and decoded data lies, and how files come to be whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from core.errors import BenchError


def cache_root() -> Path:
    """The cache directory: the variable `BENCH_CACHE`, else the platform's; created if missing.

    Raises `BenchError` where it cannot be written.
    """
    root = Path(os.environ.get("BENCH_CACHE") or platformdirs.user_cache_dir("av-retrieval-bench"))
    try:
        root.mkdir(parents=True, exist_ok=True)
        probe = root / f".write-test-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise BenchError(
            f"cannot write to the cache {root} ({error.strerror}); set BENCH_CACHE to another folder"
        ) from error
    return root


def require_space(folder: Path, needed: float) -> None:
    """Raises `BenchError` if `folder`'s disk has fewer than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BenchError(
            f"{folder} has {free / 1e9:.1f} GB free but {needed / 1e9:.1f} GB are needed; "
            "free some or set BENCH_CACHE to another disk"
        )


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that is renamed to `path` when the block ends without an error."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
