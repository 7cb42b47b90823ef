"""Transcripts and a teacher's embeddings: read for methods that ask, counted, part of a run's identity."""

import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import BenchError
from core.progress import Silent
from core.registry import find_method
from core.resolving import resolve
from core.running.axes import idle_keys
from core.running.cells import RunInputs, prepare_inputs
from core.running.probing import probe_method
from core.running.side_inputs import side_lines, speech_read, teacher_read
from core.store.teacher import read_teacher
from tests.conftest import WORLD

SAVE = {"audio_encoder": "avworld-whisper", "training.epochs": 1, "training.batch_size": 8}


@pytest.fixture(scope="module")
def files(materials: RunInputs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every other clip has a transcript, every third a teacher."""
    folder = tmp_path_factory.mktemp("side")
    ids = materials.store.ids
    (folder / "speech.json").write_text(
        json.dumps({id: f"a red thing spins {n % 5}" for n, id in enumerate(ids) if n % 2})
    )
    both = np.random.default_rng(0).normal(size=(2, len(ids[::3]), 6)).astype(np.float32)
    np.savez(folder / "teacher.npz", ids=np.array(ids[::3]), picture=both[0], sound=both[1])
    return {"speech": str(folder / "speech.json"), "teacher": str(folder / "teacher.npz")}


@pytest.fixture(scope="module")
def spoken(files: dict[str, str]) -> RunInputs:
    return prepare_inputs(resolve("save", WORLD, {**SAVE, **files}), Silent(), workers=1)


def test_both_are_counted_and_change_the_fingerprint(spoken: RunInputs, files: dict[str, str]) -> None:
    count = len(spoken.store)
    assert speech_read(spoken.features) == f"{count // 2:,} of {count:,} videos have a transcript"
    assert teacher_read(spoken.features) == f"{-(-count // 3):,} of {count:,} clips"
    silent = prepare_inputs(resolve("save", WORLD, SAVE), Silent(), workers=1)
    assert silent.features.fingerprint != spoken.features.fingerprint
    spec = resolve("save", WORLD, SAVE)
    said, taught = side_lines(spec, silent.features, find_needs("save"))
    assert "every clip counts as without speech; name a file with --set speech=FILE" in said
    assert "its term is left out; name a file with --set teacher=FILE" in taught
    assert list(side_lines(spec, spoken.features, find_needs("clip4clip"))) == []


def find_needs(name: str):

    return probe_method(resolve(name, WORLD, {})).needs


def test_another_method_has_no_use_for_them() -> None:
    reasons = idle_keys(resolve("gaid", WORLD, {}), ["speech", "teacher"])
    assert reasons == {"speech": "without speech", "teacher": "without teacher"}
    assert find_method("save").Config().alignment_weight == 1.0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"ids": ["x"], "picture": np.zeros((1, 2)), "sound": np.zeros((1, 2))}, "none of its 1 videos"),
        (
            {"ids": ["a"], "picture": np.zeros((1, 2)), "sound": np.zeros((1, 3))},
            r".*sound \(1, 3\); it takes",
        ),
        ({"ids": ["a"], "picture": np.zeros((1, 2))}, "has no array 'sound"),
        (
            {"ids": ["a", "a"], "picture": np.zeros((2, 2)), "sound": np.zeros((2, 2))},
            "a video is named twice",
        ),
        (
            {"ids": ["a"], "picture": np.full((1, 2), np.nan), "sound": np.zeros((1, 2))},
            "picture and sound must",
        ),
    ],
)
def test_a_bad_teacher_is_one_line(arrays: dict[str, object], words: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(BenchError, match=rf"t\.npz: {words}") as caught:
        read_teacher(tmp_path / "t.npz", ["a"])
    assert "\n" not in str(caught.value)
    (tmp_path / "u.npz").write_text("no archive")
    with pytest.raises(BenchError, match=r"u\.npz: cannot be read"):
        read_teacher(tmp_path / "u.npz", ["a"])
