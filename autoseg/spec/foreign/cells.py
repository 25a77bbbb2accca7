"""Texts in tables that spreadsheets open."""

from __future__ import annotations

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins so is computed


def text_cell(text: object) -> str:
    """Return a name as it stands in a table, with an apostrophe before a formula.

    Examples
    --------
    >>> text_cell("=HYPERLINK(1)")
    "'=HYPERLINK(1)"
    >>> text_cell("liver")
    'liver'
    """
    said = str(text)
    return f"'{said}" if said.startswith(FORMULA) else said
