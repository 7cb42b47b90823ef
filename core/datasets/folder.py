"""A folder of videos and one file of captions: a user's own data.

The caption file is a table with a header (`video,caption` and, if wanted, `split`) or JSON lines with the
same keys; several rows of a video are several captions. `video` is a file name or a path from the folder,
the extension may be left out. `split` is `train`, `val` or `test`; without it the videos are dealt out, by
whole videos and without chance (`core.datasets.holdout`).
"""

from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError

from core.data_options import HeldOutOptions
from core.datasets.annotations import read_lines, read_table
from core.datasets.fields import Caption, checked_caption, problem, shown
from core.datasets.holdout import held_out
from core.datasets.listing import Listing, Row, in_containers, with_validation
from core.datasets.real import RealDataset
from core.datasets.tree import Tree
from core.errors import BenchError

CAPTION_FILES = ("captions.csv", "captions.tsv", "captions.jsonl")
SplitName = Literal["train", "val", "test"]


class FolderOptions(HeldOutOptions):
    """Options of a user's own data."""

    holdout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the training videos that becomes `val` where no row says `val`."""
    test_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of the videos that becomes `test` where the caption file has no `split`."""


def checked_path(text: str) -> str:
    """A path below the folder; raises `ValueError` for an empty one and one that climbs out."""
    path = PurePosixPath(text.strip())
    if not path.parts:
        raise ValueError("the video has no name")
    if path.is_absolute() or ".." in path.parts or "\0" in text:
        raise ValueError(f"the path {shown(text)} leads out of the data set's folder")
    return str(path)


def checked_split(text: str) -> str:
    """The name of a split; raises `ValueError` for another one."""
    if text.strip() not in get_args(SplitName):
        raise ValueError(f"{shown(text)} is none of {', '.join(get_args(SplitName))}")
    return text.strip()


class _Line(BaseModel):
    video: Annotated[str, AfterValidator(checked_path)]
    caption: Caption
    split: SplitName | None = None


def read_rows(path: Path) -> tuple[list[Row], list[str]]:
    """The rows of a caption file and the split of each; no splits where the file names none.

    Raises `BenchError` naming the line for whatever is wrong with it, and where only some rows have a split.
    """
    if path.suffix == ".jsonl":
        lines = [_parsed(path, number, line) for number, line in read_lines(path)]
        rows = [Row(line.video, line.caption) for line in lines]
        splits = [str(line.split) for line in lines if line.split]
    else:
        table = read_table(
            path, {"video": checked_path, "caption": checked_caption}, {"split": checked_split}
        )
        rows = [Row(row["video"], row["caption"]) for row in table]
        splits = [row["split"] for row in table if "split" in row]
    if not rows:
        raise BenchError(f"{path}: holds no caption; write a line per caption")
    if len(splits) not in (0, len(rows)):
        raise BenchError(
            f"{path}: {len(splits)} of {len(rows)} lines name a split; let all of them or none do"
        )
    return rows, splits


def read(tree: Tree, options: FolderOptions) -> Listing:
    """A user's own data as the caption file lists it."""
    path = tree.single or tree.require(*CAPTION_FILES)
    rows, names = read_rows(path)
    if names:
        parts: dict[str, list[Row]] = {name: [] for name in get_args(SplitName)}
        for row, name in zip(rows, names, strict=True):
            parts[name].append(row)
        how = "as the caption file says"
    else:
        chosen = held_out(list(dict.fromkeys(row.video for row in rows)), options.test_share, "folder test")
        parts = {
            "train": [row for row in rows if row.video not in chosen],
            "val": [],
            "test": [row for row in rows if row.video in chosen],
        }
        how = f"{options.test_share:.0%} of the videos are test"
    splits = (
        parts if parts["val"] else with_validation(parts["train"], parts["test"], "folder", options.holdout)
    )
    return Listing(
        splits={name: part for name, part in splits.items() if part},
        file_names=lambda video: [video, *in_containers(video)],
        files=[path],
        protocol={"annotations": path.name, "splits": how},
    )


def _parsed(path: Path, number: int, line: str) -> _Line:
    try:
        return TypeAdapter(_Line).validate_json(line)
    except ValidationError as error:
        raise BenchError(f"{path}, line {number}: {problem(error)}") from error


FOLDER = RealDataset(
    name="folder",
    about="your own videos",
    clips="as many as there are",
    size="store about 3 MB a clip",
    source="your own",
    layout=f"a table or JSON lines with video, caption and perhaps split ({', '.join(CAPTION_FILES)}, or any "
    "file named with --captions); videos in any folder below",
    options=FolderOptions,
    read=read,
)
