"""Flags and experiment files become the product of their axes, and nonsense becomes one clear line."""

import re
from pathlib import Path

import pytest

from core.datasets import ENTRIES
from core.errors import BenchError
from core.matrix import AXES, Block, expand, experiment_files, from_command_line, load_experiment
from core.spec import RunSpec, parse_assignment, resolve

NO_FLAGS: dict[str, tuple[str, ...]] = {}


def test_axes_multiply() -> None:
    flags = {
        "methods": ("gaid",),
        "datasets": ("avworld",),
        "fusion": ("none", "sample", "frame"),
        "pooling": ("mean", "text-conditioned"),
        "perturbation": ("dasp", "stp"),
        "frames": (12, 24),
        "seeds": (0, 1),
    }
    cells = from_command_line("default", flags, ()).cells
    assert len(cells) == 3 * 2 * 2 * 2 * 2
    assert len({cell.canonical() for cell in cells}) == len(cells)
    assert {(c.config["fusion"], c.frames, c.seeds.noise) for c in cells} == {
        (fusion, frames, seed) for fusion in flags["fusion"] for frames in (12, 24) for seed in (0, 1)
    }


def test_an_axis_multiplies_only_over_methods_that_have_the_part() -> None:
    flags = {
        "methods": ("gaid", "tmass", "clip4clip"),
        "fusion": ("sample", "frame"),
        "perturbation": ("dasp", "stp"),
    }
    matrix = from_command_line("default", flags, ())
    count = {name: sum(cell.method == name for cell in matrix.cells) for name in flags["methods"]}
    assert count == {"gaid": 4, "tmass": 2, "clip4clip": 1}
    assert any("tmass has no fusion" in note for note in matrix.notes)


def test_an_impossible_axis_in_an_experiment_file_is_an_error() -> None:
    block = Block(methods=("clip4clip",), datasets=("avworld",), fusion=("frame",))
    with pytest.raises(BenchError, match="clip4clip has no fusion"):
        expand(block, strict=True)


def test_set_wins_over_every_other_layer() -> None:
    (cell,) = from_command_line(
        "default", {"methods": ("gaid",)}, ["training.epochs=2", "config.alpha=0.25"]
    ).cells
    assert cell.training.epochs == 2
    assert cell.config["alpha"] == 0.25


def test_the_data_set_overrides_the_authors_and_the_authors_override_the_engine() -> None:
    small, large = resolve("tmass", "avworld", {}), RunSpec(method="tmass", dataset="avworld")
    assert small.training.mode == "text-tuned"
    assert large.training.mode == "finetune"
    assert small.training.weight_decay == 0.02


def test_a_seed_moves_every_axis_of_randomness_unless_one_is_set() -> None:
    (cell,) = from_command_line("default", {"methods": ("xpool",), "seeds": (3,)}, ["seeds.noise=9"]).cells
    assert (cell.seeds.data, cell.seeds.initialisation, cell.seeds.noise) == (3, 3, 9)


@pytest.mark.parametrize(
    ("flags", "assignments", "message"),
    [
        ({"methods": ("gaidd",)}, [], "unknown method 'gaidd'; did you mean 'gaid'?"),
        ({"datasets": ("avwrld",)}, [], "unknown dataset 'avwrld'; did you mean 'avworld'?"),
        ({"methods": ("gaid",), "fusion": ("frames",)}, [], "fusion"),
        ({"methods": ("gaid",)}, ["training.epoch=2"], "did you mean 'training.epochs'?"),
        ({"methods": ("gaid",)}, ["training.epochs=-1"], "training.epochs"),
        ({"methods": ("gaid",)}, ["training.epochs"], "not of the form key=value"),
        ({"methods": ("gaid",), "frames": (0,)}, [], "frames"),
        ({"methods": ("gaid",)}, ["config.alpah=1"], "did you mean 'config.alpha'?"),
    ],
)
def test_bad_input_is_one_line_that_names_the_mend(
    flags: dict[str, tuple[object, ...]], assignments: list[str], message: str
) -> None:
    with pytest.raises(BenchError, match=re.escape(message)) as caught:
        from_command_line("default", flags, assignments)
    assert "\n" not in str(caught.value)


def test_an_unknown_experiment_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(BenchError, match="did you mean 'avworld-fusion'"):
        load_experiment("avworld-fusio")


@pytest.mark.parametrize("content", ["title: [", "title: x\nblocks: []\nmore: 1", "- a", "title: x"])
def test_a_bad_experiment_file_is_refused_by_name(tmp_path: Path, content: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(content)
    with pytest.raises(BenchError, match="mine.yaml"):
        load_experiment(str(file))


@pytest.mark.parametrize("name", experiment_files())
def test_every_shipped_experiment_expands_into_different_cells(name: str) -> None:
    blocks = load_experiment(name).blocks
    if unknown := {dataset for block in blocks for dataset in block.datasets} - set(ENTRIES):
        pytest.skip(f"no data set is called {', '.join(sorted(unknown))} here")
    cells = from_command_line(name, NO_FLAGS, ()).cells
    assert len(cells) == sum(len(expand(block).cells) for block in blocks) > 0


@pytest.mark.parametrize("name", ["cae-av", "avworld-cae-av"])
def test_the_ablations_of_cae_av_change_one_thing_each(name: str) -> None:
    cells = from_command_line(name, {"datasets": ("avworld",)}, ()).cells
    own = [cell.model_dump() for cell in cells if cell.method == "cae_av"]
    flat = [cell | cell["config"] | {"config": {}} for cell in own]
    base, *others = (cell for cell in flat if cell["host"] == "clip4clip")
    changes = [[key for key in cell if cell[key] != base[key]] for cell in others]
    assert all(len(change) == 1 for change in changes)
    assert {key for (key,) in changes} == {
        "enrichment",
        "video_captions",
        "caste_branches",
        "topk_ratio",
        "caption_weight",
        "consistency_weight",
        "entropy_weight",
    }


def test_assignments_are_json_where_they_parse_as_such() -> None:
    assert parse_assignment("a=2") == ("a", 2)
    assert parse_assignment("a=last") == ("a", "last")
    assert parse_assignment('a=["x"]') == ("a", ["x"])


def test_equal_specs_have_equal_digests_and_other_data_has_another() -> None:
    first = resolve("gaid", "avworld", {})
    second = resolve("gaid", "avworld", {"training.epochs": first.training.epochs})
    assert first.digest("data") == second.digest("data") != first.digest("other data")


def test_every_axis_names_a_key_of_the_spec() -> None:
    assert set(AXES) <= set(Block.model_fields)
