"""The released conditions in the audit: T-MASS and GAID fail where the specification of their leak says."""

import re

import pytest

from core.audit.canary import noise_canary
from core.audit.pairing import pairing
from core.audit.sound import audio
from core.audit.subject import Subject
from core.audit.ties import ties
from core.audit.transduction import test_set_statistics as set_statistics
from core.registry import registered_methods

pytestmark = pytest.mark.slow

LEAKING = ("gaid", "tmass")


def released(name: str) -> Subject:
    return Subject(registered_methods()[name], "released", size=200, seeds=1)


@pytest.mark.parametrize("name", LEAKING)
def test_their_canary_dies_at_the_rate_that_was_measured_on_the_authors_code(name: str) -> None:
    """Authors' function, untrained heads, 200 texts and frames of noise: R@1 17.5, 20.5 and 25.0 %."""
    verdict = noise_canary(released(name))
    assert verdict.verdict == "fail"
    for recall in re.findall(r"[tv]2[tv] ([\d.]+)/", verdict.figure.partition("; trained")[0]):
        assert 10 <= float(recall) <= 30


@pytest.mark.parametrize("name", LEAKING)
@pytest.mark.parametrize("check", [pairing, set_statistics, ties], ids=lambda check: check.__name__)
def test_their_scores_know_the_pairing(name: str, check: object) -> None:
    verdict = check(released(name))  # type: ignore[operator]
    assert verdict.verdict == "fail"


@pytest.mark.parametrize("name", ["avigate", "clip4clip", "xpool"])
def test_methods_whose_released_evaluation_is_clean_pass(name: str) -> None:
    assert noise_canary(released(name)).verdict == "pass"
    assert pairing(released(name)).verdict == "pass"


def test_sound_moves_gaid_whose_gate_is_per_frame_at_any_moment_and_avigate_at_none() -> None:
    gaid, avigate = (audio(Subject(registered_methods()[name], "leak-free")) for name in ("gaid", "avigate"))
    assert (gaid.verdict, gaid.meaning) == ("pass", "It hears what sounds, and when it sounds.")
    assert avigate.figure.endswith("shifted 0")  # its resampler has no positions
    assert audio(Subject(registered_methods()["clip4clip"], "leak-free")).verdict == "not applicable"
