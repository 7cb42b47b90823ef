"""The one exception type for everything a user can fix."""

from collections.abc import Iterable
from difflib import get_close_matches

NAMES_LISTED = 12
"""Known names that fit into one line."""
NEAREST = 3
"""Near names that are offered."""
NEAR = 0.6
FAR = 0.55
"""How much of two near names is the same, as difflib counts it; and where nothing is as near."""


class BenchError(Exception):
    """A mistake a user can fix: one line that names the file or value and the remedy.

    The command line prints the line and exits with code 2; any other exception is a defect.
    """


def unknown_name(kind: str, name: str, known: Iterable[str], where: str = "") -> BenchError:
    """The error for a name that is not one of `known`, with the nearest right ones.

    A path is said not to exist. All known names are listed where they are few; else `where` is the command
    that lists them.

    >>> str(unknown_name("method", "gaidd", ["gaid", "tmass"]))
    "unknown method 'gaidd'; did you mean 'gaid'? Known: gaid, tmass"
    >>> str(unknown_name("key", "epoch", [*(f"k{i}" for i in range(80)), "epochs"], "bench methods --keys"))
    "unknown key 'epoch'; did you mean 'epochs'? See: bench methods --keys"
    """
    if set(name) & set("/\\"):
        return BenchError(f"{kind} {name}: no such file or folder")
    names = sorted(set(known))
    near = nearest(name, names)
    few = len(names) <= NAMES_LISTED
    rest = f"known: {', '.join(names)}" if few else f"see: {where}" if where else f"{len(names)} are known"
    if near:
        rest = f"did you mean {' or '.join(map(repr, near))}? {rest[0].upper()}{rest[1:]}"
    return BenchError(f"unknown {kind} '{name}'; {rest}")


def nearest(name: str, names: Iterable[str]) -> list[str]:
    """The known names that a mistyped one may stand for, the best first; case does not matter.

    A name that `name` is a part of counts as near, as does one whose last part, behind dots, is near; where
    none is very near, also one of whose parts between hyphens one is, and one that is less near.

    >>> nearest("bst", ["last", "val", "test-best"]), nearest("foo", ["xpool"])
    (['test-best', 'last'], [])
    """
    wanted = name.casefold()
    by_form: dict[str, str] = {}
    by_part: dict[str, str] = {}
    for known in names:
        for form in (known, known.rpartition(".")[2]):
            by_form.setdefault(form.casefold(), known)
        for part in known.split("-"):
            by_part.setdefault(part.casefold(), known)
    close = [by_form[form] for form in get_close_matches(wanted, by_form, n=1, cutoff=NEAR)]
    inside = [by_form[form] for form in by_form if len(wanted) > 2 and wanted in form]
    parts = [by_part[part] for part in get_close_matches(wanted, by_part, n=1, cutoff=NEAR)]
    far = [by_form[form] for form in get_close_matches(wanted, by_form, n=1, cutoff=FAR)]
    return list(dict.fromkeys((*(close or (*parts, *far)), *inside)))[:NEAREST]
