"""Numbers that strict JSON does not have: there and back."""

from __future__ import annotations

import math
from typing import Any

INFINITY = "Infinity"  # strict JSON has no infinite numbers


def plain(value: Any) -> Any:
    """Return JSON values without NaN and infinity."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        if math.isnan(value):
            return None
        return INFINITY if value > 0 else f"-{INFINITY}"
    return value


def floats(value: Any) -> Any:
    """Undo `plain` where only numbers can be."""
    if isinstance(value, dict):
        return {key: floats(entry) for key, entry in value.items()}
    return math.nan if value is None else float(value)
