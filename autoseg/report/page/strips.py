"""Small charts as SVG text inside a page: they stay sharp and tell names on hover."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from autoseg.figures.figure import PALETTE

WIDTH, LABELS, NUMBERS, ROW = 1060, 190, 150, 34  # pixels
TICKS = 5
DOT = 4.2
# Variables of the page: they turn with it to dark.
INK, QUIET_INK, GRID = "var(--ink)", "var(--quiet)", "var(--line)"


@dataclass(frozen=True, kw_only=True)
class Strip:
    """One row of a strip chart.

    Parameters
    ----------
    label : str
        Stands left of it.
    points : sequence of (float, str)
        Values with what is said when one is pointed at; NaN and infinite ones are left
        out.
    mean, low, high : float
        What is drawn through the middle, with its interval.
    text : str
        Stands right of it.
    color : str
        Of the dots.
    """

    label: str
    points: Sequence[tuple[float, str]] = ()
    mean: float = math.nan
    low: float = math.nan
    high: float = math.nan
    text: str = ""
    color: str = PALETTE[6]


def strips(
    rows: Sequence[Strip],
    caption: str,
    *,
    ends: tuple[float, float] | None = None,
    mark: float | None = None,
) -> str:
    """Return a chart with a dot for each value and a bar for each mean's interval.

    Parameters
    ----------
    rows : sequence of Strip
        From top to bottom.
    caption : str
        What the axis is, and what those read out who cannot see it.
    ends : tuple of float, optional
        Of the axis; by default what is there, rounded outward.
    mark : float, optional
        A value to draw a line at, such as 0 for differences.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    left, right = ends or _ends(rows, mark)
    plot = WIDTH - LABELS - NUMBERS

    def at(value: float) -> float:
        share = (value - left) / (right - left)
        return LABELS + plot * min(max(share, 0.0), 1.0)

    height = ROW * len(rows) + 44
    parts = [
        f'<svg class="strips" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(caption)}">'
    ]
    for tick in _ticks(left, right):
        x = at(tick)
        parts.append(_line(x, 4, x, height - 38, GRID, 1))
        text = f"{tick:g}"
        parts.append(_text(x, height - 23, text, anchor="middle", color=QUIET_INK))
    if mark is not None:
        parts.append(_line(at(mark), 4, at(mark), height - 38, QUIET_INK, 1.4))
    middle = LABELS + plot / 2
    parts.append(_text(middle, height - 6, caption, anchor="middle", color=QUIET_INK))
    for number, row in enumerate(rows):
        parts += _strip(row, 4 + ROW * (number + 0.5), at)
    return "".join([*parts, "</svg>"])


def _strip(row: Strip, y: float, at: Callable[[float], float]) -> list[str]:
    label = row.label if len(row.label) <= 26 else f"{row.label[:25]}…"
    parts = [_text(LABELS - 12, y + 4, label, anchor="end", color=INK)]
    known = [(value, name) for value, name in row.points if math.isfinite(value)]
    for number, (value, name) in enumerate(known):
        # Dots that would hide each other are spread a little, always the same way.
        offset = ((number * 0.618034) % 1 - 0.5) * 0.5 * ROW
        parts.append(
            f'<circle cx="{at(value):.1f}" cy="{y + offset:.1f}" r="{DOT}" '
            f'fill="{row.color}" fill-opacity="0.45">'
            f"<title>{escape(name)}</title></circle>"
        )
    if math.isfinite(row.low) and math.isfinite(row.high):
        parts.append(_line(at(row.low), y, at(row.high), y, INK, 3))
    if math.isfinite(row.mean):
        x = at(row.mean)
        parts.append(_line(x, y - 9, x, y + 9, INK, 3))
    if row.text:
        parts.append(_text(WIDTH - NUMBERS + 14, y + 4, row.text, color=INK))
    return parts


def _line(x0: float, y0: float, x1: float, y1: float, color: str, width: float) -> str:
    return (
        f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" '
        f'stroke="{color}" stroke-width="{width}" stroke-linecap="round"/>'
    )


def _text(x: float, y: float, text: str, *, color: str, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}">'
        f"{escape(text)}</text>"
    )


def _ends(rows: Sequence[Strip], mark: float | None) -> tuple[float, float]:
    """Return round numbers around all finite values."""
    values = [value for row in rows for value, _ in row.points]
    values += [value for row in rows for value in (row.mean, row.low, row.high)]
    values += [] if mark is None else [mark]
    known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    step = _step(high - low or abs(high) or 1.0)
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    return (low, high) if high > low else (low - step, high + step)


def _step(length: float) -> float:
    """Return 1, 2 or 5 times a power of ten: about a fifth of a length."""
    power = 10.0 ** math.floor(math.log10(length / TICKS))
    return next(s * power for s in (1, 2, 5, 10) if s * power >= length / TICKS * 0.999)


def _ticks(left: float, right: float) -> list[float]:
    step = _step(right - left)
    first = math.ceil(left / step - 1e-9)
    last = math.floor(right / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]
