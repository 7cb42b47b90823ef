"""The command line: real runs from the shell, their interruption, and one line for every mistake."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from naive_metrics import naive_metrics
from rich.console import Console
from safetensors.torch import load_file
from typer.testing import CliRunner, Result

import harness
from core.cells import Materials, digest
from core.errors import BenchError
from core.runs import RunDirectory, find_runs

BENCH = Path(sys.executable).with_name("bench")
RUN = ("run", "--methods", "clip4clip,gaid", "--datasets", "avworld-tiny", "--set", "training.epochs=6")


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A `bench` process at the head of its own group, as a shell starts one; output goes to files."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        yield subprocess.Popen([BENCH, *arguments], stdout=out, stderr=err, start_new_session=True)


def finished(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a `bench` command that runs to its end."""
    with started(folder, *arguments) as process:
        code = process.wait(timeout=240)
    return code, (folder / "out").read_text(), (folder / "err").read_text()


@pytest.fixture(scope="module")
def done(materials: Materials, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Two methods, trained and scored without disturbance: the folder of the runs, and what was printed."""
    runs = tmp_path_factory.mktemp("runs")
    code, out, err = finished(runs.with_name("shell-done"), *RUN, "--runs", str(runs))
    assert code == 0, err
    return runs, out, err


def directories(runs: Path) -> dict[str, RunDirectory]:
    return {directory.path.name.split("-")[0]: directory for directory in find_runs(runs)}


def test_a_run_leaves_whole_directories_and_prints_its_tables(done: tuple[Path, str, str]) -> None:
    runs, out, err = done
    common = {"spec.json", "manifest.json", "metrics.json", "queries.parquet", "log.jsonl", "lock"}
    common |= {"checkpoint.safetensors", "status.json"}
    files = {
        name: {p.name for p in directory.path.iterdir()} for name, directory in directories(runs).items()
    }
    assert files == {"clip4clip": common, "gaid": common | {"gates.safetensors"}}
    assert all(directory.is_done() for directory in directories(runs).values())
    for words in ("Text-to-video, leak-free", "released R@1", "gap", "CLIP4Clip", "GAID", "ceiling"):
        assert words in out
    assert "Traceback" not in err


def test_a_run_is_named_by_the_hash_of_its_spec_data_and_weights(
    done: tuple[Path, str, str], materials: Materials
) -> None:
    directory = directories(done[0])["gaid"]
    assert directory.path.name == f"gaid-avworld-tiny-{digest(directory.read_spec(), materials)}"
    assert directory.read_json("manifest.json")["fingerprints"] == materials.fingerprints()


def test_a_manifest_says_where_a_result_comes_from(done: tuple[Path, str, str]) -> None:
    for directory in directories(done[0]).values():
        manifest = directory.read_json("manifest.json")
        assert manifest["packages"]["torch"]
        assert manifest["hardware"]["cores"] == os.cpu_count()
        assert set(manifest["commit"]) == {"sha", "dirty"}
        assert manifest["wall_seconds"] > manifest["train_seconds"] > 0
        assert manifest["peak_memory_bytes"] > 2**20
        every = directory.read_spec().training.validate_every
        looks = {epoch for epoch in range(1, 7) if epoch % every == 0 or epoch == 6}
        assert manifest["selection_looks"] == len(looks)
        assert manifest["selected_epoch"] in looks


def test_the_log_has_a_line_per_step_and_the_checkpoint_what_was_trained(done: tuple[Path, str, str]) -> None:
    directory = directories(done[0])["gaid"]
    steps = [json.loads(line)["step"] for line in (directory.path / "log.jsonl").read_text().splitlines()]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) % 6 == 0
    weights = load_file(directory.path / "checkpoint.safetensors")
    assert any(name.startswith("method.fusion") for name in weights)
    assert any(name.startswith("clip.transformer") for name in weights)
    assert not any(name.startswith("clip.visual") for name in weights)


def test_printed_figures_follow_from_the_ranks_of_the_queries(done: tuple[Path, str, str]) -> None:
    for directory in directories(done[0]).values():
        table = pd.read_parquet(directory.path / "queries.parquet")
        for entry in directory.read_json("metrics.json")["results"]:
            protocol = entry["protocol"]
            keys = {key: protocol[key] for key in ("split", "condition", "rescoring")}
            keys["direction"] = entry["direction"]
            rows = table[(table[list(keys)] == list(keys.values())).all(axis=1)]
            for policy in ("expected", "optimistic", "pessimistic"):
                assert entry["metrics"][policy] == pytest.approx(naive_metrics(rows, policy), nan_ok=True)


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the run has not come that far in two minutes"
        time.sleep(0.02)


def is_free(directory: RunDirectory) -> bool:
    """Whether no process runs a cell any more."""
    try:
        with directory.locked():
            return True
    except BenchError:
        return False


def test_an_interrupted_and_a_killed_run_continue_to_the_same_metrics(
    done: tuple[Path, str, str], tmp_path: Path
) -> None:
    runs, shell = tmp_path / "runs", tmp_path / "shell"

    with started(shell, *RUN, "--runs", str(runs)) as process:
        wait_until(lambda: any(runs.glob("*/resume.pt")))
        os.killpg(process.pid, signal.SIGINT)  # what a terminal does on Ctrl-C
        assert process.wait(timeout=60) == 130
    assert "Traceback" not in (shell / "err").read_text()
    assert "the same command continues" in (shell / "out").read_text()
    trained = [directory for directory in find_runs(runs) if (directory.path / "resume.pt").exists()]
    assert trained
    assert {directory.status()["state"] for directory in find_runs(runs)} <= {"interrupted", "done"}
    assert not list(runs.glob("*/.*.part"))

    saved = {directory.path: (directory.path / "resume.pt").stat().st_mtime_ns for directory in trained}

    def further() -> bool:
        return any(
            not (path / "resume.pt").exists() or (path / "resume.pt").stat().st_mtime_ns != time
            for path, time in saved.items()
        )

    with started(shell, *RUN, "--runs", str(runs)) as process:
        wait_until(further)
        process.kill()
        process.wait(timeout=60)
    wait_until(lambda: all(is_free(directory) for directory in find_runs(runs)))
    assert {directory.status()["state"] for directory in find_runs(runs)} <= {
        "running",
        "done",
        "interrupted",
    }

    code, _, err = finished(shell, *RUN, "--runs", str(runs))
    assert code == 0, err
    for name, expected in directories(done[0]).items():
        found = directories(runs)[name]
        assert found.read_json("metrics.json") == expected.read_json("metrics.json")
        assert (found.path / "log.jsonl").read_text() == (expected.path / "log.jsonl").read_text()
        assert not (found.path / "resume.pt").exists()


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """A command in this process; none of them runs a cell, so none needs the server of processes."""
    monkeypatch.setattr("core.workers.start_server", lambda: None)
    monkeypatch.setattr(harness, "console", Console(width=harness.PIPE_WIDTH))

    def command(*arguments: object, **environment: str) -> Result:
        result = CliRunner().invoke(harness.app, [str(a) for a in arguments], env=environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return command


def assert_one_line(result: Result, *words: str) -> None:
    """Exit code 2 and a single line on standard error that names file or value and mend."""
    assert result.exit_code == 2
    assert result.stderr.startswith("bench: ")
    assert result.stderr.count("\n") == 1
    for word in words:
        assert word in result.stderr


def test_a_dry_run_prints_the_cells_and_runs_nothing(
    invoke: Callable[..., Result], done: tuple[Path, str, str], tmp_path: Path
) -> None:
    flags = ("--methods", "gaid,clip4clip", "--datasets", "avworld-tiny", "--fusion", "sample,frame")
    result = invoke("run", *flags, "--seeds", "0,1", "--dry-run", "--runs", tmp_path / "runs")
    assert result.exit_code == 0
    assert "clip4clip has no fusion" in result.stdout
    assert result.stdout.count("to do") == 2 * 2 + 2
    assert not (tmp_path / "runs").exists()
    assert invoke(*RUN, "--dry-run", "--runs", done[0]).stdout.count("done") == 2


def test_the_same_command_reads_what_is_finished(
    invoke: Callable[..., Result], done: tuple[Path, str, str]
) -> None:
    runs, first, _ = done
    before = {path: path.stat().st_mtime_ns for path in runs.glob("*/m*.json")}
    result = invoke(*RUN, "--runs", runs)
    assert result.exit_code == 0
    assert result.stdout.count("(before)") == 2
    assert first[first.index("Text-to-video") :] in result.stdout
    assert {path: path.stat().st_mtime_ns for path in runs.glob("*/m*.json")} == before


DRY = ("run", "--methods", "gaid", "--datasets", "avworld-tiny", "--dry-run")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "avworld-fusio"), ["unknown experiment 'avworld-fusio'", "'avworld-fusion'"]),
        (("run", "--methods", "gaidd"), ["unknown method 'gaidd'", "'gaid'"]),
        (("run", "--datasets", "avwrld"), ["unknown dataset 'avwrld'", "'avworld'"]),
        (("data", "prepare", "avwrld"), ["unknown dataset 'avwrld'", "'avworld'"]),
        ((*DRY, "--fusion", "frames"), ["fusion", "'frame'", "'frames'"]),
        ((*DRY, "--pooling", "max"), ["pooling", "'mean'", "'max'"]),
        ((*DRY, "--perturbation", "dsp"), ["perturbation", "'dasp'", "'dsp'"]),
        ((*DRY, "--set", "training.epoch=2"), ["unknown key", "'training.epochs'"]),
        ((*DRY, "--set", "config.alpah=1"), ["unknown key", "'config.alpha'"]),
        ((*DRY, "--set", "method=tmass"), ["unknown key"]),
        ((*DRY, "--set", "training.epochs"), ["key=value"]),
        ((*DRY, "--set", "training.epochs=-1"), ["training.epochs", "-1"]),
        ((*DRY, "--set", "training.epochs=many"), ["training.epochs", "'many'"]),
        ((*DRY, "--set", "training.batch_size=1"), ["training.batch_size", "(given 1)"]),
        ((*DRY, "--set", "training.lr_new=0"), ["training.lr_new"]),
        ((*DRY, "--set", "training.lr_new=Infinity"), ["training.lr_new", "finite"]),
        ((*DRY, "--set", "training.lr_clip=NaN"), ["training.lr_clip"]),
        ((*DRY, "--set", "evaluation.splits=[]"), ["evaluation.splits"]),
        ((*DRY, "--set", "evaluation.tie_tolerance=-1"), ["evaluation.tie_tolerance"]),
        ((*DRY, "--frames", "0"), ["frames", "(given 0)"]),
        ((*DRY, "--frames", "12.5"), ["--frames", "'12.5'"]),
        ((*DRY, "--seeds", "one"), ["--seeds", "'one'"]),
        ((*DRY, "--seeds", "0,--5"), ["--seeds", "'--5'"]),
        ((*DRY, "--seeds", "-1"), ["seeds", "-1"]),
        (("parity", "/nowhere/at/all"), ["/nowhere/at/all"]),
    ],
)
def test_a_mistake_is_one_line_that_names_it(
    arguments: tuple[str, ...], words: list[str], invoke: Callable[..., Result]
) -> None:
    assert_one_line(invoke(*arguments), *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rnu"], ["No such command 'rnu'"]),
        (["run", "--method", "gaid"], ["No such option: --method"]),
        (["run", "--workers", "0"], ["'--workers'", "1"]),
        (["parity"], ["Missing argument"]),
    ],
)
def test_a_command_that_does_not_exist_is_one_line_too(
    arguments: list[str],
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", *arguments])
    with pytest.raises(SystemExit) as ended:
        harness.main()
    error = capsys.readouterr().err
    assert ended.value.code == 2
    assert error.startswith("bench: ")
    assert error.count("\n") == 1
    assert all(word in error for word in words)


def test_from_the_shell_a_mistake_is_one_line_as_well(tmp_path: Path) -> None:
    code, out, err = finished(tmp_path, "run", "--methods", "gaidd", "--runs", str(tmp_path / "runs"))
    assert (code, out) == (2, "")
    assert err.startswith("bench: unknown method 'gaidd'; did you mean 'gaid'?")
    assert err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


ONE = ("run", "--methods", "clip4clip", "--datasets", "avworld-tiny")


def test_folders_that_cannot_be_written_are_named(
    invoke: Callable[..., Result], done: tuple[Path, str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    inside = tmp_path / "file" / "inside"
    assert_one_line(invoke(*ONE, "--runs", inside), str(inside), "--runs")
    assert_one_line(invoke(*ONE, "--runs", tmp_path, BENCH_CACHE=str(inside)), str(inside), "BENCH_CACHE")
    assert_one_line(invoke("data", "list", BENCH_CACHE=str(inside)), str(inside), "BENCH_CACHE")
    assert_one_line(invoke("report", "--runs", done[0], "--out", inside), str(inside), "--out")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_told_before_anything_is_generated(
    invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usage = type(shutil.disk_usage("/"))(10**9, 10**9, 0)
    monkeypatch.setattr("core.paths.shutil.disk_usage", lambda _: usage)
    result = invoke("data", "prepare", "avworld-tiny", BENCH_CACHE=str(tmp_path))
    assert_one_line(result, "GB free", "BENCH_CACHE")
    assert not list(tmp_path.rglob("*.mp4"))


@pytest.fixture
def linked_cache(materials: Materials, tmp_path: Path) -> Path:
    """A cache whose files are links into the shared one, so that a test can damage one of them."""
    root = Path(os.environ["BENCH_CACHE"])
    copy = tmp_path / "cache"
    for folder in (root / "datasets", root / "features"):
        copy.mkdir(exist_ok=True)
        (copy / folder.name).symlink_to(folder, target_is_directory=True)
    store = copy / "stores" / materials.store.folder.name
    store.mkdir(parents=True)
    for file in materials.store.folder.iterdir():
        if file.name != "lock":
            (store / file.name).symlink_to(file)
    return copy


@pytest.mark.parametrize("name", ["pixels-00000.npy", "sound-00001.npy", "clips.parquet", "manifest.json"])
def test_a_damaged_store_is_named(
    name: str, invoke: Callable[..., Result], linked_cache: Path, materials: Materials, tmp_path: Path
) -> None:
    file = linked_cache / "stores" / materials.store.folder.name / name
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[: len(content) // 2])
    result = invoke(*ONE, "--runs", tmp_path / "runs", BENCH_CACHE=str(linked_cache))
    assert_one_line(result, str(file), "delete")
    assert not (tmp_path / "runs").exists()


def test_damaged_features_are_named(
    invoke: Callable[..., Result], linked_cache: Path, materials: Materials, tmp_path: Path
) -> None:
    folder = linked_cache / "features"
    originals = list(folder.glob("pictures-*.npy"))
    folder.unlink()
    folder.mkdir()
    for file in originals:
        (folder / file.name).write_bytes(b"\x93NUMPY")
    assert_one_line(
        invoke(*ONE, "--runs", tmp_path / "runs", BENCH_CACHE=str(linked_cache)), "pictures-", "delete"
    )


def copied(done: tuple[Path, str, str], tmp_path: Path) -> Path:
    return Path(shutil.copytree(done[0], tmp_path / "runs"))


def test_a_report_prints_and_writes_the_tables_and_the_picture(
    invoke: Callable[..., Result], done: tuple[Path, str, str], tmp_path: Path
) -> None:
    result = invoke("report", "--runs", done[0], "--out", tmp_path)
    assert result.exit_code == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert {"report.md", "gates.png", "text-to-video-leak-free.csv", "video-to-text-leak-free.csv"} <= names
    assert not any(name.endswith(".part") for name in names)
    metrics = directories(done[0])["gaid"].read_json("metrics.json")["results"][0]["metrics"]["expected"]
    rows = pd.read_csv(tmp_path / "text-to-video-leak-free.csv").set_index(["data", "method"])
    row = rows.loc[("avworld-tiny/test", "GAID (training.epochs=6)")]
    assert float(row["R@1"].split(" ")[0]) == pytest.approx(metrics["R@1"], abs=0.051)
    assert float(row["MnR"]) == pytest.approx(metrics["MnR"], abs=0.051)


@pytest.mark.parametrize("name", ["metrics.json", "manifest.json", "spec.json", "status.json"])
def test_a_report_names_a_damaged_run_and_goes_on_with_the_others(
    name: str, invoke: Callable[..., Result], done: tuple[Path, str, str], tmp_path: Path
) -> None:
    runs = copied(done, tmp_path)
    file = directories(runs)["gaid"].path / name
    file.write_bytes(file.read_bytes()[:-40])
    result = invoke("report", "--runs", runs)
    assert result.exit_code == 0
    assert f"left out: {file}" in result.stdout.replace("\n", "")
    assert "CLIP4Clip" in result.stdout
    assert "GAID" not in (runs / "report" / "report.md").read_text()


def test_a_report_leaves_out_what_is_not_finished_and_says_so(
    invoke: Callable[..., Result], done: tuple[Path, str, str], tmp_path: Path
) -> None:
    runs = copied(done, tmp_path)
    directories(runs)["gaid"].set_status("interrupted")
    result = invoke("report", "--runs", runs)
    assert result.exit_code == 0
    assert "interrupted; the same `bench run` continues it" in result.stdout
    assert "GAID" not in (runs / "report" / "report.md").read_text()


def test_damaged_gates_are_named(
    invoke: Callable[..., Result], done: tuple[Path, str, str], tmp_path: Path
) -> None:
    runs = copied(done, tmp_path)
    file = directories(runs)["gaid"].path / "gates.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    assert_one_line(invoke("report", "--runs", runs), str(file), "delete")


def test_a_damaged_run_is_named_by_the_command_that_would_read_it(
    invoke: Callable[..., Result], done: tuple[Path, str, str], tmp_path: Path
) -> None:
    runs = copied(done, tmp_path)
    file = directories(runs)["gaid"].path / "metrics.json"
    file.write_bytes(file.read_bytes()[:-40])
    assert_one_line(invoke(*RUN, "--runs", runs), str(file), "delete")
    status = directories(runs)["gaid"].path / "status.json"
    status.write_text("")
    assert_one_line(invoke(*RUN, "--runs", runs, "--dry-run"), str(status), "delete")


def test_a_run_of_another_version_stops_no_dry_run(
    invoke: Callable[..., Result], done: tuple[Path, str, str], tmp_path: Path
) -> None:
    runs = copied(done, tmp_path)
    old = directories(runs)["gaid"].path
    (old / "status.json").write_text('{"state": "done", "schema": 0}')
    (old / "spec.json").write_text('{"architecture": "of yore"}')
    result = invoke(*RUN, "--dry-run", "--runs", runs)
    assert result.exit_code == 0
    assert (result.stdout.count("to do"), result.stdout.count("done")) == (1, 1)
    report = invoke("report", "--runs", runs)
    assert "schema 0, this version reads 1" in report.stdout


def test_a_report_of_nothing_says_what_to_do(invoke: Callable[..., Result], tmp_path: Path) -> None:
    assert_one_line(invoke("report", "--runs", tmp_path), str(tmp_path), "bench run")
    assert not list(tmp_path.iterdir())


def test_parity_of_an_empty_folder_says_what_to_name(invoke: Callable[..., Result], tmp_path: Path) -> None:
    assert_one_line(invoke("parity", tmp_path), str(tmp_path), "golden")


def test_lists_of_methods_and_data_name_all_of_them(invoke: Callable[..., Result]) -> None:
    methods = invoke("methods").stdout
    for name in ("clip4clip", "xpool", "tmass", "avigate", "gaid", "2508.01711"):
        assert name in methods
    data = invoke("data", "list").stdout
    assert all(words in data for words in ("avworld", "avworld-tiny", "train 160", "MB", "ready"))


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that call it."""
    group = group or typer.main.get_command(harness.app)
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


@pytest.mark.parametrize(
    "path", [path for path, _ in commands()], ids=lambda path: " ".join(("bench", *path))
)
def test_every_help_has_an_example(path: tuple[str, ...], invoke: Callable[..., Result]) -> None:
    result = invoke(*path, "--help")
    assert result.exit_code == 0
    assert "Example: bench " in result.stdout


def test_the_surface_of_the_command_line_is_frozen() -> None:
    """Scripts depend on these names: a change here is a decision, not an accident."""
    found = {
        " ".join(path): sorted(
            name for parameter in command.params for name in parameter.opts if parameter.name != "help"
        )
        for path, command in commands()
        if not getattr(command, "commands", None)
    }
    assert found == {
        "run": [
            "--audio-encoder",
            "--datasets",
            "--dry-run",
            "--frames",
            "--fusion",
            "--methods",
            "--perturbation",
            "--pooling",
            "--runs",
            "--seeds",
            "--set",
            "--workers",
            "experiment",
        ],
        "report": ["--out", "--runs"],
        "parity": ["folder"],
        "methods": [],
        "data list": [],
        "data prepare": ["--workers", "name"],
    }
