"""LSMDC 2016 (Rohrbach et al., IJCV 2017): film clips with one sentence each, names replaced by SOMEONE.

Tables are separated by tabs, have no header and no quoting: a quotation mark is a quotation mark, also the
stray one that some names begin with. A clip may stand in several rows of training, and every row is a
caption (as in CLIP4Clip; X-Pool, T-MASS and GAID keep the last). Rows of training and validation without a
sentence and the two clips that the released loaders skip as broken are left out, and counted.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from core.data_options import HeldOutOptions
from core.datasets.annotations import distinct, read_lines
from core.datasets.fields import checked_caption, checked_name
from core.datasets.listing import Listing, Row, in_containers, with_validation
from core.datasets.real import RealDataset
from core.datasets.tree import Tree
from core.errors import BenchError

TRAIN_FILES = ("LSMDC16_annos_training.csv", "LSMDC16_annos_training_someone.csv")
VAL = ("LSMDC16_annos_val.csv", "LSMDC16_annos_val_someone.csv")
TEST = ("LSMDC16_challenge_1000_publictect.csv", "LSMDC16_challenge_1000_publictest.csv")
"""The first name is the official one, spelling included."""
FIELDS = 6
"""Name, start and end as aligned, start and end as cut, sentence."""
BROKEN = frozenset(
    {
        "1012_Unbreakable_00.05.16.065-00.05.21.941",  # X-Pool, T-MASS, GAID
        "1012_Unbreakable_00.24.58.622-00.25.06.004",  # GAID
    }
)


def read_clips(path: Path, *, strict: bool) -> tuple[list[Row], int]:
    """The rows of a table, and how many were left out.

    `strict` refuses what is otherwise left out or repeated: a test has every sentence, and each clip once.
    Raises `BenchError` naming the line for another number of fields or a bad name.
    """
    rows: list[Row] = []
    left_out = 0
    for number, line in read_lines(path):
        fields = line.split("\t")
        if len(fields) not in (FIELDS - 1, FIELDS):  # the tab before an empty sentence may have been stripped
            raise BenchError(
                f"{path}, line {number}: {len(fields)} fields where LSMDC has {FIELDS}, separated by tabs"
            )
        sentence = fields[-1] if len(fields) == FIELDS else ""
        try:
            name = checked_name(fields[0].lstrip('"'))
            if strict or sentence.strip():
                checked_caption(sentence)
        except ValueError as error:
            raise BenchError(f"{path}, line {number}: {error}") from error
        if name in BROKEN or not sentence.strip():
            left_out += 1
        else:
            rows.append(Row(name, sentence))
    if strict or not rows:
        distinct((row.video for row in rows), path)
    return rows, left_out


def read(tree: Tree, options: HeldOutOptions) -> Listing:
    """LSMDC as its files list it; `val` is held out of training where its file is not there."""
    paths = [tree.require(*TRAIN_FILES), tree.require(*TEST)]
    train, left_out = read_clips(paths[0], strict=False)
    test, _ = read_clips(paths[1], strict=True)
    expected: dict[str, tuple[int | None, int | None]] = {"test": (1_000, 1_000)}
    if val_path := tree.annotation(*VAL):
        val, without = read_clips(val_path, strict=False)
        paths.append(val_path)
        left_out += without
        splits: Mapping[str, Sequence[Row]] = {"train": train, "val": val, "test": test}
        expected |= {"train": (None, 101_079), "val": (None, 7_408)}
    else:
        splits = with_validation(train, test, "lsmdc", options.holdout)
        expected |= {"train + val": (None, 101_079)}
    return Listing(
        splits=splits,
        file_names=lambda clip: in_containers(clip, ".avi"),
        files=paths,
        protocol={"test set": "1,000 clips of the 2016 challenge", "rows left out": str(left_out)},
        expected=expected,
    )


LSMDC = RealDataset(
    name="lsmdc",
    about="109,000 film clips of about 4 s with a sentence each",
    clips="train 101,079 · val 7,408 · test 1,000",
    size="1.3 TB of videos, store about 480 GB",
    source="sites.google.com/site/describingmovies (under an agreement with the MPI for Informatics)",
    layout=f"{' or '.join(TRAIN_FILES)}; {VAL[0]}; {TEST[0]}; <clip>.avi in one folder or one per film",
    options=HeldOutOptions,
    read=read,
)
