"""From content, charts and pictures to one page that needs nothing else."""

from __future__ import annotations

import base64
import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoseg import __version__
from autoseg.evaluate.measures import measure_of
from autoseg.figures.progress import spoken

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
NOTHING = "–"


def render(template: str, **values: Any) -> str:
    """Return a page as HTML with styles, script and pictures inside.

    Parameters
    ----------
    template : str
        A file in ``templates``.
    **values
        What it asks for. Everything is escaped but what the template calls safe.
    """
    return (
        _environment()
        .get_template(template)
        .render(
            style=(TEMPLATES / "style.css").read_text(encoding="utf-8"),
            script=(TEMPLATES / "script.js").read_text(encoding="utf-8"),
            version=__version__,
            **values,
        )
    )


@functools.lru_cache(maxsize=1)
def _environment() -> Environment:
    """Return what templates are compiled in, once for all pages of a process."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "score": score,
        "gain": gain_text,
        "short": short,
        "percent": percent,
        "times": times,
        "duration": duration,
        "heading": lambda name: measure_of(name).heading,
        "of_cases": lambda name: name.removesuffix("_pooled"),
        "better": lambda name: measure_of(name).better,
        "is_length": lambda name: measure_of(name).length,
        "sortable": lambda value: "" if _unknown(value) else value,
    }
    return environment


def data_uri(content: bytes) -> str:
    """Return a PNG or SVG as what an ``img`` element shows without a file."""
    kind = "png" if content.startswith(b"\x89PNG") else "svg+xml"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _unknown(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def score(value: float | None, measure: str) -> str:
    """Return a score as people write it.

    Examples
    --------
    >>> score(0.91234, "dice"), score(1.5, "hd95"), score(-0.04, "volume_error")
    ('0.912', '1.50', '-4.0 %')
    """
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞"
    if measure_of(measure).better == "zero":
        return f"{value:+.1%}".replace("%", " %")
    return f"{value:.2f}" if measure_of(measure).length else f"{value:.3f}"


def gain_text(value: float | None, measure: str) -> str:
    """Return a gain with its sign.

    Examples
    --------
    >>> gain_text(0.01234, "dice"), gain_text(-1.5, "hd95"), gain_text(math.inf, "hd95")
    ('+0.0123', '-1.50', '+∞')
    """
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "+∞" if value > 0 else "-∞"
    return f"{value:+.2f}" if measure_of(measure).length else f"{value:+.4f}"


def short(value: Any) -> str:
    """Return a number with three digits or so, and a thin space for thousands."""
    if _unknown(value):
        return NOTHING
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{round(value):,}".replace(",", "\u2009")
    return f"{value:.3g}"


def percent(value: float | None) -> str:
    """Return a share in percent."""
    if value is None or math.isnan(value):
        return NOTHING
    digits = 0 if value >= 0.1 or value == 0 else 1 if value >= 0.01 else 2
    return f"{100 * value:.{digits}f} %"


def times(values: Sequence[float]) -> str:
    """Return numbers along each axis, such as 35 × 51 × 36."""
    return " × ".join(short(float(value)) for value in values)


def duration(seconds: float | None) -> str:
    """Return a time as a person says it."""
    return NOTHING if seconds is None else spoken(seconds)
