"""Who is audited, and the verdicts as JSON."""

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
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
from core.workers import default_workers, in_workers
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


@dataclass(frozen=True)
class Asked:
    """A method, or the folder of a run, to be audited under some conditions."""

    name: str
    conditions: Sequence[Condition]
    size: int
    seeds: int
    settings: Mapping[str, Any]

    @property
    def is_run(self) -> bool:
        """Whether it is a folder: a name with a slash, or of a folder that is no method's."""
        known = {*registered_methods(), *broken_methods()}
        return self.name not in known and ("/" in self.name or Path(self.name).is_dir())


@dataclass(frozen=True)
class Audited:
    """What came of it."""

    verdicts: Sequence[Verdict]
    """In the order in which the subjects were named."""
    errors: Sequence[BenchError]
    """What could not be audited, and why."""


def audited(
    names: Sequence[str],
    conditions: Sequence[Condition],
    *,
    every_method: bool,
    size: int,
    seeds: int,
    settings: Mapping[str, Any],
    progress: Progress,
) -> Audited:
    """Verdicts on methods and run folders; several methods are spread over the cores.

    One that cannot be audited stops no other. Raises `BenchError` where nothing is named.
    """
    methods = registered_methods()
    names = [*names, *(name for name in sorted(methods) if every_method and name not in names)]
    if not names:
        raise BenchError("name methods or run folders, e.g. `bench audit gaid runs/NAME`, or pass --all")
    asked = [Asked(name, conditions, size, seeds, dict(settings)) for name in names]
    found: dict[str, Sequence[Verdict | BenchError]] = {}
    here, apart = [one for one in asked if one.is_run], [one for one in asked if not one.is_run]
    with progress.task("audit", len(asked)) as advance:
        spread = in_workers(audit_one, apart, default_workers(len(apart)))
        for one, answers in chain(spread, ((one, audit_one(one)) for one in here)):
            found[one.name] = answers
            advance(1, one.name)
    answers = [answer for one in asked for answer in found[one.name]]
    return Audited(
        [answer for answer in answers if isinstance(answer, Verdict)],
        [answer for answer in answers if isinstance(answer, BenchError)],
    )


def audit_one(asked: Asked) -> Sequence[Verdict | BenchError]:
    """The verdicts on a subject, or why there are none; the traceback is a note, which survives a process."""
    found: list[Verdict | BenchError] = []
    for condition in asked.conditions:
        try:
            if asked.is_run:
                found += audit_run(read_run(RunDirectory(Path(asked.name))), condition)
            else:
                method = find_method(asked.name)
                found += audit_method(Subject(method, condition, asked.size, asked.seeds, asked.settings))
        except BenchError as error:
            if error.__cause__:
                error.add_note("".join(traceback.format_exception(error.__cause__)))
            found.append(error)
    return found
