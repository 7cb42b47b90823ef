"""Names as people write them: in any case, with or without hyphens, and methods by the title in a table."""

import ast
from collections.abc import Iterable, Mapping

from core.plugins import METHODS, in_their_case, sources_of


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
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue
        for node in tree.body:
            texts = texts_in(node.body) if isinstance(node, ast.ClassDef) else {}
            if "name" in texts and "title" in texts:
                found[texts["name"]] = texts["title"]
    return found


def texts_in(body: Iterable[ast.stmt]) -> dict[str, str]:
    """The texts that the statements of a class assign, by the name that they are assigned to."""
    found: dict[str, str] = {}
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            found |= {target.id: value.value for target in targets if isinstance(target, ast.Name)}
    return found
