"""Why cells have no estimate: in what they differ from every cell of their method that was timed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.assignments import assignment
from core.registry import find_method
from core.running.estimates import Timing, cost_keys, differing, measured_timings
from core.spec import RunSpec, dotted

Lacking = Mapping[str, Any]
"""What no cell of the method that was timed has: values by dotted key, none where there is no such cell."""


def reason(spec: RunSpec, timings: Sequence[Timing]) -> str:
    """Why there is no estimate of a cell, e.g. `no cell of X-Pool with backbone=ViT-B-16 was timed`."""
    return untimed_in_words([spec], [lacking(spec, timings)])


def reasons(specs: Sequence[RunSpec], timings: Sequence[Timing]) -> list[str]:
    """Why some cells have no estimate and how many must run until the rest has one, a line per reason.

    Cells of a method share a line where no timed one has some value that they share, e.g. their mode of
    training, and so do methods that lack the same.
    """
    found = {id(spec): lacking(spec, timings) for spec in specs}
    shared: dict[tuple[str, str], Lacking] = {}
    for spec in specs:
        own, pair = found[id(spec)], (spec.method, spec.dataset)
        before = shared.get(pair, own)
        shared[pair] = {name: value for name, value in own.items() if (name, value) in before.items()}
    groups: dict[str, list[tuple[RunSpec, Lacking]]] = {}
    for spec in specs:
        common, own = shared[spec.method, spec.dataset], found[id(spec)]
        key = str(common) if common or not own else f"{spec.method} {spec.dataset} {list(own)}"
        groups.setdefault(key, []).append((spec, common or own))
    return [
        reason_line([spec for spec, _ in group], [lack for _, lack in group]) for group in groups.values()
    ]


def reason_line(specs: Sequence[RunSpec], found: Sequence[Lacking]) -> str:
    """Why some cells have no estimate, and how many of them must run until the rest has one."""
    kinds = len({str(cost_keys(spec)) for spec in specs})
    cells = "1 cell" if len(specs) == 1 else f"{len(specs)} cells"
    if len(specs) == 1:
        remedy = "once it has run, cells like it can be estimated"
    elif kinds == 1:
        remedy = "run one and the rest can be estimated"
    elif kinds < len(specs):
        remedy = f"run {kinds} of them, one of each kind, and the rest can be estimated"
    else:
        remedy = "each computes something else and has to run once"
    return f"unknown, {cells}: {untimed_in_words(specs, found)}; {remedy}"


def lacking(spec: RunSpec, timings: Sequence[Timing]) -> Lacking:
    """The values that decide a cell's cost in which the nearest timed one of its method differs.

    Only the data set where no cell of the method was timed on that; none where none was timed at all.
    """
    known = [timing for timing in (*timings, *measured_timings()) if timing.spec.method == spec.method]
    here = [timing for timing in known if timing.spec.dataset == spec.dataset]
    if not here:
        return {"dataset": spec.dataset} if known else {}
    deciding = cost_keys(spec)
    found = min((differing(deciding, timing) for timing in here), key=len)
    return found or {"training.epochs": dotted(spec)["training.epochs"]}  # what was timed did not train


def untimed_in_words(specs: Sequence[RunSpec], found: Sequence[Lacking]) -> str:
    """That no cell of the methods of some cells was timed with the values that they have."""
    titles = ", ".join(dict.fromkeys(find_method(spec.method).title for spec in specs))
    values = {key: alternatives(lack[key] for lack in found) for key in found[0]}
    where = f" on {values.pop('dataset')}" if "dataset" in values else ""
    having = f" with {', '.join(f'{key}={text}' for key, text in values.items())}" if values else ""
    return f"no cell of {titles}{where}{having} was timed"


def alternatives(values: Iterable[Any]) -> str:
    """Different values of a key as `--set` takes each, with `|` between them."""
    return "|".join(dict.fromkeys(assignment("", value)[1:] for value in values))
