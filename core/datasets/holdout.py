"""Which training videos validate, where a data set has no validation part of its own.

Nothing is drawn at random: the videos stand in the order of the SHA-256 of the data set's name and their
source, and the first ones are taken. Clips that were cut from one source (a YouTube film) stay together,
and a video goes with all its captions.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256


def held_out(
    videos: Sequence[str], share: float, name: str, source: Mapping[str, str] | None = None
) -> frozenset[str]:
    """At least `share` of the videos, whole sources of them; `source` names the source of those it knows.

    A video that it does not know is a source of its own. A share of 0 takes none.
    """
    known = source or {}
    members: dict[str, list[str]] = {}
    for video in videos:
        members.setdefault(known.get(video, video), []).append(video)
    taken: list[str] = []
    for key in sorted(members, key=lambda key: sha256(f"{name}\n{key}".encode()).digest()):
        if len(taken) >= share * len(videos):
            break
        taken += members[key]
    return frozenset(taken)
