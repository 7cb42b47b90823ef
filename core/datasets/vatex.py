"""VATEX (Wang et al., ICCV 2019), English captions, in the split of HGR (Chen et al., CVPR 2020).

The 3,000 official validation videos are halved into val and test. With `captions=all` each of a test video's
ten captions is a query (15,000 queries, as AVIGATE scores); with `first-caption` only the first is, as GAID
does: another protocol, so other numbers. Training keeps all captions under both.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from core.data_options import DataOptions
from core.datasets.annotations import distinct, read_json, read_names
from core.datasets.fields import Caption, Name
from core.datasets.listing import Listing, Row, in_containers
from core.datasets.real import RealDataset
from core.datasets.tree import Tree
from core.errors import BenchError

COUNTS = {"train": 25_991, "val": 1_500, "test": 1_500}
CAPTIONS = 10
"""Per video."""
OFFICIAL = ("vatex_training_v1.0.json", "vatex_validation_v1.0.json")
OTHERS = ("ref_captions.json", "vatex_data.json")

Captions = Annotated[list[Caption], Field(min_length=1)]


class VatexOptions(DataOptions):
    """Options of VATEX."""

    captions: Literal["all", "first-caption"] = "all"
    """Which captions of a val or test video are queries."""


class _Entry(BaseModel):
    captions: Captions = Field(alias="enCap")


class _Official(_Entry):
    video: Name = Field(alias="videoID")


def read_captions(tree: Tree) -> tuple[dict[str, list[str]], list[Path]]:
    """The English captions of every video, and the files; raises `BenchError` where none of them is there."""
    official = [path for path in map(tree.annotation, OFFICIAL) if path]
    if len(official) == len(OFFICIAL):
        entries = [(path, entry) for path in official for entry in read_json(path, list[_Official])]
        distinct((entry.video for _, entry in entries), official[-1])
        return {entry.video: entry.captions for _, entry in entries}, official
    by_video, by_language = (tree.annotation(name) for name in OTHERS)
    if by_video:
        return read_json(by_video, dict[Name, Captions]), [by_video]
    if by_language:
        content = read_json(by_language, dict[Name, _Entry])
        return {video: entry.captions for video, entry in content.items()}, [by_language]
    raise BenchError(
        f"vatex: no captions under {tree.root}; put there {' and '.join(OFFICIAL)}, or {' or '.join(OTHERS)}"
    )


def file_names(video: str) -> list[str]:
    """Names of a video's file: the full name, else the YouTube id alone (GAID), which two videos may share.

    >>> file_names("-_hbPLsZvvo_000022_000032")[0]
    '-_hbPLsZvvo_000022_000032.mp4'
    """
    youtube = video.rsplit("_", 2)[0]
    return [*in_containers(video), f"{youtube}.mp4", f"v_{youtube}.mp4"]


def rows_of(names: Path, captions: Mapping[str, list[str]], first: bool) -> list[Row]:
    """The videos of a list with all captions or the first; raises `BenchError` for one without."""
    rows = []
    for video in read_names(names):
        if video not in captions:
            raise BenchError(
                f"{names}: lists {video}, of which no caption file has captions; download the files again"
            )
        rows += [Row(video, caption) for caption in captions[video][: 1 if first else None]]
    return rows


def read(tree: Tree, options: VatexOptions) -> Listing:
    """VATEX as its files list it."""
    captions, files = read_captions(tree)
    lists = {split: tree.require(f"{split}_list.txt") for split in COUNTS}
    first = options.captions == "first-caption"
    each = {split: 1 if first and split != "train" else CAPTIONS for split in COUNTS}
    return Listing(
        splits={split: rows_of(path, captions, each[split] == 1) for split, path in lists.items()},
        file_names=file_names,
        files=[*files, *lists.values()],
        protocol={"test set": "HGR's half of the official validation part"},
        expected={split: (count, count * each[split]) for split, count in COUNTS.items()},
    )


VATEX = RealDataset(
    name="vatex",
    about="28,991 YouTube clips of 10 s with ten English captions each",
    clips="train 25,991 · val 1,500 · test 1,500",
    size="store about 102 GB",
    source="eric-xw.github.io/vatex-website (captions), "
    "github.com/CryhanFang/CLIP2Video (lists of the HGR split)",
    layout="train_list.txt, val_list.txt, test_list.txt; "
    f"{' and '.join(OFFICIAL)}, or {' or '.join(OTHERS)}; <videoID>.mp4 in any folder below",
    options=VatexOptions,
    read=read,
)
