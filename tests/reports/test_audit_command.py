"""An audit that loses a process says whose it was, and goes on with the others."""

import os

import pytest

from core.audit.portions import Answer, Asked, Portion, audit_portion
from core.progress import Silent
from core.workers import Begin
from reports.audit import command

pytestmark = pytest.mark.slow


def dies_with_gram(item: tuple[Asked, Portion], begin: Begin) -> list[tuple[int, Answer]]:
    asked, portion = item
    if asked.name == "gram":
        begin(portion.name)
        os._exit(7)
    return audit_portion(item, begin)


def test_a_process_that_dies_is_one_line_with_the_name_of_the_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "audit_portion", dies_with_gram)
    monkeypatch.setattr(command, "default_workers", lambda items: 2)
    found = command.audited(
        ["gram", "triangle"],
        ["released"],
        every_method=False,
        size=20,
        seeds=1,
        settings={},
        progress=Silent(),
    )
    (error,) = found.errors
    assert str(error) == "gram: a process of the audit crashed (exit code 7) at its checks"
    assert {verdict.method for verdict in found.verdicts} == {"triangle"}
