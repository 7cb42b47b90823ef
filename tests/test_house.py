"""Rules that a reader can see: one meaning per name, files that fit, equations beside algebra."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST = 300
"""Lines of a file; more are two subjects."""
COMMENTED = 0.03
"""Share of own-line comments where the algebra is dense."""

AVWORLD = "core/datasets/avworld/"
TRAINED = ["BATCH", "LEARNING_RATE", "SEED", "STEPS", "WARMUP", "WEIGHT_DECAY", "WIDTH"]
MADE = ["batches", "pretrain", "write_configuration", "write_weights"]
SAME: dict[str, set[str]] = {
    **{name: {f"{AVWORLD}pretrain_audio.py", f"{AVWORLD}pretrain_clip.py"} for name in (*TRAINED, *MADE)},
    "read": {f"core/datasets/{name}.py" for name in ("didemo", "folder", "lsmdc", "msrvtt", "vatex")},
    "file_names": {"core/datasets/didemo.py", "core/datasets/vatex.py"},
    "_Official": {"core/datasets/msrvtt.py", "core/datasets/vatex.py"},
    "facts_of": {"core/encoders/audio.py", "core/encoders/clip.py"},
    "main": {"core/cli/app.py", f"{AVWORLD}backbones.py", "core/running/score_again.py"},
}
"""Name -> files in which it is one and the same thing: a data set's reader, an encoder's facts, what the two
pre-trainings of the small world have in common, what Python starts."""


def files() -> Iterator[Path]:
    """The sources of the product."""
    yield ROOT / "harness.py"
    for room in ("core", "methods", "reports"):
        yield from sorted((ROOT / room).rglob("*.py"))


def defined_in(file: Path) -> Iterator[str]:
    """The names that a module defines, type variables left out: they have no meaning outside a signature."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign) and "TypeVar(" not in ast.unparse(node):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = (part for target in targets for part in ast.walk(target))
            yield from (name.id for name in names if isinstance(name, ast.Name))


def test_no_name_of_a_module_has_two_meanings() -> None:
    places = defaultdict(set)
    for file in files():
        for name in defined_in(file):
            places[name].add(str(file.relative_to(ROOT)))
    twice = {
        name: sorted(found)
        for name, found in places.items()
        if name != "__all__" and len(found) > 1 and not found <= SAME.get(name, set())
    }
    assert not twice


@pytest.mark.parametrize("folder", ["core", "methods", "reports"])
def test_a_file_has_at_most_300_lines(folder: str) -> None:
    lengths = {
        str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines())
        for file in (ROOT / folder).rglob("*.py")
    }
    assert not {file: length for file, length in lengths.items() if length > LONGEST}


@pytest.mark.parametrize("folder", ["methods", "core/scoring"])
def test_dense_algebra_has_its_equations_beside_it(folder: str) -> None:
    lines = [line for file in (ROOT / folder).rglob("*.py") for line in file.read_text("utf-8").splitlines()]
    comments = [line for line in lines if line.lstrip().startswith("#")]
    assert len(comments) >= COMMENTED * len(lines)
