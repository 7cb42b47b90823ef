"""Flags and experiment files become the product of their axes, and nonsense becomes one clear line."""

import re
from typing import Any

import pytest

from core.assignments import parse_assignment
from core.errors import BenchError
from core.resolving import resolve
from core.running.experiment import Block
from core.running.matrix import agrees, expand, from_command_line
from core.spec import RunSpec, dotted


def block(**fields: Any) -> Block:
    """A block of GAID on the small world."""
    return Block.model_validate({"methods": ("gaid",), "datasets": ("avworld-tiny",), **fields})


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


def test_set_wins_over_every_other_layer() -> None:
    (cell,) = from_command_line(
        "default", {"methods": ("gaid",)}, ["training.epochs=2", "config.alpha=0.25"]
    ).cells
    assert cell.training.epochs == 2
    assert cell.config["alpha"] == 0.25


def test_the_data_set_overrides_the_authors_and_the_authors_override_the_engine() -> None:
    small, large = resolve("tmass", "avworld", {}), RunSpec(method="tmass", dataset="avworld")
    assert small.training.mode == "frozen"
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
def test_bad_input_is_one_line_that_names_the_remedy(
    flags: dict[str, tuple[object, ...]], assignments: list[str], message: str
) -> None:
    with pytest.raises(BenchError, match=re.escape(message)) as caught:
        from_command_line("default", flags, assignments)
    assert "\n" not in str(caught.value)


def test_further_axes_multiply_and_tied_keys_move_together() -> None:
    cells = expand(
        block(
            product={"config.alpha": (0.25, 0.5)},
            zip={"audio_encoder": ("a", "b", "c"), "config.audio_projection": ("none", "linear", "linear")},
        )
    ).cells
    assert [(c.config["alpha"], c.audio_encoder, c.config["audio_projection"]) for c in cells] == [
        (alpha, *tied) for alpha in (0.25, 0.5) for tied in (("a", "none"), ("b", "linear"), ("c", "linear"))
    ]


def test_one_thing_at_a_time_is_changed_from_the_base() -> None:
    base, *changed = expand(
        block(
            set={"training.epochs": 3, "config.alpha": 0.25},
            change=({"config.alpha": 0.75}, {"training.epochs": 4, "training.warmup": 0.2}),
        )
    ).cells
    before = dotted(base)
    assert (before["training.epochs"], before["config.alpha"]) == (3, 0.25)
    differences = [{key: value for key, value in dotted(c).items() if value != before[key]} for c in changed]
    assert differences == [{"config.alpha": 0.75}, {"training.epochs": 4, "training.warmup": 0.2}]


def test_a_change_keeps_the_order_of_the_data() -> None:
    cells = expand(block(methods=("gaid", "tmass"), change=({"training.epochs": 1},), seeds=(5,))).cells
    assert len(cells) == 4
    assert {(c.seeds.data, c.seeds.initialisation, c.seeds.noise) for c in cells} == {(5, 5, 5)}


def test_excluded_cells_are_those_that_agree_with_every_key() -> None:
    exclude = ({"method": "tmass", "frames": 24}, {"config.perturbation": "dasp", "frames": 12})
    cells = expand(block(methods=("gaid", "tmass"), frames=(12, 24), exclude=exclude)).cells
    assert [(c.method, c.frames) for c in cells] == [("gaid", 24), ("tmass", 12)]


def test_cells_of_several_blocks_are_run_once(tmp_path: Any) -> None:
    file = tmp_path / "two.yaml"
    line = "{methods: [gaid], datasets: [avworld-tiny], frames: [%s]}"
    file.write_text(f"title: x\nblocks: [{line % '12, 15'}, {line % '15, 18'}]")
    assert [c.frames for c in from_command_line(str(file), {}, ()).cells] == [12, 15, 18]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"methods": ("clip4clip",), "fusion": ("frame",)}, "clip4clip has no fusion"),
        ({"methods": ("xpool",), "change": ({"config.fusion": "frame"},)}, "xpool has no fusion"),
        ({"methods": ("tmass",), "set": {"config.fusion": "sample"}}, "tmass has no fusion"),
        ({"methods": ("tmass",), "zip": {"audio_encoder": ("a", "b")}}, "tmass has no audio_encoder"),
        ({"product": {"config.trials": (1, 20)}}, "gaid with perturbation=dasp: config.trials has no effect"),
        (
            {"fusion": ("none", "frame"), "audio_encoder": ("a", "b")},
            "gaid without sound: audio_encoder has no effect",
        ),
        ({"exclude": ({"frames": 99},)}, "exclude {'frames': 99} matches no cell"),
        ({"exclude": ({"frame": 99},)}, "unknown key of a cell of gaid 'frame'; did you mean 'frames'"),
    ],
)
def test_an_impossible_combination_in_an_experiment_file_is_one_line(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(BenchError, match=re.escape(message)) as caught:
        expand(block(**fields), strict=True)
    assert "\n" not in str(caught.value)


def test_what_has_no_effect_can_be_excluded() -> None:
    possible = block(
        fusion=("none", "frame"),
        change=({"audio_encoder": "other"},),
        exclude=({"config.fusion": "none"},),
    )
    assert len(expand(possible, strict=True).cells) == 2


@pytest.mark.parametrize(
    "blocks",
    [
        "[]",
        "[{methods: [], datasets: [avworld]}]",
        "[{methods: [gaid], datasets: [avworld], exclude: [{method: gaid}]}]",
    ],
)
def test_an_experiment_without_cells_is_refused(tmp_path: Any, blocks: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"title: x\nblocks: {blocks}")
    with pytest.raises(BenchError, match=r"mine\.yaml has no cells"):
        from_command_line(str(file), {}, ())


def test_a_line_about_a_file_begins_with_its_name(tmp_path: Any) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("title: x\nblocks: [{methods: [gaid], datasets: [avworld], set: {config.alpah: 1}}]")
    with pytest.raises(BenchError, match=r"mine\.yaml: unknown key .* did you mean 'config.alpha'"):
        from_command_line(str(file), {}, ())


def test_a_flag_replaces_what_the_file_says_about_its_key(tmp_path: Any) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "title: x\n"
        "blocks: [{methods: [gaid], datasets: [avworld], set: {frames: 18}, change: [{frames: 21}]}]"
    )
    assert {c.frames for c in from_command_line(str(file), {}, ()).cells} == {18, 21}
    assert {c.frames for c in from_command_line(str(file), {"frames": (24,)}, ()).cells} == {24}


def test_a_flag_does_not_tear_apart_what_a_file_ties_together() -> None:
    with pytest.raises(BenchError, match=r"ties audio_encoder to config.audio_projection"):
        from_command_line("table-7", {"audio_encoder": ("ast",), "datasets": ("avworld",)}, ())


def test_a_pattern_names_the_method_and_the_data_set_too() -> None:
    cell = resolve("gaid", "avworld", {})
    assert agrees(cell, {"method": "gaid", "dataset": "avworld", "config.fusion": "frame"})
    assert not agrees(cell, {"method": "gaid", "dataset": "avworld-tiny"})


def test_assignments_are_json_where_they_parse_as_such() -> None:
    assert parse_assignment("a=2") == ("a", 2)
    assert parse_assignment("a=last") == ("a", "last")
    assert parse_assignment('a=["x"]') == ("a", ["x"])


def test_equal_specs_have_equal_digests_and_other_data_has_another() -> None:
    first = resolve("gaid", "avworld", {})
    second = resolve("gaid", "avworld", {"training.epochs": first.training.epochs})
    assert first.digest("data") == second.digest("data") != first.digest("other data")
