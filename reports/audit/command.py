"""Who is audited, and the verdicts as JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from core.assignments import parse_value
from core.audit.checks import audit_method
from core.audit.subject import Subject
from core.audit.verdict import Verdict
from core.errors import BenchError, unknown_name
from core.progress import Progress
from core.registry import broken_methods, find_method, registered_methods
from core.runs import RunDirectory
from core.scoring.scoring import Condition
from reports.audit.run import audit_run
from reports.collect import read_run


def conditions_of(names: Sequence[str]) -> list[Condition]:
    """The scoring conditions of an option; raises `BenchError` for an unknown one."""
    known: tuple[Condition, ...] = get_args(Condition)
    for name in names:
        if name not in known:
            raise unknown_name("condition", name, known)
    return [condition for condition in known if condition in names]


def settings_of(given: Sequence[str]) -> dict[str, Any]:
    """`key=value` pairs of a method's configuration, values as JSON or plain text.

    Raises `BenchError` for one without a value.
    """
    found: dict[str, Any] = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise BenchError(f"--set {pair} is no key=value, e.g. --set fusion=token")
        found[key.strip().removeprefix("config.")] = parse_value(value)
    return found


def audited(
    names: Sequence[str],
    conditions: Sequence[Condition],
    *,
    every_method: bool,
    size: int,
    seeds: int,
    settings: Mapping[str, Any],
    progress: Progress,
) -> list[Verdict]:
    """Verdicts on methods and run folders, in the order of their names.

    A name with a slash, or of a folder that is no method's, means a run. Raises `BenchError` where nothing is
    named, for an unknown method and for a run that cannot be read.
    """
    methods, broken = registered_methods(), broken_methods()
    names = [*names, *(name for name in sorted(methods) if every_method and name not in names)]
    if not names:
        raise BenchError("name methods or run folders, e.g. `bench audit gaid runs/NAME`, or pass --all")

    def verdicts(name: str, condition: Condition) -> Iterator[Verdict]:
        if name not in {*methods, *broken} and ("/" in name or Path(name).is_dir()):
            yield from audit_run(read_run(RunDirectory(Path(name))), condition)
            return
        yield from audit_method(Subject(find_method(name), condition, size, seeds, settings))

    found: list[Verdict] = []
    with progress.task("audit", len(names) * len(conditions)) as advance:
        for name in names:
            for condition in conditions:
                found += verdicts(name, condition)
                advance(1, f"{name} {condition}")
    return found


def as_json(verdicts: Sequence[Verdict]) -> str:
    """A list of records with the fields of `Verdict`."""
    return json.dumps([asdict(verdict) for verdict in verdicts], indent=1, ensure_ascii=False)
