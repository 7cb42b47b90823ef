"""Names as people write them: in any case, with or without hyphens, and methods by the title in a table."""

import ast
from collections.abc import Iterable, Mapping

from core.plugins import METHODS, assigned, in_their_case, sources_of, syntax_of


def called(name: str, known: Iterable[str], titles: Mapping[str, str] | None = None) -> str:
    """The one of the known names that is meant, by itself or by its title; else the name as it is.

    >>> called("T-Mass", ["tmass", "drl"]), called("drl (wti)", ["tmass", "drl"], {"drl": "DRL (WTI)"})
    ('tmass', 'drl')
    >>> called("no such", ["tmass"])
    'no such'
    """
    names = sorted(known)
    if (own := in_their_case(name, tuple(names))) in names:
        return own
    forms: dict[str, str] = {}
    for other in names:
        title = (titles or {}).get(other, other)
        for form in (other, title, title.partition("(")[0]):
            forms.setdefault(bare(form), other)
    return forms.get(bare(name), name)


def bare(name: str) -> str:
    """The letters and digits of a name, in lower case.

    >>> bare("DRL (WTI)")
    'drlwti'
    """
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def titles_in_sources() -> dict[str, str]:
    """The titles of the methods by name, as far as their sources tell them without being imported."""
    found = {}
    for path in sources_of(METHODS):
        tree = syntax_of(path)
        for node in tree.body if tree else []:
            given = dict(assigned(node.body)) if isinstance(node, ast.ClassDef) else {}
            match given.get("name"), given.get("title"):
                case ast.Constant(value=str(name)), ast.Constant(value=str(title)):
                    found[name] = title
    return found
