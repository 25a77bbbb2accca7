"""Many small checks in one test, which is handed out once and names all that fail.

A test costs three milliseconds before it does anything, most of it to be handed to
another process and to be told of; hundreds that take one each are better one test.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import traceback
from collections.abc import Callable, Iterable
from typing import Any

import pytest

LONG = 80  # of a value, in the name of what failed


def _words(*row: Any) -> str:
    return ", ".join(getattr(part, "__name__", None) or str(part) for part in row)


def assert_each(
    check: Callable[..., Any], items: Iterable[Any], say: Callable[..., str] = _words
) -> None:
    """Fail unless a check passes for every item; name each that does not, and where.

    Items that a check skips are left out; if it skips all, so does the test.

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
    wrong, left_out = [], []
    for row in rows:
        try:
            check(*row)
        except pytest.skip.Exception as skipped:
            left_out.append(skipped)
        except (Exception, pytest.fail.Exception) as error:
            told = traceback.format_exception(error)
            wrong.append(f"--- {say(*row)}\n{''.join(told)}")
    assert rows, "there is nothing to check"
    if wrong:
        count = f"{len(wrong)} of {len(rows)} are wrong"
        pytest.fail("\n".join([count, *wrong]), pytrace=False)
    if len(left_out) == len(rows):
        raise left_out[0]


def each(
    names: str, values: Iterable[Any], ids: Callable[[Any], Any] | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Call a test with each of some values: `pytest.mark.parametrize`, handed out once.

    Several above each other call it with each combination. For tests that take moments,
    and no fixture that is made for each of them.

    Parameters
    ----------
    names : str
        Of parameters of the test, with commas between them.
    values : iterable
        What they are; tuples, if there are several names.
    ids : callable, optional
        Names a value of which `str` says nothing.
    """
    words = tuple(name.strip() for name in names.split(","))
    rows = [tuple(row) if len(words) > 1 else (row,) for row in values]

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        body, columns = getattr(test, "called_with", (test, []))
        columns = [(words, rows, ids or str), *columns]
        given = [name for column, _, _ in columns for name in column]
        own = inspect.signature(body)

        @functools.wraps(body)
        def whole(**fixtures: Any) -> None:
            def check(*row: Any) -> None:
                body(**fixtures, **dict(zip(given, row, strict=True)))

            def say(*row: Any) -> str:
                ways = [way for column, _, way in columns for _ in column]
                said = zip(given, ways, row, strict=True)
                return ", ".join(
                    f"{name} {str(way(v))[:LONG]}" for name, way, v in said
                )

            parts = itertools.product(*(column for _, column, _ in columns))
            assert_each(check, (sum(row, ()) for row in parts), say)

        left = [p for p in own.parameters.values() if p.name not in given]
        whole.__signature__ = own.replace(parameters=left)  # type: ignore[attr-defined]
        whole.called_with = body, columns  # type: ignore[attr-defined]
        return whole

    return decorate
