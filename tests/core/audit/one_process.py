"""A whole audit, check after check: what the portions of an audit, put together, must say too."""

from collections.abc import Iterator

from core.audit.checks import CHECKS, ENDS_THE_AUDIT
from core.audit.configurations import counted_configurations, other_configurations
from core.audit.subject import Subject
from core.audit.verdict import Verdict


def audit_method(subject: Subject) -> Iterator[Verdict]:
    """What every check says, up to one that ends an audit, and then what fails in other configurations."""
    for check in CHECKS:
        found = check(subject)
        yield found
        if check in ENDS_THE_AUDIT and found.verdict == "fail":
            return
    if subject.condition == "leak-free":
        yield from configurations(subject)


def configurations(subject: Subject) -> Iterator[Verdict]:
    """What fails in a configuration, and the line that counts them."""
    found = []
    for one in other_configurations(subject):
        taken, verdict = one.tried()
        if not taken:
            continue
        found.append(verdict)
        if verdict:
            yield verdict
    yield counted_configurations(subject, found)
