"""Numbers of a configuration: each is lowered by itself, and all are lowered and raised together."""

import pytest

from core.audit.configurations import WIDTHS, other_configurations
from core.audit.subject import Subject
from core.audit.verdict import Verdict
from core.method import Method
from tests.core.audit.planted_numbers import LEAKS, ODD


def failures(method: type[Method]) -> list[Verdict]:
    """Widths left out."""
    every = other_configurations(Subject(method, "leak-free"))[len(WIDTHS) :]
    return [failure for _, failure in (one.tried() for one in every) if failure]


@pytest.mark.parametrize("method", LEAKS, ids=lambda method: method.__name__)
def test_a_leak_of_some_number_is_found_and_the_number_named(method: type[Method]) -> None:
    found = [verdict.check for verdict in failures(method)]
    assert found
    assert all(check.startswith("pairing [") and LEAKS[method] in check for check in found)


@pytest.mark.parametrize("method", ODD, ids=lambda method: method.__name__)
def test_numbers_that_do_not_go_together_are_no_failure(method: type[Method]) -> None:
    assert failures(method) == []
