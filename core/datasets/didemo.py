"""DiDeMo as paragraph-to-video retrieval (Hendricks et al., ICCV 2017), first 30 seconds of Flickr videos.

A paragraph is all descriptions of a video in the order of the file, joined by one space with nothing added
(CLIP4Clip's released loader; T-MASS's label tables hold the same paragraphs). The same Flickr video occurs
under two names that differ in the extension, and the lists know one of them: `match=name` leaves the
sentences under the other name out, as all published figures do (71 of val, 89 of test); `match=stem` keeps
them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from core.data_options import DataOptions
from core.datasets.annotations import distinct, read_json, read_names, read_table
from core.datasets.fields import Caption, Name, checked_caption, checked_name
from core.datasets.listing import Listing, Row
from core.datasets.real import RealDataset
from core.datasets.tree import Tree
from core.errors import BenchError

SPLITS = ("train", "val", "test")
SECONDS = 31.0
"""The annotators saw the first 30 s; CLIP4Clip and T-MASS cut at 31."""
LISTED = {"train": 8_392, "val": 1_065, "test": 1_004}
LABELLED = {"train": 8_362, "val": 1_062, "test": 1_004}


class DidemoOptions(DataOptions):
    """Options of DiDeMo."""

    match: Literal["name", "stem"] = "name"
    """Which sentences belong to a listed video: those of its full name, or of its name up to the dot."""


class _Moment(BaseModel):
    video: Name
    description: Caption


def stem_of(name: str) -> str:
    """A name up to its first dot, as T-MASS cuts it.

    >>> stem_of("26292851@N04_4253489686_265c3c8051.m4v")
    '26292851@N04_4253489686_265c3c8051'
    """
    return name.split(".")[0]


def file_names(name: str) -> list[str]:
    """Names of a video's file: as listed, as the official download script saves it, converted.

    Names may end in a dot, which some systems cannot store.

    >>> file_names("a.m4v"), file_names("a.")
    (['a.m4v', 'a.m4v.mp4', 'a.mp4'], ['a.', 'a..mp4', 'a.mp4', 'a'])
    """
    names = [name, f"{name}.mp4", f"{stem_of(name)}.mp4"]
    return [*names, stem_of(name)] if name.endswith(".") else names


def paragraphs(data: Path, names: Path, match: Literal["name", "stem"]) -> list[Row]:
    """The listed videos in the order of their list `names` with the paragraphs that `data` gives them.

    Raises `BenchError` for a video without a sentence.
    """
    key = stem_of if match == "stem" else str
    sentences: dict[str, list[str]] = {}
    for moment in read_json(data, list[_Moment]):
        sentences.setdefault(key(moment.video), []).append(moment.description)
    listed = read_names(names)
    distinct(map(key, listed), names)
    for name in listed:
        if key(name) not in sentences:
            raise BenchError(
                f"{data}: has no sentence of {name}, which {names.name} lists; download the files again"
            )
    return [Row(name, " ".join(sentences[key(name)])) for name in listed]


def labelled(table: Path) -> list[Row]:
    """The rows of one of T-MASS's label tables, which hold whole paragraphs."""
    columns = {"video_path": lambda path: checked_name(path.rsplit("/", 1)[-1]), "text": checked_caption}
    rows = [Row(row["video_path"], row["text"]) for row in read_table(table, columns)]
    distinct((row.video for row in rows), table)
    return rows


def read(tree: Tree, options: DidemoOptions) -> Listing:
    """DiDeMo as its files list it: the official files with the usual lists, or T-MASS's tables."""
    official = [f"{split}_{kind}" for split in SPLITS for kind in ("data.json", "list.txt")]
    tables = [f"didemo_{split}_label.csv" for split in SPLITS]
    files, layout = _first_whole(tree, official, tables)
    if layout is official:
        rows = {
            split: paragraphs(files[2 * i], files[2 * i + 1], options.match) for i, split in enumerate(SPLITS)
        }
    elif options.match == "stem":
        raise BenchError(
            f"didemo: {files[0].name} holds whole paragraphs, so data.match=stem needs {', '.join(official)}"
        )
    else:
        rows = {split: labelled(path) for split, path in zip(SPLITS, files, strict=True)}
    counts = LISTED if layout is official else LABELLED
    return Listing(
        splits=rows,
        file_names=file_names,
        files=files,
        protocol={
            "annotations": "official sentences and lists" if layout is official else "T-MASS's label tables",
            "paragraph": f"all sentences of the same {options.match} in file order, joined by one space",
            "window": "the first 31 s",
        },
        end=SECONDS,
        expected={split: (count, count) for split, count in counts.items()},
    )


def _first_whole(tree: Tree, *layouts: Sequence[str]) -> tuple[list[Path], Sequence[str]]:
    """The files of the first layout of which all are there, and that layout."""
    lacking = []
    for layout in layouts:
        found = [path for path in map(tree.annotation, layout) if path]
        if len(found) == len(layout):
            return found, layout
        absent = [name for name in layout if tree.annotation(name) is None]
        lacking.append(f"{', '.join(absent)} of {', '.join(layout)}" if found else ", ".join(layout))
    raise BenchError(
        f"didemo: no whole set of annotations under {tree.root}; lacking {'; or '.join(lacking)}"
    )


DIDEMO = RealDataset(
    name="didemo",
    about="10,461 Flickr videos with a paragraph each, first 30 s",
    clips="train 8,392 · val 1,065 · test 1,004 (label tables: 8,362 · 1,062 · 1,004)",
    size="store about 43 GB",
    source="github.com/LisaAnne/LocalizingMoments (sentences, download scripts), "
    "github.com/albanie/collaborative-experts (lists), the T-MASS repository (label tables)",
    layout="train_data.json, val_data.json, test_data.json with train_list.txt, val_list.txt, test_list.txt, "
    "or didemo_train_label.csv, didemo_val_label.csv, didemo_test_label.csv; videos in any folder below, "
    "named as listed, with .mp4 behind that, or converted to .mp4",
    options=DidemoOptions,
    read=read,
)
