"""Tables for notebooks: what ``_repr_html_`` of plans, summaries and problems gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

MOST_ROWS = 60


def html_table(
    title: str, headings: Sequence[str], rows: Iterable[Sequence[Any]]
) -> str:
    """Return a table; everything in it is escaped.

    Parameters
    ----------
    title : str
        Stands over it.
    headings : sequence of str
        Of the columns.
    rows : iterable of sequence
        Cells; of more than `MOST_ROWS` rows, the first.

    Examples
    --------
    >>> html_table("a<b", ["x"], [[1], [None]])
    '<b>a&lt;b</b><table><tr><th>x</th></tr><tr><td>1</td></tr><tr><td></td></tr></table>'
    """
    listed = list(rows)
    lines = [_row("th", headings)]
    lines += [_row("td", row) for row in listed[:MOST_ROWS]]
    more = len(listed) - MOST_ROWS
    foot = f"<i>and {more} more</i>" if more > 0 else ""
    return f"<b>{escape(title)}</b><table>{''.join(lines)}</table>{foot}"


def _row(tag: str, cells: Iterable[Any]) -> str:
    texts = ("" if cell is None else escape(str(cell)) for cell in cells)
    return "<tr>" + "".join(f"<{tag}>{text}</{tag}>" for text in texts) + "</tr>"
