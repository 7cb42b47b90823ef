"""Many more kinds of leaks: each is found; and clean methods that look odd: none is accused."""

import pytest

from core.audit.subject import Subject
from core.audit.verdict import Verdict
from tests.core.audit import planted_elsewhere, planted_odd, planted_positions
from tests.core.audit.one_process import audit_method
from tests.core.audit.planted import Clean

pytestmark = pytest.mark.slow

LEAKS = (*planted_positions.LEAKS, *planted_elsewhere.LEAKS)


def failures(method: type[Clean]) -> list[Verdict]:
    """As far as the first, which is enough."""
    verdicts = audit_method(Subject(method, "leak-free", size=60, seeds=1))
    first = next((verdict for verdict in verdicts if verdict.verdict == "fail"), None)
    return [first] if first else []


@pytest.mark.parametrize("method", LEAKS, ids=lambda method: method.__name__)
def test_a_leak_of_any_kind_is_found(method: type[Clean]) -> None:
    (found,) = failures(method)
    assert found.check.partition(" [")[0] not in ("contract", "device", "selection")
    assert found.meaning.endswith(".")


@pytest.mark.parametrize("method", planted_odd.ODD, ids=lambda method: method.__name__)
def test_what_looks_odd_and_is_clean_passes(method: type[Clean]) -> None:
    assert failures(method) == []
