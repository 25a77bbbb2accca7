"""Values given as KEY=VALUE."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from autoseg.errors import UsageError

LIST = re.compile(r"\d+(\.\d+)?([x,]\d+(\.\d+)?)+")


def parse_settings(texts: Sequence[str]) -> dict[str, Any]:
    """Return the values in texts such as ``patch_size=[40,56,40]``.

    Parameters
    ----------
    texts : sequence of str
        ``KEY=VALUE``; a value is JSON, a list of numbers such as ``40x56x40`` or
        ``1,0.8,0.8``, or else a text.

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
    if LIST.fullmatch(text):
        text = f"[{text.replace('x', ',')}]"
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
