"""`NAME:fastest`: measured before anything runs, remembered, and named in spec, folder and protocol."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from core.cli import fastest
from core.cli.fastest import LOWER, measured, with_fastest
from core.errors import BenchError
from core.progress import Silent
from core.resolving import resolve
from core.spec import RunSpec
from tests.command_line import assert_one_line

ENCODER = "avworld-whisper"


def asking(name: str = f"{ENCODER}:fastest") -> RunSpec:
    return resolve("gaid", "avworld-tiny", {"audio_encoder": name})


def names(specs: list[RunSpec], *, measure: bool = True) -> list[str]:
    return [spec.audio_encoder for spec in with_fastest(specs, Silent(), measure=measure)]


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, float]:
    """What measuring finds, on a machine that has measured nothing yet."""
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    found = {"float32": 1.5, LOWER: 1.0}
    monkeypatch.setattr(fastest, "measured", lambda *_: dict(found))
    return found


@pytest.mark.parametrize(("lower", "own"), [(1.0, f"{ENCODER}:bfloat16"), (1.45, ENCODER), (3.0, ENCODER)])
def test_the_faster_precision_is_the_encoder_of_every_cell_that_asks(
    lower: float, own: str, seconds: dict[str, float]
) -> None:
    seconds[LOWER] = lower
    other = "avworld-wav2vec2"
    assert names([asking(), asking(other)]) == [own, other]
    assert names([asking(), asking(other), asking(own)]) == [own, other]  # what is the same runs once


def test_a_machine_measures_once_and_a_dry_run_never(seconds: dict[str, float]) -> None:
    assert names([asking()], measure=False) == [f"{ENCODER}:fastest"]
    assert names([asking()]) == [f"{ENCODER}:bfloat16"]
    seconds[LOWER] = 9.0  # another hour on a busy machine
    assert names([asking()]) == names([asking()], measure=False) == [f"{ENCODER}:bfloat16"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("avworld-wav2vec2:fastest", "an encoder of type 'wav2vec2' runs in float32 alone; whisper has both"),
        ("checkpoint:fastest", "a checkpoint's own encoder has one precision"),
    ],
)
def test_what_has_no_choice_is_refused(name: str, line: str, seconds: dict[str, float]) -> None:
    with pytest.raises(BenchError, match=line):
        names([asking(name)])


def test_both_precisions_are_timed() -> None:
    found = measured(ENCODER)
    assert found.keys() == {"float32", LOWER}
    assert all(each > 0 for each in found.values())


def test_an_unknown_variant_offers_it(invoke: Callable[..., Result]) -> None:
    run = ("run", "--methods", "gaid", "--datasets", "avworld-tiny", "--dry-run", "--audio-encoder")
    assert_one_line(invoke(*run, f"{ENCODER}:fast"), "unknown variant", "fastest")
    assert f"{ENCODER}:" in invoke(*run, f"{ENCODER}:fastest").stdout
