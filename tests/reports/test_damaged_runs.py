"""One damaged run folder costs its own row: whatever is changed in it, the other runs are read and shown."""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest
import torch

from core.errors import BenchError
from core.runs import RunDirectory
from reports.audit.run import audit_run
from reports.collect import read_run, read_runs
from reports.compare import TwoRuns
from reports.figures.calibration import calibration_figure
from reports.figures.learning import learning_figure
from reports.figures.similarities import similarity_figure
from reports.header import header_of
from reports.page.failures import failures
from reports.page.gallery import gate_gallery
from reports.page.library import Library
from reports.page.overview import results_overview
from reports.page.rows import galleries, result_rows
from reports.queries import ResultKey
from reports.results import Results
from reports.summary import summary_table
from reports.tables import all_tables
from reports.trec import trec_files
from reports.write import contents_of
from tests.made_runs import add_result, make_run, result

pytestmark = pytest.mark.slow

MUTATIONS = 80
"""Of all files together; `make fuzz` tries thousands."""
WRONG: list[Any] = [
    None,
    -1,
    10**30,
    "",
    "nan",
    [],
    {},
    [[]],
    True,
    0.5,
    float("nan"),
    float("inf"),
    "x" * 50,
]

FILES = ("metrics.json", "manifest.json", "spec.json", "status.json", "queries.parquet", "top.parquet")
FILES += ("gates.safetensors", "epochs.jsonl")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every file, and one that is left alone."""
    root = tmp_path_factory.mktemp("whole")
    directory, _ = make_run(root, {}, [result(1.0)], gates={"test": {"auroc": {"trained": {"audible": 0.7}}}})
    other, _ = make_run(root, {}, [result(1.0)], method="clip4clip")
    for number, run in enumerate((directory, other)):
        scores = torch.rand(40, 40, generator=torch.Generator().manual_seed(number))
        add_result(run, scores, torch.arange(40))
    (directory.path / "epochs.jsonl").write_text('{"epoch": 1, "recall_at_1": 3.5}\n')
    directory.path.rename(root / "damaged")
    other.path.rename(root / "intact")
    return root


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside a JSON value."""
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


def mutated_json(text: str, chance: random.Random) -> str:
    """A JSON text with one value deleted or replaced."""
    content = json.loads(text)
    *parents, last = chance.choice(list(places(content)))
    parent = content
    for key in parents:
        parent = parent[key]
    if chance.random() < 0.4:
        del parent[last]
    else:
        parent[last] = chance.choice(WRONG)
    return json.dumps(content)


def mutated_bytes(data: bytes, chance: random.Random) -> bytes:
    """Bytes that are cut off, changed in one place, or gone."""
    kind = chance.random()
    if kind < 0.3:
        return data[: chance.randrange(len(data))]
    place = chance.randrange(len(data))
    changed = bytes([data[place] ^ (1 << chance.randrange(8))])
    return data[:place] + changed + data[place + 1 :] if kind < 0.95 else b""


def mutate(file: Path, chance: random.Random) -> None:
    """Damages a file of a run."""
    if chance.random() < 0.05:
        file.unlink()
    elif file.suffix == ".json" and chance.random() < 0.8:
        file.write_text(mutated_json(file.read_text(), chance))
    else:
        file.write_bytes(mutated_bytes(file.read_bytes(), chance))


def read_everything(root: Path) -> None:
    """Whatever report, page, compare, trec and audit make of the runs under `root`."""
    runs, notes = read_runs(root)
    assert all("\n" not in note and "damaged" in note for note in notes if "other data" not in note)
    if not any(note.startswith("intact: made on other data") for note in notes):  # a changed fingerprint
        assert "intact" in {run.name for run in runs}
    results = Results.of(runs)
    text = "".join(contents_of(all_tables(results), header_of(results)).values())
    assert all(run.label in text for run in results.runs)
    assert summary_table(results) is not None
    page = [results_overview(results), result_rows(results), galleries(results)]
    page += [failures(results.runs, Library()), gate_gallery(results.runs, Library())]
    json.dumps(page, allow_nan=False)
    for figure in (
        calibration_figure(results.runs),
        similarity_figure(results),
        learning_figure(results.runs),
    ):
        assert figure
    plt.close("all")


def one_line(action: Callable[[], object]) -> None:
    """Does something that may be refused in one line."""
    line = ""
    try:
        action()
    except BenchError as error:
        line = str(error)
    assert "\n" not in line


@pytest.mark.parametrize("file", FILES)
def test_a_mutated_file_is_left_out_in_one_line_or_read(file: str, whole: Path, tmp_path: Path) -> None:
    for seed in range(MUTATIONS // len(FILES)):
        root = tmp_path / str(seed)
        shutil.copytree(whole, root)
        mutate(root / "damaged" / file, random.Random(f"{file} {seed}"))
        read_everything(root)
        damaged = RunDirectory(root / "damaged")
        one_line(lambda at=damaged: trec_files(read_run(at), "test", "leak-free", "none"))
        one_line(lambda at=damaged: audit_run(read_run(at), "leak-free"))
        one_line(lambda at=damaged: TwoRuns.of(at.path, root / "intact", ResultKey("test"), 3))  # noqa: B023
        shutil.rmtree(root)


@pytest.mark.parametrize(
    ("file", "path", "words"),
    [
        (
            "metrics.json",
            ("results", 0, "protocol"),
            "metrics.json is damaged (results.0.protocol: Field required)",
        ),
        ("manifest.json", ("fingerprints",), "manifest.json is damaged (fingerprints: Field required)"),
        ("spec.json", ("method",), "spec.json"),
    ],
)
def test_a_missing_key_is_named_with_its_file(
    file: str, path: tuple[Any, ...], words: str, whole: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole, tmp_path / "runs")
    target = tmp_path / "runs" / "damaged" / file
    content = parent = json.loads(target.read_text())
    for key in path[:-1]:
        parent = parent[key]
    del parent[path[-1]]
    target.write_text(json.dumps(content))
    runs, (note,) = read_runs(tmp_path / "runs")
    assert [run.name for run in runs] == ["intact"]
    assert words in note


def test_a_changed_byte_in_a_table_is_found(whole: Path, tmp_path: Path) -> None:
    """By the checksums of the pages; a byte of a page's header may change nothing that is read."""
    file = whole / "damaged" / "queries.parquet"
    data, asked = file.read_bytes(), ResultKey("test")
    before, found = read_run(RunDirectory(whole / "damaged")).answered(asked), 0
    for place in range(100, len(data) // 2, len(data) // 40):
        root = tmp_path / str(place)
        shutil.copytree(whole, root)
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        (root / "damaged" / "queries.parquet").write_bytes(changed)
        runs, notes = read_runs(root)
        if len(runs) == 1:
            assert "queries.parquet is damaged" in notes[0]
            found += 1
        else:
            after = next(run for run in runs if run.name == "damaged").answered(asked)
            assert str(after) == str(before)
    assert found > 10
