"""Where every run comes from, and the command that makes it again."""

import json
import shlex
from collections.abc import Sequence
from typing import Any

from core.spec import RunSpec, dotted
from reports.collect import Run
from reports.labels import defaults, label


def provenance(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Name, label, command, commit, hardware and spec of each run."""
    return [
        {
            "run": run.directory.path.name,
            "label": label(run.spec),
            "command": reproducing_command(run.spec),
            "commit": commit_of(run),
            "facts": {
                key: json.dumps(run.manifest[key])
                if isinstance(run.manifest[key], dict)
                else run.manifest[key]
                for key in ("started", "wall_seconds", "python", "hardware", "packages", "fingerprints")
                if key in run.manifest
            },
            "spec": run.spec.model_dump_json(indent=1),
        }
        for run in runs
    ]


def commit_of(run: Run) -> str:
    """The commit that a run was made with, and whether the tree had changes of its own."""
    commit = run.manifest.get("commit") or {}
    return f"{commit.get('sha') or 'not recorded'}{' with changes' if commit.get('dirty') else ''}"


def reproducing_command(spec: RunSpec) -> str:
    """The `bench run` that makes the cell of a spec, and no other.

    >>> from core.spec import resolve
    >>> reproducing_command(resolve("gaid", "avworld", {"seeds.data": 2}))
    'bench run --methods gaid --datasets avworld --set seeds.data=2'
    """
    default = defaults(spec.method, spec.dataset)
    changed = {key: value for key, value in dotted(spec).items() if default.get(key) != value}
    words = ["bench", "run", "--methods", spec.method, "--datasets", spec.dataset]
    for key, value in changed.items():
        words += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join(words)
