"""Values given as KEY=VALUE: one grammar for every command that has ``--set``.

Which keys there are is in `autoseg.spec.settings.keys`.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from typing import Any

from autoseg.errors import UsageError

NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
ROW = rf"{NUMBER}(?:x{NUMBER})*"
LIST = re.compile(rf"{NUMBER}(?:x{NUMBER})+|{ROW}(?:,{ROW})+,?|{ROW},")
WORDS = {"true": True, "false": False, "null": None}


def add_settings(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup, help: str
) -> None:
    """Declare ``--set``; `parse_settings` reads what it gives."""
    parser.add_argument(
        "--set",
        dest="settings",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help=f"{help}. A value is a number, a list such as 32x32x32, 8,16 or [8,16], "
        "true or false, any JSON, or a text",
    )


def parse_settings(texts: Sequence[str]) -> dict[str, Any]:
    """Return the values in texts such as ``patch_size=[40,56,40]``.

    Parameters
    ----------
    texts : sequence of str
        ``KEY=VALUE``; a value is JSON, true, false or null in any case, a list of
        numbers such as ``40x56x40`` or ``1,0.8,0.8``, a list of such lists as in
        ``1x1,2x2``, or else a text.

    Returns
    -------
    dict of str to JSON value
        By key.

    Raises
    ------
    UsageError
        If a text has no ``=``, or a key is given twice.

    Examples
    --------
    >>> parse_settings(["patch_size=40x56x40", "network=residual_unet"])
    {'patch_size': [40, 56, 40], 'network': 'residual_unet'}
    """
    settings: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {text!r}: write KEY=VALUE.")
        if key in settings:
            raise UsageError(f"--set gives {key} twice.")
        settings[key] = _value(value)
    return settings


def _value(text: str) -> Any:
    text = text.strip()
    if text.casefold() in WORDS:
        return WORDS[text.casefold()]
    packed = re.sub(r"\s*([x,])\s*", r"\1", text)
    if LIST.fullmatch(packed):
        rows = packed.rstrip(",").split(",")
        if len(rows) == 1 and "x" in packed and not packed.endswith(","):
            return _numbers(packed)
        return [_numbers(row) if "x" in row else _number(row) for row in rows]
    try:
        return json.loads(text)
    except ValueError:
        return text


def _numbers(row: str) -> list[int | float]:
    return [_number(one) for one in row.split("x")]


def _number(text: str) -> int | float:
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
