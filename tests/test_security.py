"""docs/security.md names every place that reads bytes of a stranger, and no place that is gone."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOADERS = re.compile(
    r"""(^|\.)(
    (pickle|cPickle|dill|marshal|shelve|joblib|cloudpickle)\.\w+ | pickletools\.genops
    | torch\.(load|jit\.\w+|frombuffer|from_file|hub\.load\w*|package\.\w+|export\.load)
    | (np|numpy)\.(load|memmap|fromfile|loadtxt|genfromtxt|lib\.format\.open_memmap)
    | yaml\.(\w*load\w*|\w*Loader) | json\.loads? | model_validate_json
    | tomlkit\.(parse|load) | tomllib\.loads? | csv\.(reader|DictReader)
    | load_file | safe_open | pq\.\w+ | (pd|pandas)\.read_\w+
    | zipfile\.ZipFile | tarfile\.\w+ | shutil\.unpack_archive
    | av\.open | Image\.open | torchaudio\.load | (soundfile|sf)\.read | wave\.open | librosa\.load
    | from_pretrained | open_clip\.(create_model\w*|get_tokenizer)
    | subprocess\.(run|Popen|check_output|check_call|call) | os\.(system|popen) | (builtins\.)?(eval|exec)
    )$""",
    re.VERBOSE,
)
"""Dotted names that turn bytes into objects, or run something."""
LOCAL = re.compile(r"\.(eval|exec)$")
"""Methods of objects that share a name with a loader."""


OWN_BYTES = {("core/workers.py", "pickle.loads")}
"""Where a process reads what it has written itself a moment before."""


def loaders(source: str) -> Iterator[str]:
    """The loaders that some code names, as it names them.

    >>> sorted(loaders("import torch; torch.jit.load(a); model.eval(); eval(b); x.torch.load(c)"))
    ['eval', 'torch.jit.load', 'x.torch.load']
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute | ast.Name):
            name = ast.unparse(node)
            if re.fullmatch(r"[\w.]+", name) and LOADERS.search(name) and not LOCAL.search(name):
                yield name


def modules() -> Iterator[Path]:
    """Every file of the project's code."""
    for room in ("core", "methods", "reports", "benchmarks"):
        yield from sorted((ROOT / room).rglob("*.py"))
    yield ROOT / "harness.py"


def listed() -> set[tuple[str, str]]:
    """File and loader of every row of docs/security.md."""
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w/.]+\.py)` \| ((?:`[\w.]+`(?:, )?)+) \|", text, re.MULTILINE)
    return {(path, name) for path, names in rows for name in re.findall(r"`([\w.]+)`", names)}


@cache
def found() -> set[tuple[str, str]]:
    """File and loader, of the whole tree."""
    return {
        (path.relative_to(ROOT).as_posix(), name)
        for path in modules()
        for name in loaders(path.read_text(encoding="utf-8"))
    }


def test_every_loader_is_listed_with_the_reason_why_it_is_safe() -> None:
    assert found() - listed() == set(), "list these in docs/security.md, with why they are safe"
    assert listed() - found() == set(), "docs/security.md lists what is gone"


@pytest.mark.parametrize("forbidden", ["torch.jit", "pickle.load", "pickle.loads", "yaml.load_all", "eval"])
def test_what_runs_code_from_files_is_nowhere(forbidden: str) -> None:
    named = {entry for entry in found() if entry[1] == forbidden or entry[1].startswith(f"{forbidden}.")}
    assert named <= OWN_BYTES


def test_torch_and_numpy_load_no_objects() -> None:
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in ("torch.load", "np.load"):
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                if name == "torch.load":
                    assert given.get("weights_only") == "True", f"{path}:{node.lineno}"
                assert "allow_pickle" not in given, f"{path}:{node.lineno}"
