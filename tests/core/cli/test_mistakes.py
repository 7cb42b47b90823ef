"""Mistakes at the command line that would pass in silence, or whose message would not say what to write."""

import json
import sys
from pathlib import Path

import pytest

import harness
from core.registry import registered_methods
from core.titles import called, titles_in_sources

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
            'evaluation.conditions must be a list, e.g. ["leak-free"], on the command line \'["leak-free"]\' '
            "(given 'leakfree'); see: bench methods --keys gaid",
        ),
        (
            (*DRY, "--set", "seeds=4-2"),
            "--set seeds 4-2 is no range of 1 to 1,000 numbers; write e.g. --set seeds 2-4",
        ),
        (
            (*DRY, "--seeds", "0-5000"),
            "--seeds 0-5000 is no range of 1 to 1,000 numbers; write e.g. --seeds 0-4",
        ),
        (
            (*DRY, "--missing", "foo"),
            "bench: --missing takes 'fail', 'count-as-miss' or 'drop' (given 'foo')\n",
        ),
        (
            (*DRY, "--missing", "drp"),
            "bench: --missing takes 'fail', 'count-as-miss' or 'drop' (given 'drp'); did you mean 'drop'?\n",
        ),
        ((*DRY, "--track", "wandbb"), "(given 'wandbb'); did you mean 'wandb'?\n"),
        ((*DRY, "--workers", "x"), "bench: --workers takes a whole number (given 'x')\n"),
        ((*DRY, "--workers", "0"), "bench: --workers must be at least 1 (given '0')\n"),
        ((*DRY, "--frames", "0"), "bench: --frames must be at least 1 (given 0)\n"),
        ((*DRY, "--seeds", "-1"), "bench: --seeds must be at least 0 (given -1)\n"),
        (
            (*DRY, "--frames", "x"),
            "--frames takes whole numbers, not 'x', e.g. --frames 12,24 or --frames 12-15",
        ),
        (
            (*DRY, "--backbone", "foo"),
            "unknown backbone 'foo'; known: ViT-B-16, ViT-B-32, avworld; or a model",
        ),
        ((*DRY, "--set", "backbone=foo"), "unknown backbone 'foo'; known: ViT-B-16, ViT-B-32, avworld; or a"),
        ((*DRY, "--set", "checkpoint=/nowhere.pt"), "checkpoint /nowhere.pt: no such file"),
        ((*DRY, "--set", "methods=tmass"), "--set takes no methods; write --methods tmass"),
        ((*DRY, "--set", "dataset=avworld"), "--set takes no dataset; write --datasets avworld"),
        (("run", "--methods", "zzz", "--dry-run"), "unknown method 'zzz'; see: bench methods\n"),
    ],
)
def test_a_mistake_is_answered_with_what_to_write(
    words: tuple[str, ...],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert line in answer(monkeypatch, capsys, *words)


@pytest.mark.parametrize(
    ("assignment", "line"),
    [
        ("training.epochs=abc", "training.epochs takes a whole number (given 'abc'); see: "),
        ("training.epochs=1.5", "training.epochs takes a whole number (given 1.5); see: "),
        ("training.epochs=-1", "training.epochs must be at least 0 (given -1); see: "),
        ("training.epochs=null", "training.epochs takes a whole number; see: "),
        ("training.micro_batch=x", "training.micro_batch takes a whole number or null (given 'x'); see: "),
        ("training.lr_new=abc", "training.lr_new takes a number (given 'abc'); see: "),
        ("training.lr_new=0", "training.lr_new must be greater than 0 (given 0); see: "),
        ("training.warmup=1", "training.warmup must be less than 1 (given 1); see: "),
        ("training.drop_last=maybe", "training.drop_last takes true or false (given 'maybe'); see: "),
        ("training.lr_factors=3", 'training.lr_factors takes a mapping, e.g. {"NAME": 0.5} (given 3); see: '),
        ('training.lr_factors={"a":"b"}', "training.lr_factors.a takes a number (given 'b'); see: "),
        ("evaluation.distractors=3", "evaluation.distractors takes text or null (given 3); see: "),
        ("evaluation.splits=[]", "evaluation.splits takes at least 1 value (given []); see: "),
        (
            "evaluation.splits=test",
            'evaluation.splits must be a list, e.g. ["test"], on the command line \'["test"]\' '
            "(given 'test'); see: ",
        ),
        (
            'evaluation.rescoring=["foo"]',
            "evaluation.rescoring takes 'none', 'dsl' or 'qb-norm' (given 'foo'); see: ",
        ),
        (
            "training.selection=bst",
            "training.selection takes 'last', 'val' or 'test-best' (given 'bst'); "
            "did you mean 'test-best' or 'last'? See: ",
        ),
        ("seeds=abc", "seeds takes a whole number (given 'abc'); see: "),
        ("seeds.noise=-1", "seeds.noise must be at least 0 (given -1); see: "),
        ("config.alpha=x", "config.alpha takes a number (given 'x'); see: "),
        (
            "config.gate_inputs=fram",
            'config.gate_inputs must be a list, e.g. ["frame"], on the command line \'["frame"]\' '
            "(given 'fram'); see: ",
        ),
        ("data.missing=foo", "data.missing takes 'fail', 'count-as-miss' or 'drop' (given 'foo'); see: "),
    ],
)
def test_a_value_of_any_type_is_refused_with_its_key_and_what_that_takes(
    assignment: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = answer(monkeypatch, capsys, *DRY, "--set", assignment)
    assert refused == f"bench: gaid on avworld-tiny: {line}bench methods --keys gaid\n"


@pytest.mark.parametrize(
    ("option", "name", "own"),
    [
        ("--methods", "T-Mass", "tmass"),
        ("--methods", "X-Pool", "xpool"),
        ("--methods", "CAE-AV", "cae_av"),
        ("--methods", "drl (wti)", "drl"),
        ("--methods", "TEFAL", "tefal"),
        ("--methods", "EMCL-Net", "emcl"),
        ("--datasets", "AVWorld-Tiny", "avworld-tiny"),
        ("--backbone", "ViT-B/16", "ViT-B-16"),
    ],
)
def test_a_name_as_tables_print_it_is_known(
    option: str,
    name: str,
    own: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = {"--methods": "clip4clip", "--datasets": "avworld-tiny", option: name}
    words = [word for pair in given.items() for word in pair]
    monkeypatch.setattr(sys, "argv", ["bench", "run", *words, "--dry-run", "--json"])
    with pytest.raises(SystemExit) as ended:
        harness.main()
    assert not ended.value.code
    spec = json.loads(capsys.readouterr().out)["cells"][0]["spec"]
    assert spec[{"--methods": "method", "--datasets": "dataset", "--backbone": "backbone"}[option]] == own


def test_every_method_is_known_by_its_title() -> None:
    titles = titles_in_sources()
    assert titles == {name: method.title for name, method in registered_methods().items()}
    assert [called(title.upper(), titles, titles) for title in titles.values()] == list(titles)


def test_a_title_is_found_however_a_source_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.py").write_text('class A:\n    name, title = "a-b", "A and B"\n', encoding="utf-8")
    (tmp_path / "b.py").write_text(
        'class B:\n    name: str = "c"\n    title: str = "See"\n', encoding="utf-8"
    )
    (tmp_path / "broken.py").write_text("class C(:\n", encoding="utf-8")
    monkeypatch.setattr("core.titles.sources_of", lambda _: sorted(tmp_path.iterdir()))
    assert titles_in_sources() == {"a-b": "A and B", "c": "See"}


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


def test_the_list_of_keys_says_how_they_are_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "methods", "--keys", "X-Pool"])
    with pytest.raises(SystemExit):
        harness.main()
    printed = " ".join(capsys.readouterr().out.split())
    assert "keys of xpool" in printed
    assert "of whole numbers 0-4 are all from 0 to 4; a list is JSON in quotes" in printed
    example = printed.partition("e.g. --set evaluation.splits='")[2].partition("'")[0]
    assert json.loads(example) == ["test", "val"]


def test_flags_may_be_repeated(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    line = answer(monkeypatch, capsys, "report", "--json", "--json", "--runs", "nowhere")
    assert "no finished run under nowhere" in line
