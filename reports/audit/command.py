"""Who is audited, and what comes of it; methods are audited in portions that processes share."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from core.assignments import parse_value
from core.audit.portions import Answer, Asked, Portion, audit_portion, keep_cause, portions, put_together
from core.audit.verdict import Verdict
from core.errors import BenchError, unknown_name
from core.progress import Progress
from core.registry import broken_methods, registered_methods
from core.runs import RunDirectory
from core.scoring.scoring import Condition
from core.threads import torch_threads
from core.workers import LostItem, default_workers, watched


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


def is_run(name: str) -> bool:
    """Whether a name is a folder: one with a slash, or of a folder that is no method's."""
    known = {*registered_methods(), *broken_methods()}
    return name not in known and ("/" in name or Path(name).is_dir())


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
    """Verdicts on methods and run folders; what is asked of methods is spread over the cores.

    One that cannot be audited stops no other. Raises `BenchError` where nothing is named.
    """
    methods = registered_methods()
    names = list(dict.fromkeys([*names, *(sorted(methods) if every_method else ())]))
    if not names:
        raise BenchError("name methods or run folders, e.g. `bench audit gaid runs/NAME`, or pass --all")
    runs = [name for name in names if is_run(name)]
    asked = [
        Asked(name, condition, size, seeds, dict(settings))
        for name in names
        if name not in runs
        for condition in conditions
    ]
    items = [(one, portion) for one in asked for portion in portions(one.condition)]
    found: dict[tuple[str, Condition], list[tuple[int, Answer]]] = {}
    said: list[Verdict | BenchError] = []
    with progress.task("audit", len(items) + len(runs)) as advance:
        for (one, _), part in answers_as_they_come(items):
            found.setdefault((one.name, one.condition), []).extend(part)
            advance(1, one.name)
        for name in names:
            if name in runs:
                said += [answer for condition in conditions for answer in audit_folder(name, condition)]
                advance(1, name)
            said += [
                answer
                for one in asked
                if one.name == name
                for answer in put_together(one, found[name, one.condition])
            ]
    return Audited(
        [answer for answer in said if isinstance(answer, Verdict)],
        [answer for answer in said if isinstance(answer, BenchError)],
    )


def answers_as_they_come(
    items: Sequence[tuple[Asked, Portion]],
) -> Iterator[tuple[tuple[Asked, Portion], Sequence[tuple[int, Answer]]]]:
    """Each item with what was found, on one thread each; an item that has cost its process is an error."""
    workers = default_workers(len(items))
    if workers < 2:
        with torch_threads(1):
            for item in items:
                yield item, audit_portion(item)
        return
    for item, found in watched(audit_portion, items, workers):
        asked, portion = item
        if isinstance(found, LostItem):
            lost = f"{asked.name}: a process of the audit {found.how} ({found.reason}) at its {portion.name}"
            yield item, [(portion.first[0], BenchError(lost))]
        else:
            yield item, found


def audit_folder(name: str, condition: Condition) -> Sequence[Verdict | BenchError]:
    """The verdicts on a finished run, or why there are none."""
    from reports.audit.run import audit_run  # late: pandas and its company, which methods do without
    from reports.collect import read_run

    try:
        return audit_run(read_run(RunDirectory(Path(name))), condition)
    except BenchError as error:
        keep_cause(error)
        return [error]
