"""The lock pins all that pyproject.toml asks for, within its bounds, and this environment is the lock's."""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from itertools import product
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from core import lock
from core.lock import LOCK, RUN_LOCK, Pin, differences, lock_digest, read_lock

PROJECT = tomllib.loads((LOCK.parents[1] / "pyproject.toml").read_text())
UV_LOCK = LOCK.with_name("uv.txt")
PLATFORMS = (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
PYTHONS = ("3.11", "3.12", "3.13")


def environment(platform: tuple[str, str], python: str) -> Mapping[str, str]:
    """The marker variables of a system and machine under CPython."""
    system, machine = platform
    return {
        "python_version": python,
        "python_full_version": f"{python}.1",
        "sys_platform": system,
        "platform_system": {"linux": "Linux", "darwin": "Darwin"}[system],
        "platform_machine": machine,
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "extra": "",
    }


def label(where: Mapping[str, str]) -> str:
    """An environment in a test's name."""
    return "-".join(where[key] for key in ("sys_platform", "platform_machine", "python_version"))


ENVIRONMENTS = [environment(platform, python) for platform, python in product(PLATFORMS, PYTHONS)]


def pinned(path: Path, where: Mapping[str, str] | None = None) -> dict[str, Pin]:
    """The pins that apply by name; each name once."""
    pins = [pin for pin in read_lock(path) if pin.applies(where)]
    assert len({pin.name for pin in pins}) == len(pins), "a package is pinned twice for one environment"
    return {pin.name: pin for pin in pins}


def asked() -> Iterator[Requirement]:
    """Every requirement that pyproject.toml states, of every extra and group, and for the build."""
    stated = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
    for items in PROJECT["project"]["optional-dependencies"].values():
        stated += items
    for name, items in PROJECT["dependency-groups"].items():
        stated += [item for item in items if isinstance(item, str) and name != "setup"]
    return map(Requirement, stated)


@pytest.mark.parametrize("where", ENVIRONMENTS, ids=label)
def test_every_requirement_is_pinned_within_its_bounds_on_every_system(where):
    pins = pinned(LOCK, where)
    for requirement in asked():
        found = pins[canonicalize_name(requirement.name)].version
        assert requirement.specifier.contains(found, prereleases=True), f"{requirement} but {found} is locked"


@pytest.mark.parametrize("where", ENVIRONMENTS, ids=label)
def test_what_a_run_needs_is_part_of_the_whole_lock(where):
    everything, needed = pinned(LOCK, where), pinned(RUN_LOCK, where)
    # A package that one of them asks for on some systems only, and both here, has other markers in it.
    assert {name: (pin.version, pin.hashes) for name, pin in needed.items()} == {
        name: (everything[name].version, everything[name].hashes) for name in needed
    }
    stated = map(Requirement, PROJECT["project"]["dependencies"])
    assert {canonicalize_name(requirement.name) for requirement in stated} <= set(needed)


def test_tests_and_extras_are_not_installed_for_a_run():
    assert not {"pytest", "ruff", "mypy", "ray", "ranx"} & set(pinned(RUN_LOCK))


@pytest.mark.parametrize("where", ENVIRONMENTS, ids=label)
def test_cuda_is_locked_for_linux_alone(where):
    cuda = [name for name in pinned(LOCK, where) if name.startswith("nvidia-") or name == "triton"]
    assert bool(cuda) == (where["sys_platform"] == "linux")


@pytest.mark.parametrize("path", [LOCK, RUN_LOCK, UV_LOCK], ids=lambda path: path.stem)
def test_every_pin_has_hashes_and_no_line_has_an_address(path):
    text = path.read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-(?!-hash=)", text, re.MULTILINE), "an option, which may name an index"
    for pin in read_lock(path):
        assert pin.hashes, pin.name
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", digest) for digest in pin.hashes), pin.name


def test_this_environment_is_the_locks():
    assert list(differences()) == []


def test_the_lock_is_closed_here():
    """What the installed packages themselves ask for is pinned too, at a version they take."""
    pins = pinned(LOCK)
    for name in pins:
        try:
            needs = requires(name) or []
        except PackageNotFoundError:  # of the checks, where only what a run needs is installed
            continue
        for need in map(Requirement, needs):
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                found = pins[canonicalize_name(need.name)].version
                assert need.specifier.contains(found, prereleases=True), f"{name} needs {need}, not {found}"


def test_a_package_at_another_version_and_one_that_is_absent_are_named(tmp_path, monkeypatch):
    path = tmp_path / "all.txt"
    digest = "sha256:" + "0" * 64
    path.write_text(
        f"numpy==1.0 \\\n    --hash={digest}\nno-such-package==2.0 --hash={digest}\n"
        f"colorama==9 ; sys_platform == 'win32' --hash={digest}\n"
    )
    monkeypatch.setattr(lock, "LOCK", path)
    monkeypatch.setattr(lock, "RUN_LOCK", path)
    assert list(differences()) == [
        f"numpy {version('numpy')} (lock: 1.0)",
        "no-such-package absent (lock: 2.0)",
    ]
    assert lock_digest() == hashlib.sha256(path.read_bytes()).hexdigest()[:12]


@pytest.mark.parametrize("line", ["numpy>=2", "numpy==2.*", "numpy==2,<3", "numpy"])
def test_a_line_that_pins_no_version_is_refused(line, tmp_path):
    (tmp_path / "lock.txt").write_text(line + "\n")
    with pytest.raises(ValueError, match="does not pin one version"):
        read_lock(tmp_path / "lock.txt")
