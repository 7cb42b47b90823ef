"""Processes that share an audit say together what one process says."""

from dataclasses import dataclass

import pytest

from core.audit.checks import CHECKS
from core.audit.portions import Answer, Asked, answers, portions, put_together
from core.audit.subject import Subject
from core.errors import BenchError
from core.method import Method
from tests.core.audit.one_process import audit_method
from tests.core.audit.planted import Clean, InAPart
from tests.core.audit.planted_defects import BROKEN_CONTRACTS, RAISING

pytestmark = pytest.mark.slow

EVERY = (InAPart, next(iter(BROKEN_CONTRACTS)), next(iter(RAISING)))


@dataclass(frozen=True)
class Planted(Asked):
    method: type[Method] = Clean

    def subject(self) -> Subject:
        return Subject(self.method, self.condition, self.size, self.seeds, self.settings)


def asked(method: type[Method], condition: str = "leak-free") -> Planted:
    return Planted("planted", condition, 40, 1, {}, method)  # type: ignore[arg-type]


def one_by_one(one: Asked) -> list[Answer]:
    found: list[Answer] = []
    try:
        found += audit_method(one.subject())
    except BenchError as error:
        found.append(error)
    return found


@pytest.mark.parametrize("method", EVERY, ids=lambda method: method.__name__)
def test_portions_in_any_order_say_what_one_process_says(method: type[Method]) -> None:
    one = asked(method)
    found = [at for portion in reversed(portions(one.condition)) for at in answers(one.subject(), portion)]
    assert list(map(repr, put_together(one, found))) == list(map(repr, one_by_one(one)))


@pytest.mark.parametrize("condition", ["leak-free", "released"])
def test_every_place_is_in_one_portion(condition: str) -> None:
    count = len(CHECKS) + (60 if condition == "leak-free" else 0)
    places = [place for portion in portions(condition) for place in portion.places(count)]  # type: ignore[arg-type]
    assert sorted(places) == list(range(count))
