"""MSR-VTT with the 1k-A test (Xu et al., CVPR 2016; Yu et al., ECCV 2018), in three layouts.

CLIP4Clip's `msrvtt_data.zip`, the archive of Frozen in Time, and the official pair of files. `train` is
`9k` (everything but the 1,000 test videos) or `7k` (the official training and validation parts); neither
leaves a validation part, so `val` is held out of it, whole YouTube films at a time where the files name them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from core.data_options import HeldOutOptions
from core.datasets.annotations import FILE_LIMIT, distinct, read_json, read_names, read_table
from core.datasets.fields import Caption, Name, checked_caption, checked_name
from core.datasets.listing import Listing, Row, in_containers, with_validation
from core.datasets.real import RealDataset
from core.datasets.tree import Tree
from core.errors import BenchError
from core.pickles import InertUnpickler, PickleError

SENTENCE_FILES = (
    "MSRVTT_data.json, MSR_VTT.json, or train_val_videodatainfo.json with test_videodatainfo.json"
)
TEST_TABLE = "MSRVTT_JSFUSION_test.csv"
TEST_LIST, TEST_CHOICE = "val_list_jsfusion.txt", "jsfusion_val_caption_idx.pkl"
TRAIN_TABLES = {"9k": "MSRVTT_train.9k.csv", "7k": "MSRVTT_train.7k.csv"}
TRAIN_LISTS = {"9k": ("train_list_jsfusion.txt",), "7k": ("train_list_full.txt", "val_list_full.txt")}
TRAINING_FILES = (
    *("MSRVTT_data.json", "MSR_VTT.json", "train_val_videodatainfo.json", "test_videodatainfo.json"),
    *TRAIN_TABLES.values(),
    *(name for names in TRAIN_LISTS.values() for name in names),
)
"""Without any of which the test table stands alone: enough to score, nothing to train on."""
VIDEO_COUNTS = {"9k": 9_000, "7k": 7_010}
"""Training videos."""


class MsrvttOptions(HeldOutOptions):
    """Options of MSR-VTT."""

    train: Literal["9k", "7k"] = "9k"
    """Training videos: 9,000 as all five methods train, or the 7,010 of the earlier literature."""


class _Video(BaseModel):
    video_id: Name
    url: str = ""
    split: str = ""


class _Sentence(BaseModel):
    video_id: Name
    caption: Caption


class _Official(BaseModel):
    videos: list[_Video]
    sentences: list[_Sentence]


class _FrozenSentence(BaseModel):
    video_id: Name = Field(alias="image_id")
    caption: Caption


class _Frozen(BaseModel):
    annotations: list[_FrozenSentence]


@dataclass
class Sentences:
    """The sentences of all videos, and what their files say of the videos."""

    captions: dict[str, list[str]] = field(default_factory=dict)
    """Video -> its sentences in the order of the file."""
    url: dict[str, str] = field(default_factory=dict)
    """Video -> the film that it was cut from, where that is known."""
    part: dict[str, str] = field(default_factory=dict)
    """Video -> `train`, `validate` or `test` of the official split, where that is known."""
    files: list[Path] = field(default_factory=list)
    """What was read."""

    def add(self, sentences: Sequence[_Sentence | _FrozenSentence], path: Path) -> None:
        """Takes in the sentences of a file."""
        for sentence in sentences:
            self.captions.setdefault(sentence.video_id, []).append(sentence.caption)
        self.files.append(path)

    def of(self, video: str) -> list[str]:
        """The sentences of a video; raises `BenchError` where there are none."""
        if video not in self.captions:
            names = " and ".join(path.name for path in self.files)
            raise BenchError(
                f"msrvtt: {video} is listed but has no sentence in {names}; download the files again"
            )
        return self.captions[video]


def read_sentences(tree: Tree) -> Sentences:
    """The sentences of all 10,000 videos; raises `BenchError` where no layout's files are there."""
    found = Sentences()
    whole = tree.annotation("MSRVTT_data.json")
    parts = [tree.annotation("train_val_videodatainfo.json"), tree.annotation("test_videodatainfo.json")]
    frozen = tree.annotation("MSR_VTT.json")
    official = [path for path in ([whole] if whole else parts) if path]
    if len(official) == (1 if whole else 2):
        for path in official:
            content = read_json(path, _Official)
            distinct((video.video_id for video in content.videos), path)
            found.add(content.sentences, path)
            found.url |= {video.video_id: video.url for video in content.videos if video.url}
            found.part |= {video.video_id: video.split for video in content.videos if video.split}
    elif frozen:
        found.add(read_json(frozen, _Frozen).annotations, frozen)
    else:
        raise BenchError(f"msrvtt: no sentences under {tree.root}; put there {SENTENCE_FILES}")
    return found


def read_test(tree: Tree, sentences: Sentences) -> tuple[list[Row], list[Path]]:
    """The 1,000 test videos with one sentence each, in the order of their file, and the files."""
    if table := tree.annotation(TEST_TABLE):
        rows = read_table(table, {"video_id": checked_name, "sentence": checked_caption})
        distinct((row["video_id"] for row in rows), table)
        return [Row(row["video_id"], row["sentence"]) for row in rows], [table]
    names, choice = tree.annotation(TEST_LIST), tree.annotation(TEST_CHOICE)
    if not (names and choice):
        raise BenchError(
            f"msrvtt: no test part under {tree.root}; put there {TEST_TABLE}, "
            f"or {TEST_LIST} with {TEST_CHOICE}"
        )
    chosen = read_choice(choice)
    rows_of = []
    for video in read_names(names):
        captions = sentences.of(video)
        if not 0 <= chosen.get(video, -1) < len(captions):
            raise BenchError(f"{choice}: names no sentence of {video}; download the file again")
        rows_of.append(Row(video, captions[chosen[video]]))
    return rows_of, [names, choice]


def read_train(
    tree: Tree, kind: Literal["9k", "7k"], part: Mapping[str, str], test: set[str]
) -> tuple[list[str], list[Path]]:
    """The training videos and the files that list them; without lists, by the official split in `part`."""
    if table := tree.annotation(TRAIN_TABLES[kind]):
        return distinct((row["video_id"] for row in read_table(table, {"video_id": checked_name})), table), [
            table
        ]
    lists = [path for path in map(tree.annotation, TRAIN_LISTS[kind]) if path]
    if len(lists) == len(TRAIN_LISTS[kind]):
        return [name for path in lists for name in read_names(path)], lists
    if not part:
        raise BenchError(
            f"msrvtt: nothing under {tree.root} lists the {kind} training videos; "
            f"put there {TRAIN_TABLES[kind]} or {' and '.join(TRAIN_LISTS[kind])}"
        )
    return [v for v, p in part.items() if v not in test and (kind == "9k" or p != "test")], []


def read_choice(path: Path) -> dict[str, int]:
    """Which sentence of each test video counts; of a pickle nothing but plain values is accepted.

    Raises `BenchError` where the file asks for more or is damaged.
    """
    try:
        if path.stat().st_size > FILE_LIMIT:
            raise PickleError("it is too large for a list of choices")
        content = InertUnpickler(path.read_bytes()).read()
    except (OSError, PickleError) as error:
        raise BenchError(
            f"{path}: cannot be read safely ({error}); take a complete copy of the file"
        ) from error
    if not isinstance(content, dict) or not all(
        isinstance(k, str) and isinstance(v, int) for k, v in content.items()
    ):
        raise BenchError(f"{path}: does not map videos to numbers; download the file again")
    return content


def read(tree: Tree, options: MsrvttOptions) -> Listing:
    """MSR-VTT as its files list it; the test part alone where nothing else is there."""
    table = tree.annotation(TEST_TABLE)
    if table and not any(map(tree.annotation, TRAINING_FILES)):
        test, files = read_test(tree, Sentences())
        return Listing(
            splits={"test": test},
            file_names=lambda video: in_containers(video, ".mp4", ".webm"),
            files=files,
            protocol={"test set": "1k-A"},
            expected={"test": (1_000, 1_000)},
        )
    sentences = read_sentences(tree)
    test, test_files = read_test(tree, sentences)
    train, train_files = read_train(tree, options.train, sentences.part, {row.video for row in test})
    rows = [Row(video, caption) for video in train for caption in sentences.of(video)]
    return Listing(
        splits=with_validation(
            rows, test, "msrvtt", options.holdout, source=sentences.url, first_caption=True
        ),
        file_names=lambda video: in_containers(video, ".mp4", ".webm"),
        files=[*sentences.files, *test_files, *train_files],
        protocol={"test set": "1k-A"},
        expected={"train + val": (VIDEO_COUNTS[options.train], None), "test": (1_000, 1_000)},
    )


MSRVTT = RealDataset(
    name="msrvtt",
    about="10,000 YouTube clips of 10 to 30 s with 20 sentences each; 1k-A test",
    clips="train 9,000 or 7,010 (part of it val) · test 1,000",
    size="store about 29 GB",
    source="github.com/ArrowLuo/CLIP4Clip (msrvtt_data.zip), "
    "www.robots.ox.ac.uk/~maxbain/frozen-in-time/data/MSRVTT.zip",
    layout=f"{SENTENCE_FILES}; {TEST_TABLE} (or {TEST_LIST} and {TEST_CHOICE}); "
    "MSRVTT_train.9k.csv or .7k.csv (or the lists of Frozen in Time); video0.mp4 ... in any folder below",
    options=MsrvttOptions,
    read=read,
)
