"""Every check of a method, in the order in which they are printed."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from core.audit.canary import noise_canary
from core.audit.contract import contract
from core.audit.determinism import determinism
from core.audit.device import device
from core.audit.honesty import index_honesty
from core.audit.identity import identity
from core.audit.pairing import pairing
from core.audit.selection import selection
from core.audit.size import size
from core.audit.sound import audio
from core.audit.subject import Subject
from core.audit.ties import ties
from core.audit.transduction import test_set_statistics
from core.audit.truth import registered_truth
from core.audit.verdict import Verdict

AuditCheck: TypeAlias = Callable[[Subject], Verdict]
CHECKS: Sequence[AuditCheck] = (
    contract,
    determinism,
    noise_canary,
    pairing,
    identity,
    size,
    index_honesty,
    test_set_statistics,
    ties,
    selection,
    audio,
    registered_truth,
    device,
)
"""Each says what it found about a method under a condition."""
ENDS_THE_AUDIT: Sequence[AuditCheck] = (contract, determinism)
"""Where they fail, every other check would fail for the same reason."""
