"""What a spec and the annotation files tell is checked before a clip is decoded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from core.errors import BenchError
from tests.command_line import assert_one_line
from tests.core.datasets import small_copies as small

BASE = {
    "backbone": "avworld",
    "audio_encoder": "avworld-whisper",
    "frames": "4",
    "text_tokens": "8",
    "config.audio_projection": "linear-norm",
    "training.epochs": "1",
    "training.batch_size": "2",
    "evaluation.rescoring": '["none"]',
    "data.holdout": "0",
}
ROWS = [
    f"{name},caption {i} of {name},{split}"
    for name, split in zip("abcd", ("train", "train", "val", "test"), strict=True)
    for i in range(3)
]


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Callable[..., Result]
) -> Callable[..., Result]:
    """A run on four files of a data set of one's own, none of which any decoder has been asked about."""
    monkeypatch.delenv("BENCH_DATA", raising=False)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for name in "abcd":
        small.write(tmp_path / "clips" / f"{name}.mp4", f"no film {name}")
    small.write_lines(tmp_path / "captions.csv", ["video,caption,split", *ROWS])
    place = ("--videos", tmp_path / "clips", "--captions", tmp_path / "captions.csv")
    assert invoke("data", "add", "mine", *place).exit_code == 0

    def refuse(*_: object, **__: object) -> None:
        raise BenchError("a clip would be decoded")

    monkeypatch.setattr("core.running.cells.prepare_store", refuse)

    def command(method: str = "gaid", **changes: Any) -> Result:
        keys = BASE | {key.replace("__", "."): str(value) for key, value in changes.items()}
        sets = [word for key, value in keys.items() for word in ("--set", f"{key}={value}")]
        return invoke("run", "--methods", method, "--datasets", "mine", *sets)

    return command


@pytest.mark.parametrize(
    ("method", "changes", "words"),
    [
        ("clip4clip", {"text_tokens": 77}, ["reads 40 tokens, not 77", "--set text_tokens=40"]),
        (
            "avigate",
            {"config.queries": 10**11},
            ["avigate: its weights in training take", "of memory are free"],
        ),
        ("xpool", {"config.heads": 5}, ["heads=5 does not divide the joint width"]),
        (
            "clip4clip",
            {"config.pooling": "sequence-transformer", "frames": 200},
            ["frames=200 is more"],
        ),
        (
            "clip4clip",
            {"evaluation.splits": '["testing"]'},
            ["mine has no split 'testing'", "train, val, test"],
        ),
        (
            "clip4clip",
            {"training.batch_size": 100, "training.drop_last": "true"},
            ["6 pairs", "batch of 100"],
        ),
        (
            "clip4clip",
            {"training.captions": "one", "training.batch_size": 3, "training.drop_last": "true"},
            ["2 pairs"],
        ),
        ("cae_av", {"video_captions": "nowhere.jsonl"}, ["nowhere.jsonl: cannot be read"]),
    ],
)
def test_a_mistake_is_told_before_a_clip_is_decoded(
    method: str, changes: dict[str, Any], words: list[str], run: Callable[..., Result], tmp_path: Path
) -> None:
    assert_one_line(run(method, **changes), *words)
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "cache" / "stores").exists()


def test_captions_that_are_cut_are_named_before_a_clip_is_decoded(run: Callable[..., Result]) -> None:
    result = run("clip4clip", text_tokens=5)
    assert_one_line(result, "a clip would be decoded")
    line = "mine: captions cut because they are longer than is read: 6 of 6 train: a (caption 0 of a ...); a"
    assert line in result.stdout
    assert result.stdout.count("captions cut") == 1


def test_a_file_that_is_missing_is_named_before_a_clip_is_decoded(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "clips" / "b.mp4").unlink()
    result = run("clip4clip", data__missing="drop")
    assert_one_line(result, "a clip would be decoded")
    assert "1 of 2 train videos cannot be used (drop): b (no file b under" in result.stdout
