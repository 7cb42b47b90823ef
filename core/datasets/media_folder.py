"""The videos in a folder, without a list of them: what an index is made of, and what enlarges a gallery."""

from pathlib import Path

from core.dataset import Video
from core.datasets.listing import CONTAINERS
from core.datasets.tree import Tree, each_once
from core.errors import BenchError


def videos_in(folder: Path, option: str) -> tuple[list[Video], int]:
    """Every video under a folder, named by its path from there, and how many files of other kinds there are.

    Hidden files and folders are left out, links followed. Raises `BenchError` where there is no such folder
    or no video in it; `option` is the one that names it.
    """
    if not folder.is_dir():
        raise BenchError(f"{folder}: no such folder; name the right one with {option}")
    tree = Tree.walk(folder, option)
    files = sorted(each_once([path for paths in tree.files.values() for path in paths]))
    chosen = [path for path in files if path.suffix.lower() in CONTAINERS]
    if not chosen:
        kinds = ", ".join(CONTAINERS[:4])
        raise BenchError(
            f"{folder}: no video among {len(files):,} files; name a folder with videos ({kinds}, ...) with "
            f"{option}"
        )
    videos = [Video(path.relative_to(folder).as_posix(), path) for path in chosen]
    return videos, len(files) - len(chosen)
