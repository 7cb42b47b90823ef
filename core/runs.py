"""Run directories: one folder per cell, whole files only, states that a kill cannot falsify."""

import json
import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import torch
from filelock import FileLock, Timeout
from pydantic import ValidationError

from core.errors import BenchError
from core.paths import written_whole
from core.spec import SCHEMA, RunSpec
from core.versions import git_state, package_version

State = Literal["running", "done", "failed", "interrupted"]

PACKAGES = (
    "torch",
    "torchvision",
    "torchaudio",
    "open_clip_torch",
    "transformers",
    "av",
    "numpy",
    "scipy",
    "pandas",
)


def write_json(path: Path, content: Any) -> None:
    """Writes JSON under a temporary name and renames it."""
    text = json.dumps(content, indent=1, allow_nan=True)
    with written_whole(path, len(text)) as temporary:
        temporary.write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class RunDirectory:
    """The folder of one cell."""

    path: Path

    def status(self) -> Mapping[str, Any]:
        """Contents of status.json, `{}` for a folder that no run has entered yet.

        Raises `BenchError` where the file is not readable.
        """
        return self.read_json("status.json") if (self.path / "status.json").exists() else {}

    def is_done(self) -> bool:
        """Whether the cell is finished and its results can be read."""
        return self.status().get("state") == "done"

    def set_status(self, state: State, **details: Any) -> None:
        """Writes status.json; `done` is written last of all files."""
        write_json(self.path / "status.json", {"state": state, "schema": SCHEMA, "at": now(), **details})

    def read_json(self, name: str) -> Mapping[str, Any]:
        """A JSON file of the run; raises `BenchError` naming it where it is damaged."""
        try:
            content = json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise self.damaged(name, str(error)) from error
        if not isinstance(content, dict):
            raise self.damaged(name, "it holds no JSON object")
        return content

    def damaged(self, name: str, reason: str) -> BenchError:
        """The one line for a file of the run that cannot be read."""
        words = " ".join(reason.split())
        return BenchError(
            f"{self.path / name} is damaged ({words}); delete the folder and run the cell again"
        )

    def read_spec(self) -> RunSpec:
        """The spec of the run; raises `BenchError` naming the file where it is none of this version."""
        try:
            return RunSpec.model_validate(self.read_json("spec.json"))
        except ValidationError as error:
            raise BenchError(
                f"{self.path / 'spec.json'} is no spec of this version; "
                "delete the folder and run the cell again"
            ) from error

    def require_spec(self) -> None:
        """Raises `BenchError` where the folder has lost its spec.json: it was deleted, if not to the end."""
        if not (self.path / "spec.json").is_file():
            raise BenchError(f"{self.path} was deleted meanwhile; the same command runs its cell again")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the cell; raises `BenchError` while another process runs it, or where the folder is gone."""
        self.require_spec()  # the lock would create the folder anew
        try:
            with FileLock(self.path / "lock", timeout=0):
                yield
        except Timeout as error:
            raise BenchError(
                f"{self.path} is being run by another process; wait for it or use another --runs"
            ) from error


def folder_of(root: Path, spec: RunSpec, digest: str) -> RunDirectory:
    """The folder of a cell under `root`, whether it is there or not."""
    return RunDirectory(root / f"{spec.method}-{spec.dataset}-{digest}")


def open_run(root: Path, spec: RunSpec, digest: str) -> RunDirectory:
    """The folder of a cell under `root`, created with its spec.json where it is new.

    One that already holds the spec is not touched: figures are drawn again where a file of a run is new.
    One that has lost it was deleted, if not to the end: what is left of its state is no more continued.
    Raises `BenchError` where `root` cannot be written.
    """
    directory = folder_of(root, spec, digest)
    path = directory.path
    try:
        path.mkdir(parents=True, exist_ok=True)
        content = spec.model_dump(mode="json")
        if not (path / "spec.json").exists():
            for name in ("status.json", "resume.pt"):
                (path / name).unlink(missing_ok=True)
        if not holds(path / "spec.json", content):
            write_json(path / "spec.json", content)
    except OSError as error:
        raise BenchError(
            f"cannot write to {path} ({error.strerror}); choose another folder with --runs"
        ) from error
    return directory


def holds(path: Path, content: Any) -> bool:
    """Whether a file is JSON of that content."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(found == content)


def find_runs(root: Path) -> list[RunDirectory]:
    """Every run folder under `root`, by name."""
    return [RunDirectory(status.parent) for status in sorted(root.glob("*/status.json"))]


def manifest(
    started: datetime, fingerprints: Mapping[str, str], **figures: float | str | Mapping[str, Any]
) -> Mapping[str, Any]:
    """Where a result comes from: commit, command, packages, hardware, data, weights and cost.

    `started` is when the session began that finished the cell.
    """
    return {
        "schema": SCHEMA,
        "commit": git_state(),
        "command": " ".join(["bench", *sys.argv[1:]]),
        "packages": {name: package_version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "hardware": hardware(),
        "fingerprints": dict(fingerprints),
        "started": started.isoformat(timespec="seconds"),
        "peak_memory_bytes": peak_memory(),
        **figures,
    }


def now() -> str:
    """The time in UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def hardware() -> Mapping[str, Any]:
    """Processor, cores, threads in use, and the GPU if there is one."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def peak_memory() -> int:
    """Peak resident memory of this process in bytes (Linux keeps it per process as VmHWM)."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    if found:
        return int(found.group(1)) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
