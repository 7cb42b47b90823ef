"""The one exception type for everything a user can mend."""

from collections.abc import Iterable
from difflib import get_close_matches


class BenchError(Exception):
    """A mistake a user can mend: one line that names the file or value and the mend.

    The command line prints the line and exits with code 2; any other exception is a defect.
    """


def unknown_name(kind: str, name: str, known: Iterable[str]) -> BenchError:
    """The error for a name that is not one of `known`, with the nearest right one.

    >>> str(unknown_name("method", "gaidd", ["gaid", "tmass"]))
    "unknown method 'gaidd'; did you mean 'gaid'? Known: gaid, tmass"
    """
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return BenchError(f"unknown {kind} '{name}'; {hint}Known: {', '.join(names)}")
