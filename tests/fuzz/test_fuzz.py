"""Damaged files and options of every kind: one line and exit code 2, or the right answer. Nothing else.

No traceback, no hang, and nothing is written outside. Some hundred cases a kind; `FUZZ_CASES=3000` (as
`make fuzz` sets it) tries as many. A failure names the seeds, which give the same damage again.
"""

import json
import os
import pickle
import random
import shutil
import signal
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from core.cli.data_work import find_real
from core.datasets.locations import Location
from core.datasets.real import survey
from core.encoders.released_states import read_states
from core.encoders.state_files import read_state
from core.errors import BenchError
from core.media.describing import describe
from core.running.experiment import experiment_files
from core.running.matrix import from_command_line
from core.runs import RunDirectory
from core.settings import SETTINGS_FILE, read_settings
from reports.collect import read_run
from tests.core.datasets import small_copies
from tests.core.media_files import grey_ramp, tone, write_media
from tests.fuzz.mutations import assignment, damaged, replaced
from tests.made_runs import make_run, result

CASES = int(os.environ.get("FUZZ_CASES", "0"))
SECONDS = 20
"""After which a case counts as hung."""

Case = Callable[[random.Random, Path], object]
"""Damages something with the dice in a fresh folder and gives it to a reader."""


class Hung(Exception):
    """A case that has not ended."""


@contextmanager
def bounded() -> Iterator[None]:
    def end(*_: object) -> None:
        raise Hung

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(case: Case, seed: int, folder: Path) -> str:
    """`accepted`, `one line`, or the name of what must not be."""
    folder.mkdir()
    try:
        with bounded(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            case(random.Random(seed), folder)
    except BenchError:
        return "one line"
    except Exception as error:
        return type(error).__name__
    finally:
        shutil.rmtree(folder)
    return "accepted"


def files_in(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def hold(name: str, case: Case, cases: int, tmp_path: Path) -> None:
    """Tries the cases; fails with the seeds of those that ended in another way than they may."""
    guard = tmp_path / "guard"
    guard.mkdir()
    before = files_in(tmp_path)
    found = {seed: outcome(case, seed, guard / "case") for seed in range(CASES or cases)}
    counts = Counter(found.values())
    if target := os.environ.get("FUZZ_COUNTS"):
        with Path(target).open("a") as file:
            file.write(json.dumps({"kind": name, **counts}) + "\n")
    wrong = {seed: kind for seed, kind in found.items() if kind not in ("accepted", "one line")}
    assert not wrong, f"{len(wrong)} of {len(found)}: {dict(list(wrong.items())[:10])}"
    assert files_in(tmp_path) == before, "something was written outside"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a case writes into the working directory is seen."""
    monkeypatch.chdir(tmp_path)


LAYOUTS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "msrvtt": ("msrvtt", small_copies.msrvtt_clip4clip),
    "msrvtt-pickle": ("msrvtt", small_copies.msrvtt_frozen),
    "didemo": ("didemo", small_copies.didemo_official),
    "didemo-labels": ("didemo", small_copies.didemo_labels),
    "lsmdc": ("lsmdc", lambda root: small_copies.lsmdc(root, per_film=True)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_annotation_files(layout: str, tmp_path: Path) -> None:
    name, make = LAYOUTS[layout]
    make(tmp_path / "whole")
    annotations = sorted(
        path for path in files_in(tmp_path / "whole") if path.stat().st_size and path.suffix != ".mkv"
    )

    def case(chance: random.Random, folder: Path) -> None:
        shutil.copytree(tmp_path / "whole", folder / "copy")
        file = folder / "copy" / chance.choice(annotations).relative_to(tmp_path / "whole")
        content = file.read_bytes()
        if file.suffix == ".pkl" or chance.random() < 0.6:
            file.write_bytes(damaged(content, chance))
        else:
            file.write_text(replaced(content.decode(), chance), "utf-8", "surrogatepass")
        data, place = find_real(name), folder / "copy"
        survey(data, Location(annotations=place, videos=place), data.options())

    hold(f"annotations {layout}", case, 60, tmp_path)


def test_experiment_files(tmp_path: Path) -> None:
    shipped = [path.read_text() for path in experiment_files().values()]

    def case(chance: random.Random, folder: Path) -> None:
        text = chance.choice(shipped)
        file = folder / "experiment.yaml"
        if chance.random() < 0.5:
            file.write_bytes(damaged(text.encode(), chance))
        else:
            file.write_text(replaced(text, chance), "utf-8", "surrogatepass")
        from_command_line(str(file), {}, [])

    hold("experiments", case, 150, tmp_path)


KEYS = (
    "training.epochs",
    "training.lr_new",
    "training.lr_factors",
    "config.fusion",
    "config.prior_std",
    "frames",
)
KEYS += (
    "evaluation.splits",
    "seeds.data",
    "data.missing",
    "checkpoint",
    "video_captions",
    "backbone",
    "config",
)


def test_set_options(tmp_path: Path) -> None:
    def case(chance: random.Random, folder: Path) -> None:
        flags = {"methods": (chance.choice(("gaid", "avigate", "tmass")),), "datasets": ("avworld-tiny",)}
        from_command_line("default", flags, [assignment(KEYS, chance)])

    hold("--set", case, 300, tmp_path)


SETTINGS = """[data.msrvtt]
annotations = "/data/msrvtt"
videos = "/data/msrvtt/all"
[weights]
folder = "/weights"
"""


def test_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def case(chance: random.Random, folder: Path) -> None:
        text = SETTINGS
        data = damaged(text.encode(), chance) if chance.random() < 0.5 else replaced(text, chance).encode()
        (folder / SETTINGS_FILE).write_bytes(data)
        monkeypatch.chdir(folder)
        read_settings("data")
        read_settings("weights")

    hold("bench.toml", case, 300, tmp_path)


class Evil:
    """A pickle that makes a folder when it is loaded without care."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("pwned",)


def weight_files(folder: Path) -> list[Path]:
    """Weights in every format, and files that are none."""
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    state = model.state_dict()
    folder.mkdir()
    torch.save(state, folder / "zip.pt")
    torch.save({"state_dict": state, "epoch": 3}, folder / "wrapped.pth")
    torch.save(state, folder / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(torch.zeros(1, 6, 4), folder / "states.pt")
    torch.save({"weight": torch.eye(3).to_sparse()}, folder / "sparse.pt")
    torch.save([Evil()], folder / "evil.pt")
    torch.save([Evil()], folder / "evil-legacy.pt", _use_new_zipfile_serialization=False)
    (folder / "plain.pt").write_bytes(pickle.dumps({"weight": 1}))
    save_file(state, folder / "safe.safetensors")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(model), folder / "script.pt")
    return sorted(folder.iterdir())


@pytest.mark.parametrize("reader", ["checkpoint", "states"])
def test_weights(reader: str, tmp_path: Path) -> None:
    whole = weight_files(tmp_path / "whole")

    def case(chance: random.Random, folder: Path) -> None:
        source = chance.choice(whole)
        file = folder / source.name
        file.write_bytes(
            damaged(source.read_bytes(), chance) if chance.random() < 0.95 else source.read_bytes()
        )
        if reader == "checkpoint":
            read_state(file)
        else:
            read_states(file, "whisper-base", 6, 4)

    hold(f"weights as {reader}", case, 200, tmp_path)
    assert not (tmp_path / "pwned").exists()


def test_run_folders(tmp_path: Path) -> None:
    whole = make_run(tmp_path / "runs", {}, [result(40.0)])[0].path
    names = sorted(path.name for path in whole.iterdir() if path.stat().st_size)

    def case(chance: random.Random, folder: Path) -> None:
        copy = shutil.copytree(whole, folder / "run")
        file = copy / chance.choice(names)
        content = file.read_bytes()
        if file.suffix == ".json" and chance.random() < 0.5:
            file.write_bytes(replaced(content.decode(), chance).encode("utf-8", "surrogatepass"))
        else:
            file.write_bytes(damaged(content, chance))
        read_run(RunDirectory(copy))

    hold("run folders", case, 200, tmp_path)


def test_media(tmp_path: Path) -> None:
    sound = [tone(440, 0, 0.5, 0.5, 16_000)]
    whole = [
        write_media(tmp_path / "a.mkv", grey_ramp(5), sound=sound),
        write_media(tmp_path / "b.mp4", grey_ramp(5), codec="mpeg4", sound=sound, format="mp4"),
        write_media(tmp_path / "c.avi", grey_ramp(5), codec="mpeg2video", fps=25, format="avi"),
    ]

    def case(chance: random.Random, folder: Path) -> None:
        source = chance.choice(whole)
        file = folder / source.name
        file.write_bytes(damaged(source.read_bytes(), chance))
        describe(file)  # which says what is wrong with a file and never raises

    hold("media", case, 300, tmp_path)
