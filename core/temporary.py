"""A folder for the temporary files of multiprocessing that does not outlive the next command.

multiprocessing keeps its server's socket in a folder that it removes at the end, and that a killed command
leaves behind. Each command therefore makes it inside a folder of its own, whose lock it holds while it lives.
"""

import shutil
import tempfile
from functools import cache
from multiprocessing import util
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = "bench-"
LAST = -1000
"""Priority at exit: after multiprocessing has removed its own folder, whose is -100."""


@cache
def own_temporary_folder() -> Path:
    """This process's folder, made when first asked for; removes those of commands that were killed."""
    remove_abandoned(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = FileLock(folder / "lock")
    lock.acquire()
    usual, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        util.get_temp_dir()
    finally:
        tempfile.tempdir = usual
    util.Finalize(lock, shutil.rmtree, args=(folder,), kwargs={"ignore_errors": True}, exitpriority=LAST)
    LOCKS.append(lock)
    return folder


LOCKS: list[FileLock] = []
"""Held until this process ends."""


def remove_abandoned(place: Path) -> None:
    """Removes the folders of commands that have ended without doing so; another user's stay."""
    for lock in place.glob(f"{PREFIX}*/lock"):
        try:
            with FileLock(lock, timeout=0):
                shutil.rmtree(lock.parent, ignore_errors=True)
        except (Timeout, OSError):
            continue
