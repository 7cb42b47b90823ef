"""The command line: real runs from the shell, their interruption, and one line for every mistake."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import typer
from naive_metrics import naive_metrics
from rich.console import Console
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner, Result

import harness
from core.cells import Materials, digest, run_cell
from core.errors import BenchError
from core.progress import Silent
from core.runs import RunDirectory, find_runs
from core.scheduler import Outcome, default_workers

pytestmark = pytest.mark.timeout(900)  # each real run imports the engine twice, on whatever else is going on

BENCH = Path(sys.executable).with_name("bench")
RUN = ("run", "--methods", "clip4clip,gaid", "--datasets", "avworld-tiny", "--set", "training.epochs=6")


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A `bench` process at the head of its own group, as a shell starts one; output goes to files."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        yield subprocess.Popen([BENCH, *arguments], stdout=out, stderr=err, start_new_session=True)


def wait_until(condition: Callable[[], bool], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"the run has not come that far in {seconds:.0f} s"
        time.sleep(0.02)


def is_free(directory: RunDirectory) -> bool:
    """Whether no process runs a cell any more."""
    try:
        with directory.locked():
            return True
    except BenchError:
        return False


@dataclass(frozen=True)
class Ended:
    """How a `bench` command ended, and how it left its cells."""

    code: int
    out: str
    err: str
    states: set[str]
    """Of the cells that had begun."""
    files: set[str]
    """Names of all files in their folders."""


@dataclass(frozen=True)
class Story:
    """One command over two cells, given three times: interrupted, killed, and left alone."""

    runs: Path
    interrupted: Ended
    killed: Ended
    left_alone: Ended


@pytest.fixture(scope="module")
def story(materials: Materials, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("story")
    runs = folder / "runs"

    def tell(disturb: Callable[[subprocess.Popen[bytes]], None]) -> Ended:
        with started(folder, *RUN, "--runs", str(runs)) as process:
            disturb(process)
            code = process.wait(timeout=240)
        wait_until(lambda: all(is_free(directory) for directory in find_runs(runs)))
        states = {str(directory.status()["state"]) for directory in find_runs(runs)}
        files = {file.name for file in runs.rglob("*")}
        return Ended(code, (folder / "out").read_text(), (folder / "err").read_text(), states, files)

    def interrupt(process: subprocess.Popen[bytes]) -> None:
        wait_until(lambda: any(runs.glob("*/resume.pt")))
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to every process of the group

    def kill(process: subprocess.Popen[bytes]) -> None:
        saved = {file: file.stat().st_mtime_ns for file in runs.glob("*/resume.pt")}
        wait_until(lambda: any(not f.exists() or f.stat().st_mtime_ns != time for f, time in saved.items()))
        process.kill()

    return Story(runs, tell(interrupt), tell(kill), tell(lambda process: None))


@pytest.fixture(scope="module")
def done(story: Story) -> Path:
    """The folder of two finished runs."""
    assert story.left_alone.code == 0, story.left_alone.err
    return story.runs


def directories(runs: Path) -> dict[str, RunDirectory]:
    return {directory.path.name.split("-")[0]: directory for directory in find_runs(runs)}


def test_a_run_leaves_whole_directories_and_prints_its_tables(story: Story, done: Path) -> None:
    common = {"spec.json", "manifest.json", "metrics.json", "queries.parquet", "log.jsonl", "lock"}
    common |= {"checkpoint.safetensors", "status.json"}
    files = {
        name: {p.name for p in directory.path.iterdir()} for name, directory in directories(done).items()
    }
    assert files == {"clip4clip": common, "gaid": common | {"gates.safetensors"}}
    assert all(directory.is_done() for directory in directories(done).values())
    for words in ("Text-to-video, leak-free", "released R@1", "gap", "CLIP4Clip", "GAID", "ceiling"):
        assert words in story.left_alone.out
    assert "Traceback" not in story.left_alone.err


def test_a_run_is_named_by_the_hash_of_its_spec_data_and_weights(done: Path, materials: Materials) -> None:
    directory = directories(done)["gaid"]
    assert directory.path.name == f"gaid-avworld-tiny-{digest(directory.read_spec(), materials)}"
    assert directory.read_json("manifest.json")["fingerprints"] == materials.fingerprints()


def test_a_manifest_says_where_a_result_comes_from(done: Path) -> None:
    for directory in directories(done).values():
        manifest = directory.read_json("manifest.json")
        assert manifest["packages"]["torch"]
        assert manifest["hardware"]["cores"] == os.cpu_count()
        assert set(manifest["commit"]) == {"sha", "dirty"}
        assert min(manifest[f"{what}_seconds"] for what in ("wall", "train", "score")) > 0
        assert manifest["peak_memory_bytes"] > 2**20
        every = directory.read_spec().training.validate_every
        looks = {epoch for epoch in range(1, 7) if epoch % every == 0 or epoch == 6}
        assert manifest["selection_looks"] == len(looks)
        assert manifest["selected_epoch"] in looks


def test_the_log_has_a_line_per_step_and_the_checkpoint_what_was_trained(done: Path) -> None:
    directory = directories(done)["gaid"]
    steps = [json.loads(line)["step"] for line in (directory.path / "log.jsonl").read_text().splitlines()]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) % 6 == 0
    weights = load_file(directory.path / "checkpoint.safetensors")
    assert any(name.startswith("method.fusion") for name in weights)
    assert any(name.startswith("clip.transformer") for name in weights)
    assert not any(name.startswith("clip.visual") for name in weights)


def test_printed_figures_follow_from_the_ranks_of_the_queries(done: Path) -> None:
    for directory in directories(done).values():
        table = pd.read_parquet(directory.path / "queries.parquet")
        for entry in directory.read_json("metrics.json")["results"]:
            protocol = entry["protocol"]
            keys = {key: protocol[key] for key in ("split", "condition", "rescoring")}
            keys["direction"] = entry["direction"]
            rows = table[(table[list(keys)] == list(keys.values())).all(axis=1)]
            for policy in ("expected", "optimistic", "pessimistic"):
                assert entry["metrics"][policy] == pytest.approx(naive_metrics(rows, policy), nan_ok=True)


def test_ctrl_c_leaves_cells_that_say_so_and_no_traceback(story: Story) -> None:
    ended = story.interrupted
    assert ended.code == 130
    assert "interrupted" in ended.states <= {"interrupted", "done"}
    assert "the same command continues" in ended.out
    assert "Traceback" not in ended.err
    assert "resume.pt" in ended.files
    assert not any(name.endswith(".part") for name in ended.files)


def test_cells_end_when_the_command_is_killed_and_never_say_done(story: Story) -> None:
    ended = story.killed
    assert ended.code == -signal.SIGKILL
    assert ended.states <= {"running", "interrupted", "done"}
    assert "running" in ended.states
    assert "resume.pt" in ended.files


def test_a_disturbed_run_ends_with_the_log_and_the_metrics_of_an_undisturbed_one(
    done: Path, tmp_path: Path
) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, default_workers(64) // 2))  # as many as each of two cells gets
    for name, found in directories(done).items():
        expected = RunDirectory(tmp_path / name)
        expected.path.mkdir()
        run_cell(found.read_spec(), expected, Silent())
        assert found.read_json("metrics.json") == expected.read_json("metrics.json")
        assert (found.path / "log.jsonl").read_text() == (expected.path / "log.jsonl").read_text()
    torch.set_num_threads(threads)


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
    invoke: Callable[..., Result], done: Path, tmp_path: Path
) -> None:
    flags = ("--methods", "gaid,clip4clip", "--datasets", "avworld-tiny", "--fusion", "sample,frame")
    result = invoke("run", *flags, "--seeds", "0,1", "--dry-run", "--runs", tmp_path / "runs")
    assert result.exit_code == 0
    assert "clip4clip has no fusion" in result.stdout
    assert result.stdout.count("to do") == 2 * 2 + 2
    assert not (tmp_path / "runs").exists()
    assert invoke(*RUN, "--dry-run", "--runs", done).stdout.count("done") == 2


def test_the_same_command_reads_what_is_finished(
    invoke: Callable[..., Result], story: Story, done: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in done.glob("*/m*.json")}
    result = invoke(*RUN, "--runs", done)
    assert result.exit_code == 0
    assert result.stdout.count("(before)") == 2
    first = story.left_alone.out
    assert first[first.index("Text-to-video") :] in result.stdout
    assert {path: path.stat().st_mtime_ns for path in done.glob("*/m*.json")} == before


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
    with started(tmp_path, "rnu") as process:
        assert process.wait(timeout=60) == 2
    assert (tmp_path / "out").read_text() == ""
    assert (tmp_path / "err").read_text() == "bench: No such command 'rnu'. Did you mean 'run'?\n"


ONE = ("run", "--methods", "clip4clip", "--datasets", "avworld-tiny")


def raising(error: BaseException) -> Callable[..., Any]:
    def function(*_: object, **__: object) -> Any:
        raise error

    return function


def test_ctrl_c_while_data_are_prepared_is_no_traceback(
    invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("core.pipeline.prepare_materials", raising(KeyboardInterrupt()))
    result = invoke(*ONE, "--runs", tmp_path)
    assert (result.exit_code, result.stderr) == (130, "")
    assert "the same command continues" in result.stdout


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT])
def test_a_disk_that_refuses_is_one_line_wherever_it_happens(
    number: int, invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    error = OSError(number, os.strerror(number), "/the/file")
    monkeypatch.setattr("core.pipeline.prepare_materials", raising(error))
    assert_one_line(invoke(*ONE, "--runs", tmp_path), "/the/file", os.strerror(number), "BENCH_CACHE")


def test_a_defect_is_not_dressed_up_as_a_mistake(
    invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("core.pipeline.prepare_materials", raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        invoke(*ONE, "--runs", tmp_path)


def test_failed_cells_make_the_exit_code_one_and_the_others_are_reported(
    invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, done: Path, tmp_path: Path
) -> None:
    runs = copied(done, tmp_path)
    directories(runs)["gaid"].set_status("failed", message="no reason")
    monkeypatch.setattr(
        "core.pipeline.run_cells", lambda cells, *_: [Outcome(cell, "failed", "no reason") for cell in cells]
    )
    result = invoke(*RUN, "--runs", runs)
    assert result.exit_code == 1
    assert "1 of 2 cells failed" in result.stdout
    assert "CLIP4Clip (training.epochs=6)" in result.stdout


def test_folders_that_cannot_be_written_are_named(
    invoke: Callable[..., Result], done: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    inside = tmp_path / "file" / "inside"
    assert_one_line(invoke(*ONE, "--runs", inside), str(inside), "--runs")
    assert_one_line(invoke(*ONE, "--runs", tmp_path, BENCH_CACHE=str(inside)), str(inside), "BENCH_CACHE")
    assert_one_line(invoke("data", "list", BENCH_CACHE=str(inside)), str(inside), "BENCH_CACHE")
    assert_one_line(invoke("report", "--runs", done, "--out", inside), str(inside), "--out")
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


def copied(done: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(done, tmp_path / "runs"))


def test_a_report_prints_and_writes_the_tables_and_the_picture(
    invoke: Callable[..., Result], done: Path, tmp_path: Path
) -> None:
    result = invoke("report", "--runs", done, "--out", tmp_path)
    assert result.exit_code == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert {"report.md", "gates.png", "text-to-video-leak-free.csv", "video-to-text-leak-free.csv"} <= names
    assert not any(name.endswith(".part") for name in names)
    metrics = directories(done)["gaid"].read_json("metrics.json")["results"][0]["metrics"]["expected"]
    rows = pd.read_csv(tmp_path / "text-to-video-leak-free.csv").set_index(["data", "method"])
    row = rows.loc[("avworld-tiny/test", "GAID (training.epochs=6)")]
    assert float(row["R@1"].split(" ")[0]) == pytest.approx(metrics["R@1"], abs=0.051)
    assert float(row["MnR"]) == pytest.approx(metrics["MnR"], abs=0.051)


@pytest.mark.parametrize("name", ["metrics.json", "manifest.json", "spec.json", "status.json"])
def test_a_report_names_a_damaged_run_and_goes_on_with_the_others(
    name: str, invoke: Callable[..., Result], done: Path, tmp_path: Path
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
    invoke: Callable[..., Result], done: Path, tmp_path: Path
) -> None:
    runs = copied(done, tmp_path)
    directories(runs)["gaid"].set_status("interrupted")
    result = invoke("report", "--runs", runs)
    assert result.exit_code == 0
    assert "interrupted; the same `bench run` continues it" in result.stdout
    assert "GAID" not in (runs / "report" / "report.md").read_text()


def test_damaged_gates_are_named(invoke: Callable[..., Result], done: Path, tmp_path: Path) -> None:
    runs = copied(done, tmp_path)
    file = directories(runs)["gaid"].path / "gates.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    assert_one_line(invoke("report", "--runs", runs), str(file), "delete")


def test_a_damaged_run_is_named_by_the_command_that_would_read_it(
    invoke: Callable[..., Result], done: Path, tmp_path: Path
) -> None:
    runs = copied(done, tmp_path)
    file = directories(runs)["gaid"].path / "metrics.json"
    file.write_bytes(file.read_bytes()[:-40])
    assert_one_line(invoke(*RUN, "--runs", runs), str(file), "delete")
    status = directories(runs)["gaid"].path / "status.json"
    status.write_text("")
    assert_one_line(invoke(*RUN, "--runs", runs, "--dry-run"), str(status), "delete")


def test_a_run_of_another_version_stops_no_dry_run(
    invoke: Callable[..., Result], done: Path, tmp_path: Path
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


def test_parity_fails_for_a_kind_that_it_does_not_know(invoke: Callable[..., Result], tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parent / "golden" / "xpool_head1.safetensors", tmp_path)
    good = invoke("parity", tmp_path)
    assert (good.exit_code, "agrees" in good.stdout) == (0, True)
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors", {"kind": "of.magic"})
    bad = invoke("parity", tmp_path)
    assert bad.exit_code == 1
    assert "unknown kind 'of.magic'" in bad.stdout
    assert "1 fail" in bad.stdout


def test_preparing_what_is_ready_says_so(invoke: Callable[..., Result], materials: Materials) -> None:
    result = invoke("data", "prepare", "avworld-tiny")
    assert result.exit_code == 0
    assert f"ready: {len(materials.store)} clips" in result.stdout


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
