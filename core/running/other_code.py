"""Cells that were finished by other code than the present one: the same spec, data and weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from core.errors import BenchError
from core.runs import RunDirectory, find_runs
from core.spec import SCHEMA, RunSpec


def key_of(spec: RunSpec, fingerprints: Mapping[str, str]) -> tuple[str, str]:
    """What two cells must agree in to differ in nothing but their code."""
    return spec.canonical(), str(sorted((k, v) for k, v in fingerprints.items() if k != "code"))


@dataclass
class OtherCode:
    """The finished cells of a run folder, looked up by all but their code."""

    root: Path
    found: int = 0
    """How many cells were found when asked for."""

    @cached_property
    def finished(self) -> Mapping[tuple[str, str], RunDirectory]:
        """The newest folder of each finished cell; a damaged folder is none."""
        dated: list[tuple[str, tuple[str, str], RunDirectory]] = []
        for directory in find_runs(self.root):
            try:
                if directory.is_done() and directory.status().get("schema") == SCHEMA:
                    manifest = directory.read_json("manifest.json")
                    key = key_of(directory.read_spec(), manifest["fingerprints"])
                    dated.append((str(manifest["started"]), key, directory))
            except (BenchError, LookupError, AttributeError):
                continue
        return {key: directory for _, key, directory in sorted(dated, key=lambda one: one[0])}

    def find(self, spec: RunSpec, fingerprints: Mapping[str, str]) -> RunDirectory | None:
        """The newest folder in which other code has finished a cell; None where there is none."""
        directory = self.finished.get(key_of(spec, fingerprints))
        self.found += directory is not None
        return directory
