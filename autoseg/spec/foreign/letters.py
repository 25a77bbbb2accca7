"""Names with the same letters in other codes: é is one character, or e with an accent.

Some systems write names of files composed (NFC), others decomposed (NFD), and people
type them composed; nobody sees a difference. https://unicode.org/reports/tr15
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar
from unicodedata import is_normalized, normalize

Value = TypeVar("Value")


def composed(name: str) -> str:
    """Return a name with each letter in as few codes as can be.

    Examples
    --------
    >>> len("e\\u0301"), len(composed("e\\u0301"))
    (2, 1)
    """
    return name if name.isascii() else normalize("NFC", name)


def as_known(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return names in the codes that known names have.

    Parameters
    ----------
    names : iterable of str
        From somewhere.
    known : iterable of str
        Names as they count.

    Returns
    -------
    list of str
        A name that is nobody's, or itself a known one, stays.

    Examples
    --------
    >>> as_known(["e\\u0301", "b"], ["\\u00e9", "c"]) == ["\\u00e9", "b"]
    True
    """
    given = list(names)
    if all(map(str.isascii, given)):
        return given
    there = list(known)
    table = {composed(name): name for name in there} | {name: name for name in there}
    return [table.get(name, table.get(composed(name), name)) for name in given]


def by_known_names(
    found: Mapping[str, Value], known: Iterable[str]
) -> dict[str, Value]:
    """Return what is there by names, in the codes that known names have; see above."""
    return dict(zip(as_known(found, known), found.values(), strict=True))


def in_form_of(names: Iterable[str], others: Iterable[str]) -> list[str]:
    """Return names composed or decomposed, as all of some others are.

    Parameters
    ----------
    names : iterable of str
        With anything behind what they have in common with the others.
    others : iterable of str
        Names as they count.

    Returns
    -------
    list of str
        As they are, where that would make two of them the same, or the others differ.
    """
    given, there = list(names), list(others)
    if all(map(str.isascii, given)):
        return given
    for form in ("NFC", "NFD"):
        if all(is_normalized(form, other) for other in there):
            found = [normalize(form, name) for name in given]
            return found if len(set(found)) == len(given) else given
    return as_known(given, there)
