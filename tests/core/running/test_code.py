"""Code in a run's identity: what changes a figure changes the digest, and what cannot does not."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import BenchError
from core.resolving import resolve
from core.running.code import ENGINE, closure, code_digest, code_fingerprint, roots_of
from core.running.syntax import Module, Modules, read_module

PLUG_IN = {
    "gates/__init__.py": "",
    "gates/method.py": """
        from . import weights
        from gates.other import *

        class Gate:
            '''A gate.'''

            slope: float = 2.0
            '''How steep it is.'''

            def values(self, logits):
                '''Shares of sound.'''
                from gates import lazy  # only when it is needed
                return weights.squash(self.slope * logits) + lazy.shift()
    """,
    "gates/weights.py": "def squash(x):\n    return 1 / (1 + x)\n",
    "gates/other.py": "import torch\n\nNUMBER = 1\n",
    "gates/lazy.py": "from .deep.inner import shift\n",
    "gates/deep/__init__.py": "SCALE = 3\n",
    "gates/deep/inner.py": "def shift():\n    return 0\n",
    "gates/unused.py": "raise RuntimeError\n",
}


def dedented(text: str) -> str:
    lines = text.strip("\n").splitlines()
    margin = min(len(line) - len(line.lstrip()) for line in lines if line.strip()) if lines else 0
    return "".join(line[margin:] + "\n" for line in lines)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a plug-in that is installed somewhere else."""
    for name, text in PLUG_IN.items():
        file = tmp_path / "site" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedented(text))
    monkeypatch.syspath_prepend(tmp_path / "site")
    importlib.invalidate_caches()
    yield tmp_path / "site" / "gates"
    for name in [name for name in sys.modules if name.partition(".")[0] == "gates"]:
        del sys.modules[name]


def fingerprint(root: str = "gates.method") -> str:
    modules = Modules()
    return code_digest(closure([root], modules), modules)


def edited(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


def test_all_that_a_plug_in_imports_of_its_own_package_counts_and_nothing_else(package: Path) -> None:
    assert set(closure(["gates.method"], Modules())) == {
        "gates",
        "gates.method",
        "gates.weights",
        "gates.other",
        "gates.lazy",
        "gates.deep",
        "gates.deep.inner",
    }


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("method.py", "slope: float = 2.0", "slope: float = 2.5"),
        ("weights.py", "1 / (1 + x)", "1 / (2 + x)"),
        ("other.py", "NUMBER = 1", "NUMBER = 2"),
        ("deep/inner.py", "return 0", "return 1"),
        ("deep/__init__.py", "SCALE = 3", "SCALE = 4"),
        ("weights.py", "return 1 / (1 + x)", "return 1 / (1 + x) if x > 0 else 0"),
        ("method.py", "self.slope * logits", "logits * self.slope"),
    ],
)
def test_an_edit_changes_the_digest(package: Path, file: str, before: str, after: str) -> None:
    first = fingerprint()
    edited(package / file, before, after)
    assert fingerprint() != first


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("method.py", "'''Shares of sound.'''", "'''Weights.'''"),
        ("method.py", "'''Shares of sound.'''", ""),
        ("method.py", "'''How steep it is.'''", "'''Its slope.'''"),
        ("method.py", "  # only when it is needed", ""),
        ("method.py", "self.slope * logits", "(self.slope\n                * logits)"),
        ("method.py", "slope: float = 2.0", "slope: float=2.00"),
        ("deep/inner.py", "return 0", "'''None.'''\n    return 0x0"),
        ("unused.py", "RuntimeError", "ValueError"),
        ("weights.py", "def squash", "\n\n# A logistic function.\ndef squash"),
    ],
)
def test_docstrings_comments_and_formatting_do_not_count(
    package: Path, file: str, before: str, after: str
) -> None:
    first = fingerprint()
    edited(package / file, before, after)
    assert fingerprint() == first


def test_the_place_of_the_files_does_not_count(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fingerprint()
    package.parent.rename(tmp_path / "elsewhere")
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    importlib.invalidate_caches()
    assert fingerprint() == first


def test_a_plug_in_of_one_file_counts_with_the_helper_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lone_gate.py").write_text("import gate_helper\n")
    (tmp_path / "gate_helper.py").write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    first = fingerprint("lone_gate")
    (tmp_path / "gate_helper.py").write_text("VALUE = 2\n")
    assert fingerprint("lone_gate") != first


def test_a_module_that_does_not_parse_is_named(package: Path) -> None:
    (package / "weights.py").write_text("def squash(:\n")
    with pytest.raises(BenchError, match=r"weights\.py does not parse"):
        fingerprint()


def test_code_without_a_file_is_refused() -> None:
    with pytest.raises(BenchError, match="no_such_module is in no file"):
        fingerprint("no_such_module")


def test_the_engine_is_what_can_change_a_figure() -> None:
    names = set(closure([ENGINE], Modules()))
    assert names >= {
        "core.training.training",
        "core.training.gradient",
        "core.scoring.scoring",
        "core.evaluation.ranking",
        "core.evaluation.metrics",
        "core.encoders.clip",
        "core.store.features",
        "core.media.waveform",
    }
    assert not {name for name in names if name.startswith(("reports", "core.cli", "methods."))}
    assert "harness" not in names


@pytest.mark.parametrize("method", ["gaid", "clip4clip"])
def test_of_methods_data_sets_and_encoders_only_the_cells_own_count(method: str) -> None:
    names = set(closure(roots_of(resolve(method, "avworld-tiny", {})), Modules()))
    assert {f"methods.{method}", "methods.composed", "methods.parts.fusion"} <= names
    assert "core.datasets.avworld.world" in names
    assert not {"methods.avigate", "core.datasets.msrvtt"} & names


def test_a_variant_of_an_encoder_counts_as_its_encoder() -> None:
    specs = [
        resolve("gaid", "avworld-tiny", {"audio_encoder": name})
        for name in ("avworld-whisper", "whisper-base")
    ]
    varied = [spec.model_copy(update={"audio_encoder": f"{spec.audio_encoder}:random"}) for spec in specs]
    assert roots_of(varied[0]) == roots_of(specs[0]) != roots_of(specs[1]) == roots_of(varied[1])


def test_what_was_read_once_is_remembered(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    modules = Modules.remembered()
    found = code_digest(closure(["gates.method"], modules), modules)
    modules.remember()

    def refuse(*_: object) -> Module:
        raise AssertionError("a file was parsed again")

    monkeypatch.setattr("core.running.syntax.read_module", refuse)
    again = Modules.remembered()
    assert code_digest(closure(["gates.method"], again), again) == found


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', "\x00"])
def test_a_damaged_memory_is_no_memory(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    modules = Modules({}, grown=True)
    modules.remember()
    next(tmp_path.glob("code-*.json")).write_text(content)
    assert Modules.remembered().known == {}


def test_every_version_of_python_gives_the_same_digest() -> None:
    """The digest under 3.11; the trees of later versions have other empty fields."""
    text = b"from a import b\n\ndef f(x, *, y: int = 1_0) -> float:\n"
    text += b"    return f'{x!r:>{y}}' 'z', b[1:], {**x}\n"
    assert read_module(text, Path("f.py")).digest == DIGEST
    assert read_module(text, Path("f.py")).imports == ("a", "a.b")


DIGEST = "5c8c9442c6fccd9d7ffac952ca94404e0302113169ebebeaf528f3d4aacb5a94"


def test_two_methods_have_two_fingerprints() -> None:
    found = {code_fingerprint(resolve(name, "avworld-tiny", {})) for name in ("gaid", "clip4clip")}
    assert len(found) == 2
