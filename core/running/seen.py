"""Whether what is scored is in what its model has been trained on, as far as that is declared.

A figure on videos that a backbone has learned from is no figure on new videos. Encoders declare their
training data in words (`EncoderEntry.trained_on`), a run that is scored elsewhere names its data set.
"""

import re

from core.encoders.entry import EncoderKind, training_set
from core.running.models import hears
from core.spec import RunSpec

SEEN = "test set in training data"
"""The key of a result's protocol that says so."""


def declared_seen(spec: RunSpec) -> str:
    """Which training data declares that it holds a scored split, in words; empty where none does."""
    encoders: list[tuple[EncoderKind, str]] = [("backbone", spec.backbone)]
    if hears(spec):
        encoders.append(("audio encoder", spec.audio_encoder))
    found = [
        f"{kind} {name} was trained on {said}"
        for kind, name in encoders
        if (said := training_set(kind, name)) and any(declares(said, spec.dataset, s) for s in scored(spec))
    ]
    if spec.trained_on == spec.dataset and "train" in scored(spec):
        found.append("the run was trained on this split")
    return "; ".join(found)


def scored(spec: RunSpec) -> tuple[str, ...]:
    """The splits that a cell scores."""
    return spec.evaluation.splits


def declares(said: str, dataset: str, split: str) -> bool:
    """Whether a declaration of training data names a data set, and no other split of it than the scored one.

    >>> declares("WebVid-2.5M and MSR-VTT", "msrvtt", "test"), declares("LSMDC (train)", "lsmdc", "test")
    (True, False)
    """
    # "LSMDC, training split" is one part, "LSMDC, MSR-VTT" are two
    for part in re.split(r";| and |,(?!\s*(?:the )?(?:train|val|test))", said):
        words = plain(part)
        # names are written with and without hyphens: MSR-VTT and msrvtt are one
        if re.search(rf"\b{' ?'.join(plain(dataset).replace(' ', ''))}\b", words):
            named = re.search(r"\b(train|training|val|validation|test)\b", words)
            if named is None or named[1].startswith(split[:3]):
                return True
    return False


def plain(text: str) -> str:
    """Letters and digits in lower case, everything else as single blanks."""
    return " ".join(re.findall(r"[a-z0-9]+", text.casefold()))
