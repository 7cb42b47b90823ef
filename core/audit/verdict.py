"""What a check found: the record that `bench audit` prints."""

from dataclasses import dataclass
from typing import Literal

Judgement = Literal["pass", "fail", "not applicable"]


@dataclass(frozen=True)
class Verdict:
    """One check of one method, or of one run, under one scoring condition."""

    method: str
    """Name of the method, or of the run's folder."""
    condition: str
    """`leak-free` or `released`."""
    check: str
    """Name of the check."""
    verdict: Judgement
    """`not applicable` where the check has no object, e.g. sound of a method that uses none."""
    figure: str
    """What was measured, with its unit."""
    meaning: str
    """What that says, in one sentence."""

    @property
    def explained(self) -> str:
        """The paragraph of docs/audit.md that explains the check."""
        return f"docs/audit.md#{self.check.partition(' [')[0].replace(' ', '-')}"


def judged(good: bool) -> Judgement:
    """`pass` or `fail`."""
    return "pass" if good else "fail"
