"""What an index is on disk: a folder that a killed build leaves usable.

`index.json` says of what run it is and which parts it has, and is written after every part. `parts/NNNNN/`
holds some hundred videos and never changes: `videos.parquet` with a row each, `basis.bin` with a row of bytes
each, what the method's algebra keeps of them, and `vectors.npy` with their candidate vectors. Videos that are
gone from the folder are named in `index.json` and forgotten by searches. `candidates.faiss`, where there is
one, is made of the vectors and can be made again. `checked.json` tells which files need not be read again to
know that they are undamaged. `work/` is what a build is at.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from core.checksums import Seen, first_damaged, seen
from core.errors import BenchError
from core.runs import RunDirectory, write_json

INDEX_VERSION = 2
"""Of the files; raised whenever an index of before could not be read any more."""
INDEX_FILE, VIDEOS_FILE, VECTORS_FILE, FRAMES_FILE = (
    "index.json",
    "videos.parquet",
    "vectors.npy",
    "frames.npy",
)
FAISS_FILE = "candidates.faiss"
CHECKED_FILE = "checked.json"
PART_VIDEOS = 512
"""Videos of a part: what is decoded before it is written, and at most lost by a kill."""


class Stored(BaseModel):
    """A record of `index.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(Stored):
    """Some videos that were indexed together."""

    number: int
    """Names its folder; never used again."""
    videos: int
    files: Mapping[str, tuple[int, int]]
    """Size in bytes and CRC-32 of each file."""
    gone: tuple[int, ...] = ()
    """Rows of videos that are in the folder no more, or were changed since."""

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.number:05d}"


class KeptShare(Stored):
    """What so many candidates keep of the exact top 10."""

    candidates: int
    share: float
    """0 to 1, the mean over the sampled queries."""


class IndexManifest(Stored):
    """`index.json`."""

    version: int = INDEX_VERSION
    run: str
    """Folder of the run when the index was built."""
    model: str
    """`TrainedRun.fingerprint` of the run: its weights."""
    code: str
    """Fingerprint of the code that built it."""
    root: str
    """Folder of the videos."""
    parts: tuple[Part, ...] = ()
    next_part: int = 0
    """Number of the part that comes next."""
    unusable: Mapping[str, tuple[str, str]] = {}
    """Path of a video that cannot be used -> its identity when it was tried, and why."""
    passed_over: int = 0
    """Files of other kinds in the folder."""
    kept: tuple[KeptShare, ...] = ()
    """Of the exact top 10, by the number of candidates; empty until measured."""
    sampled: int = 0
    """Queries that it was measured with."""
    in_faiss: tuple[int, ...] = ()
    """Numbers of the parts that are in `candidates.faiss`; empty where all products are computed."""
    finished: bool = False
    """Whether the last build ended by itself."""

    @property
    def videos(self) -> int:
        """Videos that can be found."""
        return sum(part.videos - len(part.gone) for part in self.parts)


@dataclass(frozen=True)
class IndexFolder:
    """The folder of an index."""

    path: Path

    @property
    def exists(self) -> bool:
        """Whether a build has begun here."""
        return (self.path / INDEX_FILE).is_file()

    def part(self, part: Part) -> Path:
        """The folder of a part."""
        return self.path / "parts" / part.name

    def read(self) -> IndexManifest:
        """Its manifest; raises `BenchError` for a folder that holds no index, and one of a newer version."""
        if not self.exists:
            raise BenchError(
                f"{self.path} holds no index; make one: bench index RUN --videos DIR --out {self.path}"
            )
        content = self.content()
        if content.get("version") != INDEX_VERSION:
            raise BenchError(
                f"{self.path} is an index of version {content.get('version')}, this program reads "
                f"{INDEX_VERSION}; use the program that made it, or build it again elsewhere (--out)"
            )
        try:
            return IndexManifest.model_validate(content)
        except ValidationError as error:
            raise BenchError(
                f"{self.path / INDEX_FILE} is damaged ({error.errors()[0]['msg']}); delete {self.path} and "
                "build the index again"
            ) from error

    def content(self) -> Mapping[str, Any]:
        """`index.json` as it is."""
        try:
            return RunDirectory(self.path).read_json(INDEX_FILE)
        except BenchError as error:
            raise BenchError(
                f"{self.path / INDEX_FILE} cannot be read; delete {self.path} and build the index again"
            ) from error

    def write(self, manifest: IndexManifest) -> None:
        """Writes the manifest, whole or not at all."""
        write_json(self.path / INDEX_FILE, manifest.model_dump(mode="json"))

    def require_whole(self, manifest: IndexManifest) -> None:
        """Raises `BenchError` for a file of a part that is missing, truncated or changed.

        A file is read, and its checksum compared, where its size or time is not that of the last comparison.
        """
        checked, found = self.checked(), dict[str, Seen]()
        for part in manifest.parts:
            folder = self.part(part)
            for name, expected in part.files.items():
                place, file = f"{part.name}/{name}", folder / name
                if not file.is_file() or seen(file) != checked.get(place):
                    self.require_undamaged(folder, name, expected)
                found[place] = seen(file)
        if found != checked:
            with suppress(OSError):  # an index that is read only is read again when it is opened next
                write_json(self.path / CHECKED_FILE, found)

    def require_undamaged(self, folder: Path, name: str, expected: tuple[int, int]) -> None:
        """Raises `BenchError` for a file of a part whose size or checksum is not that of its writing."""
        if damage := first_damaged(folder, {name: expected}):
            raise BenchError(
                f"{folder / name} is damaged ({damage[1]}); delete the folder {folder}, and bench index "
                "makes this part again"
            )

    def checked(self) -> Mapping[str, Seen]:
        """What each file of a part looked like when its checksum was last compared, by its place."""
        try:
            looks = RunDirectory(self.path).read_json(CHECKED_FILE)
        except BenchError:  # none, or no longer to be read: then every file is read once more
            return {}
        return {place: tuple(look) for place, look in looks.items() if isinstance(look, list)}
