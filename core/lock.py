"""The lock: what requirements/all.txt pins, and how what is installed differs from it.

requirements/run.txt is the part of it that a run needs; the rest is for tests, checks and extras.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCK = Path(__file__).parents[1] / "requirements" / "all.txt"
"""Every package of every extra and group; absent where this project was installed from a wheel."""
RUN_LOCK = LOCK.with_name("run.txt")
"""The packages that `bench` needs."""


@dataclass(frozen=True)
class Pin:
    """One package of the lock at one version."""

    name: str
    """Normalised: lower case, hyphens."""
    version: str
    """The only one that is installed."""
    marker: Marker | None
    """Where it is installed (system, machine, Python); None: everywhere."""
    hashes: tuple[str, ...]
    """`sha256:...` of every file that may be installed."""

    def applies(self, environment: Mapping[str, str] | None = None) -> bool:
        """Whether it is installed where the marker variables are `environment`; None: here."""
        return self.marker is None or self.marker.evaluate(dict(environment) if environment else None)


def read_lock(path: Path = LOCK) -> tuple[Pin, ...]:
    """The pins of a lock file; raises `ValueError` for a line that does not pin one version."""
    pins = []
    for line in re.sub(r"\\\n", " ", path.read_text(encoding="utf-8")).splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        stated, *hashes = line.split("--hash=")
        requirement = Requirement(stated)
        pinned = re.fullmatch(r"==([^,*]+)", str(requirement.specifier))
        if pinned is None:
            raise ValueError(f"{path}: '{stated.strip()}' does not pin one version")
        name = str(canonicalize_name(requirement.name))
        pins.append(Pin(name, pinned[1], requirement.marker, tuple(item.strip() for item in hashes)))
    return tuple(pins)


def differences() -> Iterator[str]:
    """What is installed otherwise than locked, e.g. `numpy 2.4.6 (lock: 2.5.5)`; raises as `read_lock`.

    What only tests and checks need may be absent.
    """
    needed = {pin.name for pin in read_lock(RUN_LOCK)}
    for pin in read_lock(LOCK):
        if not pin.applies():
            continue
        try:
            installed = version(pin.name)
        except PackageNotFoundError:
            if pin.name in needed:
                yield f"{pin.name} absent (lock: {pin.version})"
            continue
        if installed != pin.version:
            yield f"{pin.name} {installed} (lock: {pin.version})"


def lock_digest() -> str | None:
    """The first 12 hexadecimal digits of the lock's SHA-256; None where there is no lock."""
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12] if LOCK.exists() else None
