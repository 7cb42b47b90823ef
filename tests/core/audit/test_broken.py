"""A plug-in whose code fails, wherever it fails, is one line with its name, the place and a hint."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from core.registry import broken_methods, registered_methods, scan
from tests.command_line import assert_one_line

pytestmark = pytest.mark.slow

SOURCE = """import torch
from dataclasses import dataclass
from torch import nn
from torch.nn.functional import cross_entropy, normalize
from core.batch import Rows
from core.method import Losses, Method, MethodConfig

@dataclass(frozen=True)
class Kept(Rows):
    vector: torch.Tensor

class Mine(Method):
    name = "mine"
    title = "Mine"
    paper = "none"
    Config = MethodConfig
    def __init__(self, config, dimensions):
        super().__init__(config, dimensions)
        self.map = nn.Linear(dimensions.width, dimensions.width)
    def index(self, videos):
        mask = videos.frame_mask[..., None]
        return Kept((videos.frames * mask).sum(1) / mask.sum(1))
    def score(self, texts, index, noise):
        return normalize(self.map(texts.embeds), dim=-1) @ normalize(index.vector, dim=-1).T
    def loss(self, texts, videos, generator):
        logits = self.score(texts, self.index(videos), None)
        return Losses(cross_entropy(20 * logits, torch.arange(len(logits), device=logits.device)), {})
"""
INDEX, SCORE = "    def index(self, videos):\n", "    def score(self, texts, index, noise):\n"
LOSS, BUILT = "    def loss(self, texts, videos, generator):\n", "    Config = MethodConfig\n"
MAP = "nn.Linear(dimensions.width, dimensions.width)"

AT_IMPORT = {
    "a syntax error": (INDEX, "    def index(self, videos)\n", ["SyntaxError", "line 20"]),
    "an import that is missing": (
        "import torch\n",
        "import torch\nimport nothing_here\n",
        ["nothing_here", "line 2"],
    ),
    "an error at import": ("class Mine", "raise OSError('no licence')\nclass Mine", ["OSError: no licence"]),
    "an end at import": ("class Mine", "import sys\nsys.exit(3)\nclass Mine", ["SystemExit"]),
    "a name that is not there": ("MethodConfig\n    def", "MyConfig\n    def", ["NameError", "MyConfig"]),
    "no title": ('    title = "Mine"\n', "", ["no title"]),
    "no paper": ('    paper = "none"\n', "", ["no paper"]),
    "no Config": (BUILT, "", ["no Config"]),
    "a Config that is another class": (BUILT, "    Config = dict\n", ["no Config"]),
    "a Config without defaults": (
        BUILT,
        "    class Config(MethodConfig):\n        heads: int\n",
        ["no complete defaults", "heads"],
    ),
    "an unknown key in the recipe": (
        BUILT,
        BUILT + "    recipe = {'training.lr_mew': 1}\n",
        ["training.lr_mew", "training.lr_new"],
    ),
    "a score that is not there": ("def score(", "def scores(", ["does not define score"]),
    "a score that takes other arguments": (SCORE, SCORE.replace(", noise", ""), ["score is called as"]),
    "a name that is taken": ('"mine"', '"xpool"', ["'xpool' is also the name of"]),
}
"""What -> the text that is replaced, by what, and words of the line."""
IN_USE = {
    "__init__ raises": (MAP, MAP + "\n        raise ValueError('no heads')", ["building it", "no heads"]),
    "__init__ leaves out super": ("super().__init__(config, dimensions)", "pass", ["building it", "line 19"]),
    "index raises": (INDEX, INDEX + "        videos.pictures\n", ["index fails", "pictures", "line 21"]),
    "score raises": (SCORE, SCORE + "        {}['gate']\n", ["score fails", "KeyError", "line 24"]),
    "loss raises": (LOSS, LOSS + "        raise NotImplementedError\n", ["NotImplementedError", "line 26"]),
    "loss returns a tensor": ("Losses(cross", "(cross", ["loss returns tuple", "core.method.Losses"]),
    "loss is no scalar": ("device=logits.device)", "device=logits.device), reduction='none'", ["(8,)"]),
    "a width of its own": (MAP, "nn.Linear(512, 512)", ["score fails", "asked for width 96"]),
    "a width of its own in the index": (
        "return Kept((",
        "return Kept(torch.zeros(512) + (",
        ["index fails", "asked for width 96"],
    ),
    "another precision": (MAP, MAP + ".double()", ["score fails", "dtype"]),
    "an index of another device": (
        "(1) / mask",
        "(1).to('tpu') / mask",
        ["index fails", "RuntimeError", "line 22"],
    ),
    "a module that is missing when it scores": (
        SCORE,
        SCORE + "        import nothing_here\n",
        ["score fails", "ModuleNotFoundError", "nothing_here"],
    ),
}
SHAPES = {
    "one score per text": ("dim=-1).T", "dim=-1).T.mean(1, keepdim=True)", "one score per text"),
    "one score per video": ("dim=-1) @", "dim=-1)[0] @", "(10,)"),
    "nothing": (SCORE, SCORE + "        return None\n", "NoneType"),
    "an index that is a tensor": ("Kept((", "((", "core.batch.Rows"),
}


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    scan.cache_clear()
    yield
    monkeypatch.undo()
    scan.cache_clear()


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    """The plug-in with some of its text replaced, as an installed package."""
    assert old in SOURCE
    # a module name of its own, so that no other test's is found
    module = f"mine_{abs(hash((old, new)))}"
    (folder / f"{module}.py").write_text(SOURCE.replace(old, new))
    record = folder / f"{module}-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text(f"[av_retrieval_bench.methods]\nmine = {module}:Mine\n")
    monkeypatch.syspath_prepend(folder)


Invoke = Callable[..., Result]


def test_the_plug_in_itself_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke) -> None:
    install(tmp_path, monkeypatch, "none", "none")
    assert invoke("audit", "mine", "--size", "40", "--seeds", "1").exit_code == 0


@pytest.mark.parametrize("what", AT_IMPORT)
def test_what_cannot_be_registered_stops_only_what_asks_for_it(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke
) -> None:
    old, new, words = AT_IMPORT[what]
    install(tmp_path, monkeypatch, old, new)
    assert_one_line(invoke("audit", "mine"), "mine", *words, "fix it or uninstall it")
    assert broken_methods()["mine"].startswith("the method 'mine' of ")
    assert "xpool" in registered_methods()


def test_the_list_of_methods_names_what_is_broken_and_lists_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke
) -> None:
    install(tmp_path, monkeypatch, *AT_IMPORT["a syntax error"][:2])
    listed = invoke("methods")
    assert listed.exit_code == 0
    assert "broken: the method 'mine'" in listed.stdout
    assert "X-Pool" in listed.stdout


@pytest.mark.parametrize("what", IN_USE)
def test_what_fails_in_use_is_one_line_with_its_place(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke
) -> None:
    old, new, words = IN_USE[what]
    install(tmp_path, monkeypatch, old, new)
    assert_one_line(invoke("audit", "mine"), "mine: ", *words)


@pytest.mark.parametrize("what", [what for what, (_, _, words) in IN_USE.items() if "raises" in what])
def test_the_rest_is_told_where_it_is_asked_for(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke
) -> None:
    old, new, words = IN_USE[what]
    install(tmp_path, monkeypatch, old, new)
    told = invoke("audit", "mine", "--traceback").stderr
    assert "Traceback (most recent call last)" in told
    assert words[0] in told


@pytest.mark.parametrize("what", SHAPES)
def test_another_shape_is_named_by_the_contract(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke
) -> None:
    old, new, word = SHAPES[what]
    install(tmp_path, monkeypatch, old, new)
    found = invoke("audit", "mine", "--json")
    assert found.exit_code == 1
    assert '"check": "contract"' in found.stdout
    assert word in found.stdout


@pytest.mark.parametrize("command", [("run", "--dry-run"), ("time", "--videos", "20", "--texts", "20")])
def test_every_command_names_it(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke
) -> None:
    install(tmp_path, monkeypatch, *IN_USE["__init__ raises"][:2])
    name, *rest = command
    out = ("--out", tmp_path / "out") if name == "time" else ("--runs", tmp_path / "runs")
    assert_one_line(invoke(name, "--methods", "mine", *rest, *out), "mine: building it fails", "no heads")
