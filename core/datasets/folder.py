"""A folder of videos and one file of captions: a user's own data.

The caption file is a table with a header (`video,caption` and, if wanted, `split`), JSON lines or a JSON list
with the same keys (`core.datasets.columns` has their other names); several rows of a video are several
captions. A column `transcript` holds what is said in the video, the same in all its rows.
`video` is a file name or a path from the folder, the extension may be left out. `split` is `train`,
`val` or `test`; without it the videos are dealt out, by whole videos and without chance
(`core.datasets.holdout`).
"""

import os
import unicodedata
from functools import partial
from pathlib import Path, PurePosixPath

from pydantic import Field

from core.data_options import HeldOutOptions
from core.datasets.columns import SPLIT_WORDS
from core.datasets.fields import shown
from core.datasets.holdout import held_out
from core.datasets.listing import Listing, Row, in_containers, with_validation
from core.datasets.locations import CAPTION_FILES
from core.datasets.own_tables import OwnTable, read_own_table
from core.datasets.real import RealDataset
from core.datasets.tree import Tree


class FolderOptions(HeldOutOptions):
    """Options of a user's own data."""

    holdout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the training videos that becomes `val` where the caption file names no `val`."""
    test_share: float = Field(default=0.2, gt=0, le=1)
    """Share of the videos that becomes `test` where the caption file has no `split`."""


def path_below(text: str, root: Path | None = None) -> str:
    """A path from the folder `root`; raises `ValueError` for an empty one and one that leads out.

    An absolute path may lead into the folder, also by way of a link to it. Letters with accents come out
    composed, however they were written.
    """
    path = PurePosixPath(unicodedata.normalize("NFC", text.strip()))
    if path.is_absolute() and root is not None and ".." not in path.parts:
        own, above = PurePosixPath(unicodedata.normalize("NFC", str(root))), Path(text.strip()).parent
        if not path.is_relative_to(own):
            path = PurePosixPath(os.path.realpath(above), path.name)
            own = PurePosixPath(os.path.realpath(root))
        path = path.relative_to(own) if path.is_relative_to(own) else path
    if not path.parts:
        raise ValueError("the video has no name")
    if path.is_absolute() or ".." in path.parts or "\0" in text:
        raise ValueError(f"the path {shown(text)} leads out of the data set's folder; give it from there")
    return str(path)


def read_rows(path: Path, root: Path | None = None) -> OwnTable:
    """The rows of a caption file of the videos under `root`; raises as `read_own_table`."""
    return read_own_table(path, partial(path_below, root=root))


def read(tree: Tree, options: FolderOptions) -> Listing:
    """A user's own data as the caption file lists it."""
    path = tree.single or tree.require(*CAPTION_FILES)
    table = read_rows(path, tree.videos or tree.root)
    notes = list(table.notes)
    if table.splits:
        parts: dict[str, list[Row]] = {name: [] for name in SPLIT_WORDS}
        for row, name in zip(table.rows, table.splits, strict=True):
            parts[name].append(row)
        how = "as the caption file says"
    else:
        videos = list(dict.fromkeys(row.video for row in table.rows))
        chosen = held_out(videos, options.test_share, "folder test")
        parts = {
            "train": [row for row in table.rows if row.video not in chosen],
            "val": [],
            "test": [row for row in table.rows if row.video in chosen],
        }
        how = f"{options.test_share:.0%} of the videos are test"
        notes.append(
            f"{path.name} has no split column: {len(chosen):,} of {len(videos):,} videos are dealt to test "
            "by the SHA-256 of their names, the same ones every time (data.test_share)"
        )
    splits = (
        parts if parts["val"] else with_validation(parts["train"], parts["test"], "folder", options.holdout)
    )
    if not parts["val"] and splits.get("val"):
        count = len({row.video for row in splits["val"]})
        trained = {row.video for row in parts["train"]}
        notes.append(
            f"{path.name} has no row for val: {count:,} of {len(trained):,} training videos are dealt to it, "
            "the same ones every time (data.holdout)"
        )
    return Listing(
        splits={name: part for name, part in splits.items() if part},
        file_names=lambda video: [video, *in_containers(video)],
        files=[path],
        protocol={"annotations": path.name, "splits": how},
        notes=notes,
        speech=table.speech,
    )


FOLDER = RealDataset(
    name="folder",
    about="your own videos",
    clips="as many as there are",
    size="store about 3 MB a clip",
    source="your own",
    layout="a table, JSON lines or JSON with video, caption and perhaps split (captions.csv, .tsv, .jsonl, "
    ".json, or any file named with --captions); videos in any folder below",
    options=FolderOptions,
    read=read,
)
