"""The audit finds what is planted, accuses nothing that is clean, and blames a plug-in's code in one line."""

import pytest
import torch

from core.audit.canary import noise_canary
from core.audit.checks import CHECKS
from core.audit.contract import contract
from core.audit.pairing import pairing
from core.audit.sound import audio
from core.audit.subject import Subject
from core.audit.verdict import Verdict
from core.method import Method
from core.plugin_errors import PluginError
from tests.core.audit.one_process import audit_method, configurations
from tests.core.audit.planted import LEAKS, InAPart
from tests.core.audit.planted_defects import BROKEN_CONTRACTS, RAISING, SOUND
from tests.core.audit.planted_odd import FrozenTable


def subject(method: type[Method], **settings: object) -> Subject:
    return Subject(method, "leak-free", size=60, seeds=1, settings=settings)


def verdict_of(method: type[Method], check: str) -> Verdict:
    one = subject(method)
    if "[" in check:
        return next(verdict for verdict in configurations(one) if verdict.check == check)
    return next(c(one) for c in CHECKS if c.__name__.replace("_", " ") == check)


@pytest.mark.parametrize("method", LEAKS, ids=lambda method: method.__name__)
def test_a_leak_is_found_and_said_where(method: type[Method]) -> None:
    verdict = verdict_of(method, LEAKS[method])
    assert verdict.verdict == "fail"
    assert "`score`" in verdict.meaning or "`index`" in verdict.meaning or "`noise`" in verdict.meaning


@pytest.mark.parametrize("method", SOUND, ids=lambda method: method.__name__)
def test_what_is_wrong_with_hearing_is_told_apart(method: type[Method]) -> None:
    verdict = audio(subject(method))
    assert verdict.verdict == "fail"
    assert SOUND[method] in verdict.meaning


@pytest.mark.parametrize("method", BROKEN_CONTRACTS, ids=lambda method: method.__name__)
def test_a_broken_contract_is_named_first_and_nothing_else_is_asked(method: type[Method]) -> None:
    (verdict,) = audit_method(subject(method))
    assert (verdict.check, verdict.verdict) == ("contract", "fail")
    assert BROKEN_CONTRACTS[method] in verdict.figure


@pytest.mark.parametrize("method", RAISING, ids=lambda method: method.__name__)
def test_what_a_plug_in_raises_is_one_line_with_its_place(method: type[Method]) -> None:
    with pytest.raises(PluginError) as error:
        list(audit_method(subject(method)))
    line = str(error.value)
    assert line.startswith("planted: ")
    assert "\n" not in line
    assert all(word in line for word in (*RAISING[method], "--traceback"))
    assert error.value.__cause__ is not None


def test_a_setting_is_audited_as_it_is_set() -> None:
    leaky = subject(InAPart, leaky=True)
    assert pairing(leaky).verdict == noise_canary(leaky).verdict == "fail"
    assert contract(subject(InAPart, leaky=False)).verdict == "pass"


def test_training_moves_only_what_trains() -> None:
    one = subject(FrozenTable)
    fresh, trained = one.untrained().state_dict(), one.practice.method.state_dict()
    assert torch.equal(fresh["scales"], trained["scales"])
    assert not torch.equal(fresh["hear.weight"], trained["hear.weight"])
