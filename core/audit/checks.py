"""Every check of a method, in the order in which they are printed."""

from collections.abc import Callable, Sequence

from core.audit.canary import noise_canary
from core.audit.determinism import determinism
from core.audit.honesty import index_honesty
from core.audit.pairing import pairing
from core.audit.selection import selection
from core.audit.sound import audio
from core.audit.subject import Subject
from core.audit.ties import ties
from core.audit.transduction import test_set_statistics
from core.audit.verdict import Verdict

CHECKS: Sequence[Callable[[Subject], Verdict]] = (
    noise_canary,
    pairing,
    index_honesty,
    test_set_statistics,
    ties,
    selection,
    audio,
    determinism,
)
"""Each says what it found about a method under a condition."""
