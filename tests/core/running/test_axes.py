"""What fields declare is what the engine does: for every method, and for one whose file is all there is."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel

import methods
from core.axes import ANY, Axis, Only, Ours, Released, SmallWorld, declared, fields_in, sided
from core.datasets import find_dataset
from core.errors import BenchError
from core.keys import keys_of
from core.registry import find_method, registered_methods, scan
from core.resolving import fields_of, known_keys, resolve
from core.running.axes import all_axes, axis_names, idle_keys
from core.running.matrix import from_command_line
from core.running.plan import recipe_differences
from core.spec import dotted

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "late_fusion.py"
WORLD = "avworld-tiny"


class Base(BaseModel):
    """A configuration."""

    gate: Annotated[Literal["none", "soft"], Axis(column="gate", absent="none")] = "none"
    slope: Annotated[float, Only(gate=ANY), Released(2.0)] = 1.0
    """How steep."""
    size: Annotated[int, Only(gate="soft"), Only(slope=ANY)] = 3


class Derived(Base):
    """Another default, and a released value of its own."""

    gate: Literal["none", "soft"] = "soft"
    slope: Annotated[float, Released(3.0)] = 1.0


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The documented example as a further method."""
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(tmp_path)])
    scan.cache_clear()
    shutil.copy(EXAMPLE, tmp_path)
    yield tmp_path / "late_fusion.py"
    monkeypatch.undo()
    scan.cache_clear()
    sys.modules.pop("methods.late_fusion", None)


def cells(*methods_: str, **flags: tuple[str, ...]) -> list[dict[str, Any]]:
    """The dotted values of the cells of some methods under some flags."""
    matrix = from_command_line("default", {"methods": methods_, "datasets": (WORLD,), **flags}, ())
    return [dotted(cell) for cell in matrix.cells]


def test_a_field_that_is_stated_again_keeps_what_its_base_declares_unless_it_declares_its_own() -> None:
    fields = declared({"config": Derived})
    assert fields["config.gate"].axis == Axis(column="gate", absent="none")
    assert fields["config.slope"].mark(Released) == Released(3.0)
    assert fields["config.slope"].mark(Only) == Only(gate=ANY)
    assert fields["config.gate"].choices == ("none", "soft")


@pytest.mark.parametrize(
    ("values", "idle"),
    [
        ({"gate": "soft", "slope": 1.0}, ""),
        ({"gate": "none", "slope": 1.0}, "with gate=none"),
        ({"gate": "soft", "slope": 0}, "with slope=0"),
        ({"gate": "none", "slope": 0}, "with gate=none, slope=0"),
    ],
)
def test_a_field_has_an_effect_only_where_all_its_conditions_are_met(
    values: dict[str, Any], idle: str
) -> None:
    size = next(field for field in fields_in("config", Base) if field.name == "size")
    assert size.idle({f"config.{key}": value for key, value in values.items()}, lambda need: False) == idle


def test_a_condition_may_ask_what_the_method_reads() -> None:
    class Model(BaseModel):
        encoder: Annotated[str, Only(needs="sound")] = ""

    (field,) = fields_in("", Model)
    assert field.idle({}, {"sound"}.__contains__) == ""
    assert field.idle({}, {"patches"}.__contains__) == "without sound"


def test_a_recipe_has_two_sides() -> None:
    recipe = {"a": Ours(1, released=2), "b": 3}
    assert sided(recipe) == {"a": 1, "b": 3}
    assert sided(recipe, released=True) == {"a": 2, "b": 3}


@pytest.mark.parametrize("method", sorted(registered_methods()))
def test_every_condition_of_every_method_names_a_field_beside_it(method: str) -> None:
    fields = fields_of(method, WORLD)
    for key, field in fields.items():
        part = key.rpartition(".")[0]
        for only in (mark for mark in field.marks if isinstance(mark, Only)):
            assert only.needs in ("", "sound", "patches", "video_captions", "words", "speech", "teacher")
            for name, kinds in only.parts.items():
                beside = fields[f"{part}.{name}" if part else name]
                assert kinds == (ANY,) or not beside.kinds or set(kinds) <= set(beside.kinds)


@pytest.mark.parametrize("method", sorted(registered_methods()))
def test_every_declared_value_of_every_method_is_one_that_its_field_takes(method: str) -> None:
    for kind in (Released, SmallWorld):
        for key, field in fields_of(method, WORLD).items():
            if mark := field.mark(kind):
                assert key in known_keys(method, WORLD)
                resolve(method, WORLD, {key: mark.value})


@pytest.mark.parametrize("method", sorted(registered_methods()))
@pytest.mark.parametrize("dataset", ["msrvtt", "didemo", "lsmdc", "vatex", "folder", WORLD])
def test_the_authors_recipe_of_every_method_differs_in_what_is_declared_and_in_nothing_else(
    method: str, dataset: str
) -> None:
    spec = resolve(method, dataset, {"recipe": "authors"})
    cls, fields = registered_methods()[method], fields_of(method, dataset)
    declares = {key for key, field in fields.items() if field.mark(Released)}
    stated = {
        key: value for key, value in cls.recipe.items() if "@" not in key or key.endswith(f"@{dataset}")
    }
    declares |= {key.partition("@")[0] for key, value in stated.items() if isinstance(value, Ours)}
    ours = dotted(resolve(method, dataset, {}))
    differing = {key for key, value in dotted(spec).items() if value != ours[key]} - {"recipe"}
    assert differing <= declares
    shown = {key for key, _, _ in recipe_differences(spec)}
    assert shown == differing - idle_keys(spec, differing).keys()


def test_what_a_method_says_of_a_data_set_wins_over_what_that_says_to_all_methods() -> None:
    everyone = find_dataset("avworld").recipe["training.epochs"]
    own = find_method("gaid").recipe["training.epochs@avworld"]
    assert own != everyone
    chosen = {"xpool": everyone, "gaid": own}
    assert {name: resolve(name, "avworld", {}).training.epochs for name in chosen} == chosen
    assert resolve("gaid", "avworld-tiny", {}).training.epochs == everyone


@pytest.mark.parametrize(
    ("method", "dataset", "key", "ours", "authors"),
    [
        ("gaid", "msrvtt", "config.loss_weights", "uniform", "positive-cosine-released"),
        ("gaid", "msrvtt", "config.audio_alignment", "clip", "released"),
        ("gaid", "didemo", "config.support_weight", 0.1, 0.0),
        ("gaid", "didemo", "training.epochs", 5, 8),
        ("gaid", "lsmdc", "config.support_weight", 0.3, 0.5),
        ("gaid", "vatex", "data.captions", "all", "first-caption"),
        ("gram", "vatex", "data.captions", "all", "first-caption"),
        ("triangle", "vatex", "data.captions", "all", "first-caption"),
        ("tmass", "lsmdc", "config.prior", "uniform", "normal"),
        ("tmass", "lsmdc", "config.prior_std", 1.0, 0.003),
        ("tmass", "msrvtt", "config.noise", "per-text", "fresh"),
        ("avigate", "msrvtt", "audio_encoder", "ast:avigate", "ast:avigate-random"),
        ("clip4clip", "msrvtt", "training.lr_clip", 1e-6, 1e-7),
        ("clip4clip", "msrvtt", "data.reader", "own", "opencv"),
        ("drl", "msrvtt", "frame_sampling", "one-per-second", "every-nth"),
        ("dicosa", "lsmdc", "frame_sampling", "one-per-second", "every-nth"),
        ("emcl", "msrvtt", "frame_sampling", "one-per-second", "every-nth"),
        ("emcl", "didemo", "frame_sampling", "one-per-second", "one-per-second"),
        ("emcl", "didemo", "data.reader", "own", "opencv"),
        ("dicosa", "didemo", "data.reader", "own", "opencv"),
        ("drl", "msrvtt", "data.reader", "own", "own"),
        ("emcl", "msrvtt", "data.reader", "own", "own"),
        ("xpool", "msrvtt", "training.selection", "val", "test-best"),
        ("xpool", "msrvtt", "data.holdout", 0.05, 0.0),
    ],
)
def test_the_two_recipes_have_the_values_of_the_table_of_decisions(
    method: str, dataset: str, key: str, ours: object, authors: object
) -> None:
    assert dotted(resolve(method, dataset, {}))[key] == ours
    assert dotted(resolve(method, dataset, {"recipe": "authors"}))[key] == authors
    assert dotted(resolve(method, dataset, {"recipe": "authors", key: ours}))[key] == ours


def test_a_checkpoint_of_the_authors_implies_their_recipe() -> None:
    assert resolve("gaid", "msrvtt", {"checkpoint": "a.pt"}).recipe == "authors"
    assert resolve("gaid", "msrvtt", {"checkpoint": "a.pt", "recipe": "ours"}).training.selection == "val"


def test_a_method_of_one_file_that_uses_sound_sweeps_audio_encoders(plug_in: Path) -> None:
    encoders = ("avworld-whisper", "avworld-wav2vec2")
    found = cells("late_fusion", "gaid", audio_encoder=encoders)
    assert [(cell["method"], cell["audio_encoder"]) for cell in found] == [
        (method, encoder) for method in ("late_fusion", "gaid") for encoder in encoders
    ]
    assert "audio_encoder" in axis_names("late_fusion")


def test_a_method_of_one_file_declares_an_axis_in_one_line(plug_in: Path) -> None:
    source = plug_in.read_text()
    plug_in.write_text(
        source.replace("    share: Share = 0.3", '    share: Annotated[Share, Axis("mix")] = 0.3').replace(
            "import torch\n", "from typing import Annotated\n\nimport torch\nfrom core.axes import Axis\n"
        )
    )
    assert "mix" in all_axes()
    found = cells("late_fusion", "clip4clip", mix=("0.1", "0.2"))
    assert [(cell["method"], cell.get("config.share")) for cell in found] == [
        ("late_fusion", 0.1),
        ("late_fusion", 0.2),
        ("clip4clip", None),
    ]
    with pytest.raises(BenchError, match=r"--mix must be at most 1 \(given 7\)"):
        cells("late_fusion", mix=("7",))


@pytest.mark.parametrize("host", ["clip4clip", "gaid"])
def test_an_enrichment_reads_sound_and_so_its_alignment_has_an_effect(host: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        f"title: x\nblocks: [{{methods: [cae_av], datasets: [avworld], set: {{config.host: {host}}}, "
        "audio_encoder: [avworld-whisper, avworld-wav2vec2], config.audio_alignment: [clip, released]}]"
    )
    found = from_command_line(str(file), {}, ()).cells
    assert len({(cell.audio_encoder, cell.config["audio_alignment"]) for cell in found}) == 4


def test_a_key_without_effect_is_left_at_its_default_and_said() -> None:
    flags = {"methods": ("gaid", "tmass"), "datasets": (WORLD,)}
    matrix = from_command_line("default", flags, ["config.alpha=0.3,0.4"])
    assert [(cell.method, cell.config["alpha"]) for cell in matrix.cells] == [
        ("gaid", 0.3),
        ("gaid", 0.4),
        ("tmass", 0.5),
    ]
    assert matrix.notes == [
        "tmass with perturbation=stp: config.alpha has no effect and is left as it is",
    ]


@pytest.mark.parametrize("method", sorted(registered_methods()))
def test_the_keys_that_are_listed_are_those_that_can_be_set(method: str) -> None:
    found = {key.key: key for key in keys_of(method)}
    assert known_keys(method, "msrvtt") <= found.keys() | {"data", "config"}
    unexplained = [key for key, listed in found.items() if key.startswith("config.") and not listed.about]
    assert unexplained == []
    for key, listed in found.items():
        if listed.differs:
            assert listed.released != listed.default, key
