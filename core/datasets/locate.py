"""Finds the file of each listed video; several that fit equally well are as bad as none."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PureWindowsPath


@dataclass(frozen=True)
class Located:
    """Where the videos of a data set lie."""

    paths: Mapping[str, Path]
    """Video -> its file."""
    missing: Mapping[str, str]
    """Video without a file -> what was looked for."""
    ambiguous: Mapping[str, str]
    """Video with several files that fit -> which."""

    @property
    def reasons(self) -> dict[str, str]:
        """Video that has no usable file -> why."""
        return {**self.missing, **self.ambiguous}

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits over the videos' names and the sizes of their files.

        Moving a data set keeps it; other copies, e.g. compressed ones without sound, change it.
        """
        sizes = [f"{name}\t{path.stat().st_size}" for name, path in sorted(self.paths.items())]
        return sha256("\n".join(sizes).encode()).hexdigest()


def locate(
    videos: Iterable[str],
    names_of: Callable[[str], Sequence[str]],
    find: Callable[[str], Sequence[Path]],
    root: Path,
) -> Located:
    """The file of each video: the first of its names for which `find` finds any, all of them under `root`.

    A link that leads nowhere, a pipe and a device are no files. A name for which there are several, and a
    file that two videos claim, is ambiguous.
    """
    paths: dict[str, Path] = {}
    missing: dict[str, str] = {}
    ambiguous: dict[str, str] = {}
    claims: dict[Path, list[str]] = {}
    for video in videos:
        names = names_of(video)
        listed = (find(name) for name in names)
        usable = ([path for path in found if os.path.isfile(path)] for found in listed)
        found = next(filter(None, usable), [])
        if not found:
            missing[video] = why_missing(names, find, root)
        elif len(found) > 1:
            ambiguous[video] = f"several files: {found[0]} and {found[1]}"
        else:
            paths[video] = found[0]
            claims.setdefault(found[0], []).append(video)
    for path, claimants in claims.items():
        if len(claimants) > 1:
            for video in claimants:
                del paths[video]
                ambiguous[video] = f"{path} may be the file of {' or '.join(claimants)}"
    return Located(paths, missing, ambiguous)


def why_missing(names: Sequence[str], find: Callable[[str], Sequence[Path]], root: Path) -> str:
    """Why none of the names is that of a file under `root`, and what may be meant instead."""
    for path in (path for name in names for path in find(name)):
        if path.is_symlink():
            return f"{path} is a link to {os.readlink(path)}, which cannot be reached"
        return f"{path} is not a regular file"
    reason = f"no file {names[0]} under {root}"
    if "\\" in names[0]:
        reason += f"; write paths from there and with /, e.g. {with_slashes(names[0])}"
    return reason


def with_slashes(path: str) -> str:
    r"""A path of Windows as it is written here, without its drive.

    >>> with_slashes("C:\\v\\a.mp4"), with_slashes(r".\v\a.mp4")
    ('v/a.mp4', 'v/a.mp4')
    """
    return PureWindowsPath(path).as_posix().rpartition(":")[2].lstrip("/")
