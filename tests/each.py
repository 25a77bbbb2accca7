"""Many small checks in one test, which is handed out once and names all that fail.

A test costs three milliseconds before it does anything, most of it to be handed to
another process and to be told of; hundreds that take one each are better one test.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from typing import Any

import pytest


def _words(*row: Any) -> str:
    return ", ".join(getattr(part, "__name__", None) or str(part) for part in row)


def assert_each(
    check: Callable[..., Any], items: Iterable[Any], say: Callable[..., str] = _words
) -> None:
    """Fail unless a check passes for every item; name each that does not, and where.

    Parameters
    ----------
    check : callable
        Raises for an item that is wrong; it is given what a tuple holds one by one.
    items : iterable
        What is checked; there is at least one.
    say : callable
        Names an item, from the same arguments; by default by ``__name__`` or `str`.
    """
    rows = [item if isinstance(item, tuple) else (item,) for item in items]
    wrong = []
    for row in rows:
        try:
            check(*row)
        except (Exception, pytest.fail.Exception) as error:
            told = traceback.format_exception(error)
            wrong.append(f"--- {say(*row)}\n{''.join(told)}")
    assert rows, "there is nothing to check"
    if wrong:
        count = f"{len(wrong)} of {len(rows)} are wrong"
        pytest.fail("\n".join([count, *wrong]), pytrace=False)
