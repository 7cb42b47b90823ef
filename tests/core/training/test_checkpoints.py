"""Authors' checkpoints: every layout is read, nothing in a pickle runs, what does not fit is one line."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from typer.testing import Result

from core.audit.noise_features import NARROW
from core.authors import renamed
from core.encoders.clip import ClipBackbone
from core.errors import BenchError
from core.method import Dimensions
from core.plugin_errors import PluginError
from core.progress import Silent
from core.registry import find_method, registered_methods
from core.resolving import resolve
from core.running.cells import RunInputs, prepare_inputs
from core.spec import RunSpec
from core.training.checkpoints import Checkpoint
from tests.command_line import assert_one_line

pytestmark = pytest.mark.slow

AVWORLD_TINY = "avworld-tiny"
AS_RELEASED = {"avigate": "linear", "gaid": "none", "save": "linear"}
"""How the released code projects the audio states, by method."""


@pytest.fixture
def authors_state(make_retriever: Callable[..., Any]) -> Callable[[str], dict[str, Tensor]]:
    """A method's random weights under the names of its released code, with OpenAI's of the towers."""

    def state(name: str) -> dict[str, Tensor]:
        projection = {"config__audio_projection": AS_RELEASED[name]} if name in AS_RELEASED else {}
        retriever, _ = make_retriever(name, **projection)
        torch.manual_seed(11)
        with torch.no_grad():
            for parameter in retriever.parameters():
                parameter.add_(0.01 * torch.randn_like(parameter))
        names = {ours: authors for authors, ours in retriever.method.authors.names.items()}
        towers = {f"clip.{n}": t for n, t in retriever.clip.state_dict().items() if n != "logit_scale"}
        return {**towers, **{renamed(n, names): t for n, t in retriever.method.state_dict().items()}}

    return state


@pytest.mark.parametrize("layout", ["bare", "beside an optimiser", "in parallel", "safetensors"])
def test_every_way_of_saving_is_read(
    layout: str, authors_state: Callable[[str], dict[str, Tensor]], tmp_path: Path
) -> None:
    state = authors_state("xpool")
    path = tmp_path / ("model.safetensors" if layout == "safetensors" else "model.pth")
    if layout == "safetensors":
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)
    else:
        content: dict[str, Any] = (
            {f"module.{n}": t for n, t in state.items()} if layout[:2] == "in" else state
        )
        torch.save({"state_dict": content, "epoch": 3} if layout[:2] == "be" else content, path)
    read = Checkpoint.read(path)
    assert read.weights.keys() == state.keys()
    assert all(torch.equal(read.weights[name], state[name]) for name in state)


def hears(name: str) -> bool:
    cls = registered_methods()[name]
    return cls(cls.Config(), NARROW.dimensions).needs.sound


@pytest.mark.parametrize(
    "name",
    [  # the released inputs of those that hear are another store and other features; GAID stands for them
        pytest.param(name, marks=pytest.mark.slow if hears(name) else ())
        for name, cls in sorted(registered_methods().items())
        if cls.authors and (name == "gaid" or not hears(name))
    ],
)
def test_a_checkpoint_gives_method_and_towers_and_changes_the_fingerprints(
    name: str, authors_state: Callable[[str], dict[str, Tensor]], materials: RunInputs, tmp_path: Path
) -> None:
    state = authors_state(name)
    torch.save(state, tmp_path / "model.pth")
    plain = {"training.epochs": 0, "training.clip_param_dtype": "float32"}
    small = {"audio_encoder": "avworld-whisper"} if hears(name) else {}
    spec = resolve(name, AVWORLD_TINY, {"checkpoint": str(tmp_path / "model.pth"), **plain, **small})
    found = prepare_inputs(spec, Silent(), workers=1)
    assert found.checkpoint is not None
    towers = found.clip.model.state_dict()
    assert all(torch.equal(towers[n], state[f"clip.{n}"]) for n in towers if n != "logit_scale")
    without = replace(materials, clip=ClipBackbone.load("avworld")).fingerprints()
    assert found.fingerprints()["checkpoint"] == found.checkpoint.sha256
    assert found.fingerprints()["clip"] != without["clip"]
    assert found.features.fingerprint != materials.features.fingerprint


class Poison:
    """A pickle that makes a folder when it is loaded without care."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def test_a_pickle_that_needs_more_than_tensors_is_refused_and_not_run(tmp_path: Path) -> None:
    torch.save({"state_dict": {"weight": torch.zeros(1)}, "config": Poison(tmp_path / "run")}, tmp_path / "x")
    with pytest.raises(
        BenchError, match=r"needs posix\.mkdir to be loaded.*refused.*save its weights"
    ) as caught:
        Checkpoint.read(tmp_path / "x")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"checkpoint .* cannot be read: No such file"),
        (b"", r"holds no weights that can be read"),
        (b"not a checkpoint", r"is a pickle that needs|is no checkpoint"),
        ([1, 2], r"holds no weights but list"),
        ({}, r"holds no weights but dict"),
        ({"epoch": 3}, r"its entry 'epoch' is int"),
    ],
)
def test_what_is_no_checkpoint_is_one_line(content: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(BenchError, match=message) as caught:
        Checkpoint.read(path)
    assert "\n" not in str(caught.value)


def test_a_truncated_file_is_one_line(
    authors_state: Callable[[str], dict[str, Tensor]], tmp_path: Path
) -> None:
    path = tmp_path / "model.pth"
    torch.save(authors_state("xpool"), path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(BenchError, match=r"holds no weights that can be read") as caught:
        Checkpoint.read(path)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_without_towers_or_with_wider_ones_is_refused(tmp_path: Path) -> None:
    clip = ClipBackbone.load("avworld")
    before = clip.model.text_projection.clone()
    wider = {f"clip.{name}": tensor for name, tensor in clip.model.state_dict().items()}
    wider["clip.text_projection"] = torch.zeros(512, 512)
    for state, message in [
        (wider, r"text_projection is \(512, 512\).*'avworld' has \(\d+, 128\)"),
        ({"pool_frames.weight": torch.zeros(1)}, r"missing CLIP weights"),
    ]:
        torch.save(state, tmp_path / "model.pth")
        with pytest.raises(BenchError, match=message):
            Checkpoint.read(tmp_path / "model.pth").load_towers(clip, find_method("xpool"))
    assert torch.equal(clip.model.text_projection, before)


@pytest.mark.parametrize("call", ["config", "inputs", "load"])
def test_a_layout_that_fails_is_one_line_with_its_method(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cls = find_method("xpool")

    def fails(*_: object) -> None:
        raise KeyError("heads.0")

    monkeypatch.setattr(type(cls.authors), call, fails)
    torch.save({"clip.logit_scale": torch.zeros(())}, tmp_path / "model.pth")
    checkpoint = Checkpoint.read(tmp_path / "model.pth")
    with pytest.raises(PluginError, match=r"^xpool: authors.* fails \(.*KeyError: 'heads\.0'") as caught:
        if call == "load":
            checkpoint.load_method(cls(cls.Config(), Dimensions(32, 4, 32)))
        else:
            checkpoint.decided(cls)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_names_its_method(invoke: Callable[..., Result], tmp_path: Path) -> None:
    for arguments in ([], ["--methods", "gaid,tmass"]):
        result = invoke("run", "--checkpoint", tmp_path / "model.pth", *arguments)
        assert_one_line(result, "a checkpoint belongs to one method", "--methods NAME")
    result = invoke("run", "--checkpoint", tmp_path / "model.pth", "--methods", "gaid")
    assert_one_line(result, "model.pth cannot be read: No such file")


def test_a_checkpoint_is_scored_and_not_trained_unless_asked(
    invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = planned(invoke, monkeypatch, tmp_path, {"weight": torch.zeros(1)}, "tmass")
    assert [cell.checkpoint for cell in seen] == [str(tmp_path / "model.pth")] * 2
    assert [cell.training.epochs for cell in seen] == [0, 2]


def planned(
    invoke: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    state: dict[str, Tensor],
    method: str,
) -> list[RunSpec]:
    """The cells of a checkpoint with these weights, as they are and with two epochs."""
    seen: list[RunSpec] = []
    monkeypatch.setattr("core.cli.plan.show", lambda cells, *_: seen.extend(cells))
    torch.save(state, folder / "model.pth")
    options = ["--methods", method, "--datasets", AVWORLD_TINY, "--dry-run", "--checkpoint"]
    for further in ([], ["--set", "training.epochs=2"]):
        assert invoke("run", *options, folder / "model.pth", *further).exit_code == 0
    return seen


@pytest.mark.parametrize(
    ("state", "projection"),
    [({"linear.weight": torch.zeros(128, 96)}, "linear"), ({"gate_fc.weight": torch.zeros(1, 384)}, "none")],
)
def test_whether_gaid_projects_the_sound_is_read_from_its_checkpoint(
    state: dict[str, Tensor],
    projection: str,
    invoke: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for spec in planned(invoke, monkeypatch, tmp_path, state, "gaid"):
        assert spec.config["audio_projection"] == projection


@pytest.mark.parametrize(
    ("state", "width"),
    [({"linear.weight": torch.zeros(128, 768)}, 768), ({"gate_fc.weight": torch.zeros(1, 3 * 512)}, 512)],
)
def test_sound_of_another_width_than_the_checkpoints_is_one_line(
    state: dict[str, Tensor], width: int, materials: RunInputs, tmp_path: Path
) -> None:
    torch.save(state, tmp_path / "model.pth")
    spec = resolve("gaid", AVWORLD_TINY, {"checkpoint": str(tmp_path / "model.pth"), "training.epochs": 0})
    read = Checkpoint.read(tmp_path / "model.pth")
    line = rf"model\.pth takes sound of width {width}, and 'avworld-whisper' gives 128; .* --audio-encoder"
    with pytest.raises(BenchError, match=line) as caught:
        read.check_audio(find_method("gaid"), spec.audio_encoder, materials.features.audio_width)
    assert "\n" not in str(caught.value)
    read.check_audio(find_method("gaid"), "another", width)
    read.check_audio(find_method("tmass"), spec.audio_encoder, None)
