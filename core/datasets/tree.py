"""The files under a folder, found in one walk and then looked up by name.

Data sets lie on disks in many ways: flat, in a folder per movie, in `videos/all`, with annotation files
beside the videos or elsewhere. So files are looked up by their names, wherever they lie under the folder.
Some systems store a letter with its accent as one character, others as two: both spellings meet.
"""

import os
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from core.errors import BenchError

FILES_LIMIT = 2_000_000
"""Files of a folder; the largest data set has 130,000, a whole disk has more."""


@dataclass(frozen=True)
class Tree:
    """A folder and the files under it.

    A name is found whatever the case of its extension; where that fits several files and one of them is
    called exactly so, it is that one.
    """

    root: Path
    """The folder that was named, or the one of the single file that was named."""
    files: dict[str, list[Path]] = field(repr=False)
    """Name of a file -> where files of that name lie, in the order of their paths."""
    single: Path | None = None
    """The file itself, where a file was named and no folder."""
    videos: Path | None = None
    """Folder of the videos, which absolute paths in annotation files may lead into; None: the root."""
    folders: dict[str, dict[str, list[Path]]] = field(default_factory=dict, repr=False, compare=False)
    """Folder that a name has led into, as a path from the root -> its files as in `files`."""

    @classmethod
    def walk(cls, root: Path, option: str = "--root") -> "Tree":
        """The files under `root`, links followed, hidden ones left out; a file is a tree of its own.

        `option` is the one that names the folder, for errors.

        Raises `BenchError` where there is no such folder, part of it cannot be read, or it holds more files
        than any data set.
        """
        if root.is_file():
            return cls(root.parent, {_name_key(root.name): [root]}, root)
        if not root.is_dir():
            raise BenchError(f"{root}: no such folder; name the right one with {option}")
        files: dict[str, list[Path]] = {}
        for count, path in enumerate(_walk(root)):
            if count == FILES_LIMIT:
                raise BenchError(
                    f"{root}: more than {FILES_LIMIT:,} files; name the data set's own folder with {option}"
                )
            files.setdefault(_name_key(path.name), []).append(path)
        return cls(root, files)

    def named(self, name: str) -> list[Path]:
        """Where files of that name lie; links to one and the same file count once.

        A name with folders in it is a path from the root.
        """
        if "/" in name:
            folder, _, name = name.rpartition("/")
            files = self.inside(folder)
        else:
            files = self.files
        found = each_once(files.get(_name_key(name), []))
        exactly = [path for path in found if composed(path.name) == composed(name)]
        return exactly or found

    def inside(self, folder: str) -> dict[str, list[Path]]:
        """The files of a folder, given as a path from the root, that are not in folders below it."""
        if folder not in self.folders:
            files: dict[str, list[Path]] = {}
            for place in _folders_of(self.root, folder.split("/")):
                with suppress(OSError):
                    for path in sorted(place.iterdir()):
                        files.setdefault(_name_key(path.name), []).append(path)
            self.folders[folder] = files
        return self.folders[folder]

    def annotation(self, *names: str) -> Path | None:
        """The annotation file of the first of these names that is there.

        Raises `BenchError` where it lies in two places with different contents.
        """
        paths = next((found for found in map(self.named, names) if found), [])
        if len({annotation_digest(path) for path in paths} if len(paths) > 1 else paths) > 1:
            raise BenchError(
                f"{paths[0]} and {paths[1]} differ; keep one of them or name its folder with --root"
            )
        return paths[0] if paths else None

    def require(self, *names: str) -> Path:
        """As `annotation`; raises `BenchError` where none of the names is there."""
        path = self.annotation(*names)
        if path is None:
            raise BenchError(
                f"no {' or '.join(names)} under {self.root}; put it there or name another --root"
            )
        return path


def each_once(paths: list[Path]) -> list[Path]:
    """The files without those that are links to another one of them."""
    return paths if len(paths) < 2 else list({path.resolve(): path for path in paths}.values())


def annotation_digest(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    value = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            value.update(block)
    return value.hexdigest()


def composed(text: str) -> str:
    """The text with each letter and its accents as one character, where there is one (Unicode's NFC)."""
    return unicodedata.normalize("NFC", text)


def _name_key(name: str) -> str:
    stem, extension = os.path.splitext(composed(name))
    return stem + extension.lower()


def _folders_of(root: Path, parts: Sequence[str]) -> list[Path]:
    """The folders that a path from the root names: one, or more where spellings differ."""
    places = [root]
    for part in parts:
        exact = [place / part for place in places if (place / part).is_dir()]
        with suppress(OSError):
            exact = exact or [
                path
                for place in places
                for path in sorted(place.iterdir())
                if composed(path.name) == composed(part) and path.is_dir()
            ]
        places = exact
    return places


def _walk(root: Path) -> Iterator[Path]:
    entered: set[tuple[int, int]] = set()  # links may lead back to where the walk has been

    def stop(error: OSError) -> None:
        raise BenchError(f"{error.filename}: cannot be read ({error.strerror}); check its permissions")

    for folder, folders, names in os.walk(root, followlinks=True, onerror=stop):
        place = os.stat(folder)
        if (place.st_dev, place.st_ino) in entered:
            folders.clear()
            continue
        entered.add((place.st_dev, place.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))
