"""Where every run comes from, and the command that makes it again."""

import shlex
from collections.abc import Sequence
from typing import Any

from core.assignments import assignment
from core.spec import RunSpec, dotted
from reports.collect import Run
from reports.labels import defaults, label
from reports.table import amount, number


def provenance(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Name, label, command, commit, hardware and spec of each run."""
    return [
        {
            "run": run.name,
            "label": label(run.spec),
            "command": reproducing_command(run.spec),
            "commit": commit_of(run),
            "facts": making_of(run),
            "spec": run.spec.model_dump_json(indent=1),
        }
        for run in runs
    ]


def making_of(run: Run) -> dict[str, str]:
    """When, how long and on what a run was made, in words."""
    manifest = run.manifest
    facts = {"started": manifest.started}
    if manifest.wall_seconds is not None:
        facts["wall time"] = f"{number(manifest.wall_seconds, 0)} s"
    facts["hardware"] = hardware_in_words(run)
    if manifest.python:
        facts["Python"] = manifest.python
    if manifest.packages:
        facts["packages"] = ", ".join(f"{name} {version}" for name, version in manifest.packages.items())
    facts["fingerprints"] = ", ".join(f"{k} {v[:12]}" for k, v in manifest.fingerprints.items())
    return facts


def hardware_in_words(run: Run) -> str:
    """Processor, cores, threads and GPU."""
    found = run.manifest.hardware or {}
    if not found:
        return "not recorded"
    return (
        f"{found.get('processor', 'unknown processor')}, {amount(found.get('cores', '?'), 'core')}, "
        f"{amount(found.get('threads', '?'), 'thread')}, {found.get('gpu') or 'no GPU'}"
    )


def commit_of(run: Run) -> str:
    """The commit that a run was made with, and whether the tree had changes of its own."""
    commit = run.manifest.commit
    if commit is None or commit.sha is None:
        return "not recorded"
    return commit.sha + (" with changes" if commit.dirty else "")


def reproducing_command(spec: RunSpec) -> str:
    """The `bench run` that makes the cell of a spec, and no other.

    >>> from core.resolving import resolve
    >>> reproducing_command(resolve("gaid", "avworld", {"seeds.data": 2}))
    'bench run --methods gaid --datasets avworld --set seeds.data=2'
    """
    default = defaults(spec.method, spec.dataset, spec.recipe)
    changed = {key: value for key, value in dotted(spec).items() if default.get(key) != value}
    words = ["bench", "run", "--methods", spec.method, "--datasets", spec.dataset]
    for key, value in changed.items():
        words += ["--set", assignment(key, value)]
    return shlex.join(words)
