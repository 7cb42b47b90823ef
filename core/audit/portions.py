"""An audit in portions that processes share; put together they say what one process would have said.

Checks that look at the method as it has trained on the same features go together: it trains once for all of
them. What takes long and needs nothing of the others is a portion by itself.
"""

import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from core.audit.checks import CHECKS, ENDS_THE_AUDIT, AuditCheck
from core.audit.configurations import WIDTHS, Configuration, counted_configurations, other_configurations
from core.audit.device import device
from core.audit.size import size
from core.audit.subject import Subject
from core.audit.ties import ties
from core.audit.verdict import Verdict
from core.errors import BenchError
from core.registry import find_method
from core.scoring.scoring import Condition
from core.workers import Begin

APART: Sequence[AuditCheck] = (size, ties, device)
"""Checks that share nothing with the others but the method."""
CONFIGURATION_SHARES = 8
"""Portions of the configurations: small ones, so that processes end together."""

Answer: TypeAlias = Verdict | BenchError | None
"""What a check says, or why it says nothing; None where a configuration passes."""


@dataclass(frozen=True)
class Portion:
    """Some of the places of an audit: those of `CHECKS`, then those of `other_configurations`."""

    name: str
    """In words."""
    first: Sequence[int]
    """The places, in order; of every `step`-th from there on, where there is a step."""
    step: int = 0

    def places(self, count: int) -> Sequence[int]:
        """Those of an audit with `count` places."""
        return range(self.first[0], count, self.step) if self.step else self.first


def portions(condition: Condition) -> list[Portion]:
    """Those of an audit under a condition, the longest first, so that processes end together."""
    checks = len(CHECKS)
    together = tuple(place for place, check in enumerate(CHECKS) if check not in APART)
    apart = [Portion(check.__name__, (CHECKS.index(check),)) for check in APART]
    if condition != "leak-free":  # configurations are those of leak-free scores
        return [Portion("checks", together), *apart]
    start = checks + len(WIDTHS)
    return [
        Portion("checks", together),
        *(Portion(str(shape), (checks + number,)) for number, (shape, _) in enumerate(WIDTHS)),
        *apart,
        *(
            Portion("configurations", (start + share,), CONFIGURATION_SHARES)
            for share in range(CONFIGURATION_SHARES)
        ),
    ]


def answers(subject: Subject, portion: Portion) -> Iterator[tuple[int, Answer]]:
    """Places of a portion with what was found there, up to the first that ends an audit."""
    if portion.first[0] < len(CHECKS):
        asked: Sequence[Configuration] = ()
    else:
        asked = other_configurations(subject)
    for place in portion.places(len(CHECKS) + len(asked)):
        try:
            if place < len(CHECKS):
                found: Answer = CHECKS[place](subject)
            else:
                taken, found = asked[place - len(CHECKS)].tried()
                if not taken:
                    continue
        except BenchError as error:
            found = error
        yield place, found
        if ends(place, found):
            return


def ends(place: int, answer: Answer) -> bool:
    """Whether nothing that comes after it is said."""
    if isinstance(answer, Verdict):
        return place < len(CHECKS) and CHECKS[place] in ENDS_THE_AUDIT and answer.verdict == "fail"
    return answer is not None


@dataclass(frozen=True)
class Asked:
    """A method, to be audited under a condition: what `Subject` is made of, without a plug-in's class."""

    name: str
    condition: Condition
    size: int
    seeds: int
    settings: Mapping[str, Any]

    def subject(self) -> Subject:
        """Raises `BenchError` for a name that nothing has."""
        return Subject(find_method(self.name), self.condition, self.size, self.seeds, self.settings)


def audit_portion(item: tuple[Asked, Portion], begin: Begin = lambda step: None) -> list[tuple[int, Answer]]:
    """What was found at each place of a portion, for a process of `core.workers`."""
    asked, portion = item
    begin(portion.name)
    found: list[tuple[int, Answer]] = []
    try:
        found += answers(asked.subject(), portion)
    except BenchError as error:  # there is no such method, or its `Config` breaks down
        found.append((portion.first[0], error))
    for _, answer in found:
        keep_cause(answer)
    return found


def keep_cause(answer: object) -> None:
    """The traceback of what is behind an error becomes a note, which survives a process."""
    if isinstance(answer, BenchError) and answer.__cause__:
        answer.add_note("".join(traceback.format_exception(answer.__cause__)))


def put_together(asked: Asked, found: Iterable[tuple[int, Answer]]) -> Iterator[Verdict | BenchError]:
    """What the whole audit says in the order of its places, up to what ends it."""
    tried: list[Verdict | None] = []
    for place, answer in sorted(found, key=lambda at: at[0]):
        if answer is not None:
            yield answer
        if ends(place, answer):
            return
        if place >= len(CHECKS) and not isinstance(answer, BenchError):
            tried.append(answer)
    if asked.condition == "leak-free":
        yield counted_configurations(asked.subject(), tried)
