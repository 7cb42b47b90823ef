"""The command line: what it offers, what a dry run shows, and one line for every mistake."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import Result

import harness
from core.cli.axis_options import axes
from core.running.cells import RunInputs
from tests.command_line import assert_one_line, raising, started

DRY = ("run", "--methods", "gaid", "--datasets", "avworld-tiny", "--dry-run")


def test_a_dry_run_prints_the_cells_and_runs_nothing(invoke: Callable[..., Result], tmp_path: Path) -> None:
    flags = ("--methods", "gaid,clip4clip", "--datasets", "avworld-tiny", "--fusion", "sample,frame")
    result = invoke("run", *flags, "--seeds", "0,1", "--dry-run", "--runs", tmp_path / "runs")
    assert result.exit_code == 0
    assert "clip4clip has no fusion" in result.stdout
    assert result.stdout.count("to do") == 2 * 2 + 2
    assert not (tmp_path / "runs").exists()


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
        ((*DRY, "--set", "method=tmass"), ["--set takes no method; write --methods tmass"]),
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
        ((*DRY, "--frames", "12.5"), ["--frames", "12.5"]),
        ((*DRY, "--frames", ","), ["--frames is empty"]),
        ((*DRY, "--seeds", "4-2"), ["--seeds 4-2 is no range"]),
        ((*DRY, "--recipe", "author"), ["recipe", "did you mean 'authors'?"]),
        ((*DRY, "--set", "config.alpha=1", "--set", "config.alpha=2"), ["config.alpha is given twice"]),
        ((*DRY, "--fusion", "none", "--set", "config.fusion=frame"), ["given twice", "--fusion", "--set"]),
        ((*DRY, "--set", "evaluation.splits=test"), ["evaluation.splits", '["test"]']),
        (("methods", "--keys", "gaidd"), ["unknown method 'gaidd'", "'gaid'"]),
        (("methods", "gaid"), ["bench methods --keys gaid"]),
        ((*DRY, "--seeds", "one"), ["--seeds", "'one'"]),
        ((*DRY, "--seeds", "4-0"), ["--seeds", "4-0"]),
        ((*DRY, "--seeds", "0-1000000000"), ["--seeds", "range"]),
        (("run", "--methods", "gaid", "tmass"), ["'tmass' is a method", "separate several with a comma"]),
        (("run", "--methods", "gaid", "tmass", "xpool"), ["tmass xpool", "commas"]),
        (("run", "--methods", ""), ["--methods is empty"]),
        (("run", "--datasets", " , "), ["--datasets is empty"]),
        (("run", "--audio-encoder", "whisper"), ["unknown audio encoder 'whisper'", "'whisper-base'"]),
        ((*DRY, "--audio-encoder", "ast:avigat"), ["variant of ast 'avigat'", "'avigate'"]),
        ((*DRY, "--set", "backbone=ViT-B-31"), ["unknown backbone 'ViT-B-31'", "'ViT-B-32'"]),
        ((*DRY, "--set", "audio_encoder=wisper-base"), ["unknown audio encoder", "'whisper-base'"]),
        ((*DRY, "--set", "config.alpha=NaN"), ["alpha", "finite"]),
        (("time", "--methods", "gaidd"), ["unknown method 'gaidd'", "'gaid'"]),
        (("audit", "gaidd"), ["unknown method 'gaidd'", "'gaid'"]),
        (("data", "check", "avwrld"), ["unknown dataset 'avwrld'", "'avworld'"]),
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
        (["run", "--workers", "0"], ["--workers", "at least 1"]),
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


def test_ctrl_c_while_data_are_prepared_is_no_traceback(
    invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("core.running.pipeline.prepare_inputs", raising(KeyboardInterrupt()))
    result = invoke(*DRY[:-1], "--runs", tmp_path)
    assert (result.exit_code, result.stderr) == (130, "")
    assert "the same command continues" in result.stdout


def test_a_defect_is_not_dressed_up_as_a_mistake(
    invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("core.running.pipeline.prepare_inputs", raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        invoke(*DRY[:-1], "--runs", tmp_path)


def test_an_unknown_key_is_answered_with_near_ones_and_not_with_all(invoke: Callable[..., Result]) -> None:
    line = invoke(*DRY, "--set", "epochs=1").stderr
    assert "did you mean 'training.epochs'?" in line
    assert "bench methods --keys gaid" in line
    assert len(line) < 160


def test_names_are_found_whatever_their_case_and_seeds_may_be_a_range(invoke: Callable[..., Result]) -> None:
    flags = (
        "--methods",
        "GAID,Clip4Clip",
        "--datasets",
        "AVworld-Tiny",
        "--audio-encoder",
        "AVWORLD-Whisper",
    )
    result = invoke("run", *flags, "--seeds", "0-2,7", "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count("to do") == 8
    assert "avworld-whisper" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("rnu",),
        ("run", "--help"),
        ("run", "avworld-fusio"),
        ("run", "--methods", "gaidd"),
        ("run", "--datasets", "avwrld"),
        ("run", "--audio-encoder", "whisper"),
        ("run", "--methods", "gaid", "tmass"),
        ("run", "--seeds", "one"),
        ("audit", "gaidd"),
        ("time", "--methods", "gaidd"),
        ("data", "prepare", "avwrld"),
        ("data", "add", "avwrld"),
    ],
    ids=" ".join,
)
def test_help_and_mistakes_are_answered_without_importing_torch(arguments: tuple[str, ...]) -> None:
    axes()  # known since some command asked for them
    code = (
        "import sys\nimport harness\nsys.argv = ['bench', *sys.argv[1:]]\n"
        "try:\n    harness.main()\nexcept SystemExit:\n    pass\n"
        "print('torch' in sys.modules, 'pandas' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == "False False", done.stderr


def test_answers_for_programs_are_json_alone_on_standard_output(
    invoke: Callable[..., Result], tmp_path: Path
) -> None:
    methods = json.loads(invoke("methods", "--json").stdout)
    gaid = next(entry for entry in methods if entry["name"] == "gaid")
    assert gaid["parts"]["fusion"] == "frame"
    assert "fusion" in gaid["axes"]
    data = json.loads(invoke("data", "list", "--json").stdout)
    assert {"avworld", "avworld-tiny", "msrvtt"} <= {entry["name"] for entry in data}
    assert {entry["generated"] for entry in data} == {True, False}
    flags = ("--methods", "gaid,clip4clip", "--datasets", "avworld-tiny", "--fusion", "frame")
    plan = json.loads(invoke("run", *flags, "--dry-run", "--json", "--runs", tmp_path / "runs").stdout)
    assert [cell["state"] for cell in plan["cells"]] == ["to do", "to do"]
    assert plan["cells"][0]["spec"]["method"] == "gaid"
    assert "clip4clip has no fusion" in plan["notes"][0]
    shutil.copy(Path(__file__).parent / "golden" / "xpool_head1.safetensors", tmp_path)
    (row,) = json.loads(invoke("parity", tmp_path, "--json").stdout)
    assert (row["file"], row["verdict"]) == ("xpool_head1.safetensors", "agrees")


def test_a_dry_run_names_the_command_that_brings_missing_data(
    invoke: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("core.settings.platformdirs.user_config_dir", lambda _: str(tmp_path / "config"))
    monkeypatch.delenv("BENCH_DATA", raising=False)
    result = invoke("run", "--methods", "clip4clip", "--datasets", "msrvtt", "--dry-run")
    assert result.exit_code == 0
    assert "bench data add msrvtt --root DIR" in result.stdout


def test_an_infinite_option_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "time", "--seconds", "inf"])
    with pytest.raises(SystemExit) as ended:
        harness.main()
    assert ended.value.code == 2
    assert "inf is not a finite number" in capsys.readouterr().err


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


def test_preparing_what_is_ready_says_so(invoke: Callable[..., Result], materials: RunInputs) -> None:
    result = invoke("data", "prepare", "avworld-tiny", "--methods", "gaid")
    assert result.exit_code == 0
    assert f"ready: {len(materials.store)} clips" in result.stdout


def test_the_help_of_run_does_not_wait_for_torch() -> None:
    axes()  # known since some command asked for them
    script = "import sys, harness; sys.argv = ['bench', 'run', '--help']; harness.main()"
    ending = "import atexit, sys; atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr))"
    command = [sys.executable, "-c", f"{ending}\n{script}"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=240)
    assert done.stderr.strip().splitlines()[-1] == "False"


def test_a_dry_run_of_the_authors_recipe_prints_both_values(invoke: Callable[..., Result]) -> None:
    printed = invoke(*DRY, "--recipe", "authors").stdout
    assert re.search(r"config.loss_weights +│ uniform +│ positive-cosine-released", printed)
    assert re.search(r"training.selection +│ val +│ test-best", printed)
    assert "recipe=authors" in printed


def test_any_key_is_swept_and_a_range_counts(invoke: Callable[..., Result]) -> None:
    printed = invoke(*DRY, "--set", "config.alpha=0.1,0.2", "--seeds", "0-2").stdout
    assert printed.count("alpha=0.1") == printed.count("alpha=0.2") == 3


def test_keys_are_listed_with_what_they_mean(invoke: Callable[..., Result]) -> None:
    records = json.loads(invoke("methods", "--keys", "gaid", "--json").stdout)["gaid"]
    weights = next(record for record in records if record["key"] == "config.loss_weights")
    assert weights["values"] == ["uniform", "positive-cosine", "positive-cosine-released"]
    assert (weights["default"], weights["released"]) == ("uniform", "positive-cosine-released")
    assert "InfoNCE" in weights["about"]
    support = next(record for record in records if record["key"] == "config.support_weight")
    assert support["datasets"]["didemo"] == {"default": 0.1, "released": 0.0}
    assert "didemo: 0.1" in invoke("methods", "--keys", "gaid").stdout
    assert "keys of every method" in invoke("methods", "--keys").stdout
    assert {record["name"] for record in json.loads(invoke("methods", "--json").stdout)} >= {"gaid", "cae_av"}


def test_lists_of_methods_and_data_name_all_of_them(invoke: Callable[..., Result]) -> None:
    methods = invoke("methods").stdout
    for name in ("clip4clip", "xpool", "tmass", "avigate", "gaid", "2508.01711"):
        assert name in methods
    data = invoke("data", "list").stdout
    assert all(words in data for words in ("avworld", "avworld-tiny", "train 160", "MB", "ready"))
