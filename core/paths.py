"""Where generated and decoded data is stored, and how files come to be complete or not at all."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

from core.errors import BenchError
from core.progress import bytes_in_words

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says of a disk, or a share of it, that is full."""
CRUMBS = 64 * 1024
"""Bytes: a disk with fewer is full. Libraries that write in C++ do not pass on what the system said."""
ELSEWHERE = "free some or choose another folder (--runs, BENCH_CACHE)"


def cache_root() -> Path:
    """The cache directory: the variable `BENCH_CACHE`, else the platform's; created if missing.

    Absolute, so that processes elsewhere find it too.
    A complete cache may be read-only. Raises `BenchError` where it cannot be created.
    """
    root = Path(os.environ.get("BENCH_CACHE") or platformdirs.user_cache_dir("av-retrieval-bench")).absolute()
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(
            f"cannot create the cache {root} ({error.strerror}); set BENCH_CACHE to another folder"
        ) from error
    return root


def require_writable(folder: Path) -> None:
    """Raises `BenchError` where nothing can be written to a folder, which is created if missing."""
    probe = folder / f".write-test-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise BenchError(
            f"cannot write to {folder} ({error.strerror}); choose another folder (--runs, BENCH_CACHE)"
        ) from error


def require_space(folder: Path, needed: float, remedy: str = ELSEWHERE) -> None:
    """Raises `BenchError` if `folder`'s disk has fewer than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BenchError(
            f"{folder}: {bytes_in_words(needed)} are needed and {bytes_in_words(free)} are free, so "
            f"{bytes_in_words(needed - free)} are missing; {remedy}"
        )


def is_full(error: BaseException, folder: Path) -> bool:
    """Whether writing to a folder failed because its disk is full."""
    try:
        return getattr(error, "errno", None) in FULL or shutil.disk_usage(folder).free < CRUMBS
    except OSError:  # the folder is gone
        return False


@contextmanager
def written_whole(path: Path, size: float = 0, *, lasting: bool = True) -> Iterator[Path]:
    """A temporary name beside `path` that is renamed to `path` when the block ends without an error.

    `size` is about the number of bytes to come, 0 where that is unknown. A file that is `lasting` survives a
    power failure from the moment of its new name on. Raises `BenchError` where the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if size:
            require_space(path.parent, size)
        yield temporary
        if lasting:
            sync(temporary)
        os.replace(temporary, path)
        if lasting:
            sync(path.parent)
    except Exception as error:
        if isinstance(error, BenchError) or not is_full(error, path.parent):
            raise
        written = temporary.stat().st_size if temporary.exists() else 0
        missing = f"at least {bytes_in_words(max(size - written, CRUMBS))} are missing"
        raise BenchError(f"{path.parent}: the disk is full, {missing}; {ELSEWHERE}") from error
    finally:
        with suppress(OSError):  # its folder may be gone or read-only by now
            temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Returns when a file, or the names in a folder, are on the disk; see `man 2 fsync`."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems cannot do it for folders
            raise
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path, name: str = "*") -> None:
    """Removes what killed processes left half-written of some files.

    Only for who holds the lock of the folder or of the file: another process may be writing.
    """
    for leftover in folder.glob(f".{name}.*.part"):
        leftover.unlink(missing_ok=True)
