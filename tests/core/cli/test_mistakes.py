"""Mistakes at the command line that would pass in silence, or whose message would not say what to write."""

import sys

import pytest

import harness

DRY = ("run", "--methods", "gaid", "--datasets", "avworld-tiny", "--dry-run")


def answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line that a mistake gets."""
    monkeypatch.setattr(sys, "argv", ["bench", *words])
    with pytest.raises(SystemExit) as ended:
        harness.main()
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ("run", "--methods", "gaid", "--methods", "tmass"),
            "--methods is given 2 times; separate its values with commas, --methods A,B",
        ),
        (("run", "--seeds=1", "--seeds", "2"), "--seeds is given 2 times; separate its values with commas"),
        (("report", "--runs", "a", "--runs", "b"), "--runs is given 2 times; keep one of them"),
        (("data", "check", "avworld", "--workers", "1", "--workers", "1"), "--workers is given 2 times"),
        (("export", "trec", "run", "--out", "a", "--out", "b"), "--out is given 2 times"),
        (("run", "--epochs", "3"), "No such option: --epochs; write --set training.epochs=VALUE"),
        (("run", "--batch-size", "3"), "write --set training.batch_size=VALUE"),
        (("run", "--alpha", "3"), "write --set config.alpha=VALUE"),
        (("run", "mine.yaml"), "mine.yaml: no such file"),
        (("run", "./mine"), "./mine: no such file"),
        (
            ("run", "--audio-encoder", "/nowhere/all"),
            "audio encoder /nowhere/all: no such file or folder",
        ),
        ((*DRY, "--set", "training.selection=lats"), "did you mean 'last'?"),
        ((*DRY, "--set", "config.pooling=mena"), "did you mean 'mean'?"),
        ((*DRY, "--set", "data.missing=dropp"), "did you mean 'drop'?"),
        ((*DRY, "--set", 'evaluation.conditions=["leakfree"]'), "did you mean 'leak-free'?"),
        (
            (*DRY, "--set", "evaluation.conditions=leakfree"),
            'must be a list, e.g. ["leakfree"] (given \'leakfree\'); did you mean ["leak-free"]?',
        ),
        ((*DRY, "--set", "seeds=4-2"), "--set seeds 4-2 is no range"),
    ],
)
def test_a_mistake_is_answered_with_what_to_write(
    words: tuple[str, ...],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert line in answer(monkeypatch, capsys, *words)


@pytest.mark.parametrize("option", [("--seeds", "0-2,5"), ("--set", "seeds=0-2,5")])
def test_a_range_of_seeds_is_a_range_wherever_it_is_given(
    option: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", *DRY, *option, "--json"])
    with pytest.raises(SystemExit):
        harness.main()
    printed = capsys.readouterr().out
    assert [f'"initialisation": {seed}' in printed for seed in range(7)] == [
        seed in (0, 1, 2, 5) for seed in range(7)
    ]


def test_flags_may_be_repeated(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    line = answer(monkeypatch, capsys, "report", "--json", "--json", "--runs", "nowhere")
    assert "no finished run under nowhere" in line
