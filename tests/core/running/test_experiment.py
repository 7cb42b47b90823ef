"""Experiment files: the shipped ones hold together, and a mistake in one is a line that names the place."""

import csv
import re
from pathlib import Path

import pytest

from core.cli.hints import line_of
from core.datasets import registered_datasets
from core.datasets.avworld.world import WORLDS
from core.errors import BenchError
from core.registry import registered_methods
from core.running.experiment import Experiment, PublishedRows, experiment_files, load_experiment
from core.running.matrix import from_command_line
from core.spec import RunSpec

ROOT = Path(__file__).parents[3]
PAPER = "GAID, arXiv 2508.01711v1"


def published() -> list[dict[str, str]]:
    """The published rows; from the shared papers where the project has no file of its own yet."""
    for file in (ROOT / "reports" / "published.csv", ROOT / ".." / "shared" / "published" / "published.csv"):
        if file.exists():
            with file.open(encoding="utf-8", newline="") as lines:
                return list(csv.DictReader(lines))
    pytest.skip("neither reports/published.csv nor ../shared/published is here")


def data_of(name: str) -> set[str]:
    """The data sets of a shipped experiment."""
    return {dataset for block in load_experiment(name).blocks for dataset in block.datasets}


def cells_of(name: str) -> list[RunSpec]:
    """The cells of a shipped experiment; skips where one of its data sets is not registered."""
    if unknown := sorted(data_of(name) - set(registered_datasets())):
        pytest.skip(f"no data set is called {', '.join(unknown)} here")
    return from_command_line(name, {}, ()).cells


def held_against() -> list[tuple[str, PublishedRows]]:
    return [(name, rows) for name in experiment_files() for rows in load_experiment(name).published]


@pytest.mark.parametrize("name", experiment_files())
def test_every_shipped_experiment_expands_into_different_cells(name: str) -> None:
    cells = cells_of(name)
    assert cells
    assert len({cell.canonical() for cell in cells}) == len(cells)


@pytest.mark.parametrize("name", experiment_files())
def test_every_shipped_experiment_also_expands_on_the_embedded_world(name: str) -> None:
    assert from_command_line(name, {"datasets": ("avworld",)}, ()).cells


@pytest.mark.parametrize(
    "place", [*(f"Table {n}" for n in range(1, 10)), *(f"Figure {n}" for n in (5, 6, 7))]
)
def test_every_table_and_figure_has_its_file(place: str) -> None:
    experiment = load_experiment(place.lower().replace(" ", "-"))
    assert experiment.source is not None
    assert (experiment.source.paper, experiment.source.place) == (PAPER, place)


@pytest.mark.parametrize("name", [name for name in experiment_files() if not data_of(name) <= set(WORLDS)])
def test_every_experiment_on_real_data_has_a_version_for_a_laptop(name: str) -> None:
    laptop = load_experiment(name).laptop
    assert laptop is not None
    assert data_of(laptop) == {"avworld"}


@pytest.mark.parametrize(("name", "rows"), held_against())
def test_published_rows_exist(name: str, rows: PublishedRows) -> None:
    assert any(rows.matches(row) for row in published())


@pytest.mark.parametrize("name", [f"table-{n}" for n in (1, 2, 3, 4, 5, 6, 7)])
def test_the_selectors_of_a_table_find_every_row_of_the_methods_that_are_built_in(name: str) -> None:
    table = name.removeprefix("table-")
    wanted = re.compile(r"(CLIP4Clip|X-Pool|T-MASS|AVIGATE|GAID)( \+ .*| ablation: .*)?$")
    rows = [
        row
        for row in published()
        if row["source_paper"].startswith("GAID") and row["table"] == table and wanted.match(row["method"])
    ]
    selectors = load_experiment(name).published
    assert rows
    assert [row for row in rows if not any(selector.matches(row) for selector in selectors)] == []


def test_the_base_of_table_8_is_what_the_table_says_and_its_changes_what_the_scripts_say() -> None:
    names = {"MSR-VTT": "msrvtt", "DiDeMo": "didemo", "LSMDC": "lsmdc", "VATEX": "vatex"}
    keys = {
        "config.dropout": r"dropout ([\d.]+)",
        "config.support_weight": r"support loss weight ([\d.]+)",
        "training.epochs": r"epochs (\d+)",
    }
    released = {
        "config.support_weight": r"(?:--support_loss_weight(?:=| \(default ))([\d.]+)",
        "training.epochs": r"--num_epochs=(\d+)",
    }
    blocks = {block.datasets[0]: block for block in load_experiment("table-8").blocks}
    rows = [row for row in published() if row["source_paper"].startswith("GAID") and row["table"] == "8"]
    assert {names[row["dataset"]] for row in rows} == set(blocks)
    for row in rows:
        block = blocks[names[row["dataset"]]]
        printed = {key: re.search(pattern, row["extra"]) for key, pattern in keys.items()}
        assert block.set == {key: float(found[1]) for key, found in printed.items() if found}
        scripted = {key: re.search(pattern, row["note"]) for key, pattern in released.items()}
        change = {key: float(found[1]) for key, found in scripted.items() if found}
        assert list(block.change) == ([change] if change else [])


def test_the_table_of_all_methods_has_every_method_that_is_built_in() -> None:
    blocks = load_experiment("avworld-methods").blocks
    ours = [name for name, cls in registered_methods().items() if cls.__module__.startswith("methods.")]
    assert sorted(name for block in blocks for name in block.methods) == sorted(ours)
    assert {tuple(block.axes["seeds"]) for block in blocks} == {(0, 1, 2)}


def test_an_unknown_experiment_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(BenchError, match="did you mean 'avworld-fusion'"):
        load_experiment("avworld-fusio")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("title: [", "mine.yaml is not YAML"),
        ("title: x\ntitle: y\nblocks: []", "'title' stands twice"),
        ("title: x\ntitle: y\nblocks: []", "mine.yaml is not YAML: line 2: "),
        ("- a", "mine.yaml is a list; it takes the keys title and blocks, as benchmarks/default.yaml"),
        ("", "mine.yaml is empty; it takes the keys title and blocks, as benchmarks/default.yaml"),
        ("title: x", "mine.yaml: blocks is missing, e.g. blocks: [{methods: [gaid], datasets: [avworld]}]"),
        ("title: 3\nblocks: []", "mine.yaml: title takes text (given 3)"),
        ("title: x\nblocks: [gaid]", "mine.yaml: block 1: takes a mapping, e.g. blocks: [{methods: "),
        ("title: x\nblocks: {methods: [gaid]}", "mine.yaml: blocks must be a list, e.g. blocks: [{methods: "),
        (
            "title: x\nblocks: [{datasets: [avworld]}]",
            "mine.yaml: block 1: methods is missing, e.g. methods: [",
        ),
        (
            "title: x\nblocks: [{methods: , datasets: [avworld]}]",
            "block 1: methods is empty, e.g. methods: [",
        ),
        (
            "title: x\nblocks: [{methods: [gaid], datasets: [avworld]}, {methods: [3], datasets: [avworld]}]",
            "mine.yaml: block 2: methods entry 1 takes text (given 3)",
        ),
        (
            "title: x\nblocks: [{methods: [gaid], datasets: [avworld], seeds: {a: 1}}]",
            "mine.yaml: block 1: seeds must be a list (given {'a': 1})",
        ),
        (
            "title: x\nblocks: [{methods: [gaid], datasets: [avworld], seeds: 4-2}]",
            "mine.yaml: block 1: seeds: 4-2 is no range of 1 to 1,000 numbers; write e.g. seeds: 2-4",
        ),
        (
            "title: x\nblocks: [{methods: [gaid], datasets: [avworld], set: 3}]",
            "mine.yaml: block 1: set takes a mapping, e.g. set: {training.epochs: 12} (given 3)",
        ),
        (
            "title: x\nblocks: [{methods: [gaid], datasets: [avworld], change: {config.alpha: 0.5}}]",
            "mine.yaml: block 1: change must be a list, e.g. change: [{config.alpha: 0.25}] (given ",
        ),
        ("title: x\nblock: []\nblocks: []", "mine.yaml: unknown key 'block'; did you mean 'blocks'?"),
        (
            "title: x\nblocks: [{methods: [gaid], dataset: [avworld]}]",
            "mine.yaml: unknown key in block 1 'dataset'; did you mean 'datasets'?",
        ),
        (
            "title: x\nblocks: [{methods: [gaid], datasets: [avworld], seed: [1]}]",
            "mine.yaml: unknown key in block 1 'seed'; did you mean 'seeds'?",
        ),
        (
            "title: x\nblocks: []\npublished: [{source_paper: a, tabel: '1', table: '1'}]",
            "mine.yaml: unknown key in published entry 1 'tabel'; did you mean 'table'?",
        ),
        ("title: x\nblocks: []\nsource: {paper: a, place: b, plaice: c}", "unknown key in source 'plaice'"),
        (
            "title: x\nblocks: [{methods: [gaid], datasets: [avworld], zip: {a: [1], b: [1, 2]}}]",
            "the lists under zip differ in length",
        ),
        (
            "title: x\nblocks: [{methods: [gaid], datasets: [avworld], frames: [12], set: {frames: 15}}]",
            "'frames' is given twice",
        ),
        (
            "title: x\nblocks: [{methods: [gaid], datasets: [avworld], fusion: [none], "
            "set: {config.fusion: frame}}]",
            "'config.fusion' is given twice",
        ),
        (
            "title: x\nblocks: [{methods: [gaid], datasets: [avworld], fusio: [none]}]",
            "unknown key in block 1 'fusio'; did you mean 'fusion'?",
        ),
    ],
)
def test_a_bad_experiment_file_is_one_line_with_its_name(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(content)
    with pytest.raises(BenchError, match=re.escape(message)) as caught:
        load_experiment(str(file))
    assert "\n" not in str(caught.value)
    assert "mine.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("own", "seeds"),
    [
        ("seeds: 0-2", (0, 1, 2)),
        ("seeds: [0-2, 7]", (0, 1, 2, 7)),
        ("seeds: 3", (3,)),
        ('seeds: "0,2-3"', (0, 2, 3)),
        ("seeds: [5]", (5,)),
    ],
)
def test_a_block_takes_ranges_and_single_values_as_the_command_line_does(
    own: str, seeds: tuple[int, ...], tmp_path: Path
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"title: x\nblocks: [{{methods: X-Pool, datasets: AVWORLD, {own}}}]")
    cells = from_command_line(str(file), {}, ()).cells
    assert [(cell.method, cell.dataset, cell.seeds.noise) for cell in cells] == [
        ("xpool", "avworld", seed) for seed in seeds
    ]


def test_ranges_and_single_values_stand_in_every_list_of_values(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "title: x\nblocks: [{methods: 'gaid, T-MASS', datasets: avworld, training.epochs: 1-2, "
        "zip: {frames: 12-13, text_tokens: [20, 30]}, product: {training.lr_new: 0.5}}]"
    )
    block = load_experiment(str(file)).blocks[0]
    assert block.methods == ("gaid", "tmass")
    assert block.product == {"training.epochs": (1, 2), "training.lr_new": (0.5,)}
    assert block.zip == {"frames": (12, 13), "text_tokens": (20, 30)}


def test_a_value_that_a_cell_refuses_is_told_in_plain_words_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("title: x\nblocks: [{methods: gaid, datasets: avworld, set: {seeds: 0-4}}]")
    with pytest.raises(BenchError) as caught:
        from_command_line(str(file), {}, ())
    assert line_of(caught.value) == (
        f"{file}: gaid on avworld: seeds takes one whole number here, not a range (given '0-4'); "
        "see: bench methods --keys gaid"
    )


def test_a_file_of_another_encoding_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(b"title: \xff\xfe")
    with pytest.raises(BenchError, match="mine.yaml is not YAML"):
        load_experiment(str(file))


def test_every_field_of_an_experiment_is_used_by_a_shipped_one() -> None:
    experiments = [load_experiment(name) for name in experiment_files()]
    for field in Experiment.model_fields:
        assert any(getattr(experiment, field) for experiment in experiments), field
