"""Small square charts as SVG text inside a page: histograms, reliability, scatter.

Colors are the page's own variables, so that they turn with it to dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 340, 300  # pixels
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 44
BARS_WIDTH, BARS_HEIGHT = 1060, 190
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
DOT = 2.4

Pair = tuple[float, float]


def histogram(
    start: float, width: float, shares: Sequence[float], caption: str, color: str
) -> str:
    """Return bars of equal width with an axis below.

    Parameters
    ----------
    start, width : float
        Lower end of the first bar, and width of each.
    shares : sequence of float
        Heights.
    caption : str
        What the axis is, and what those read out who cannot see it.
    color : str
        Of the bars.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    plot, high = BARS_WIDTH - 24.0, BARS_HEIGHT - 50.0
    each = plot / len(shares)
    most = max([*shares, 1e-12])
    parts = [_open(BARS_WIDTH, BARS_HEIGHT, caption)]
    for number, share in enumerate(shares):
        tall = high * share / most
        first = start + number * width
        said = f"{first:.4g} to {first + width:.4g}: {100 * share:.2g} %"
        parts.append(
            f'<rect x="{12 + number * each:.1f}" y="{8 + high - tall:.1f}" '
            f'width="{max(each - 1, 0.5):.1f}" height="{tall:.1f}" rx="1" '
            f'fill="{color}" fill-opacity="0.75"><title>{escape(said)}</title></rect>'
        )
    base = 8 + high
    parts.append(_line(12, base, 12 + plot, base, "quiet"))
    for tick in round_ticks(start, start + width * len(shares), 8):
        x = 12 + plot * (tick - start) / (width * len(shares))
        parts.append(_line(x, base, x, base + 4, "quiet"))
        parts.append(_text(x, base + 18, f"{tick:g}", "middle"))
    parts.append(_text(12 + plot / 2, BARS_HEIGHT - 6, caption, "middle"))
    return "".join([*parts, "</svg>"])


def reliability(
    bins: Sequence[tuple[float, float, float]], color: str, across: str, up: str
) -> str:
    """Return a reliability curve: what was said, what came true, and the diagonal.

    Parameters
    ----------
    bins : sequence of (float, float, float)
        What was said, what came true (both 0 to 1), and the share of everything: the
        area of the dot.
    color : str
        Of curve and dots.
    across, up : str
        Names of the axes.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    frame = _Frame((0.0, 1.0), (0.0, 1.0), f"{up} by {across}")
    parts = frame.axes(across, up, TICKS, TICKS)
    parts.append(frame.line([(0, 0), (1, 1)], "var(--quiet)", 1.2, dashed=True))
    parts.append(frame.line([(said, seen) for said, seen, _ in bins], color, 2))
    for said, seen, share in bins:
        text = f"{said:.0%} said, {seen:.0%} came true; {share:.1%} of everything"
        radius = 2.5 + 4.5 * math.sqrt(share)  # no wider than to the axes' numbers
        parts.append(frame.dot((said, seen), color, text, radius, 0.75))
    return frame.close(parts)


def scatter(
    pairs: Sequence[Pair],
    curve: Sequence[Pair],
    color: str,
    across: str,
    up: str,
    *,
    logarithmic: bool = False,
    diagonal: bool = True,
) -> str:
    """Return a scatter chart with a curve through it.

    Parameters
    ----------
    pairs : sequence of (float, float)
        A pale dot each.
    curve : sequence of (float, float)
        Drawn over them; may be empty.
    color : str
        Of everything.
    across, up : str
        Names of the axes.
    logarithmic : bool
        Draw both axes in powers of ten; else both go from 0 to 1.
    diagonal : bool
        Draw where both are equal.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    ticks: Sequence[float] = TICKS
    ends = (0.0, 1.0)
    if logarithmic:
        known = sorted(v for pair in [*pairs, *curve] for v in pair if v > 0)
        if not known:
            known = [0.1, 1.0]
        # A few tiny errors must not take the half of the chart.
        low = math.log10(max(known[len(known) // 50], known[-1] / 1e4))
        ends = (math.floor(low * 3) / 3, math.ceil(math.log10(known[-1]) * 3) / 3)
        ends = ends if ends[1] > ends[0] else (ends[0] - 0.5, ends[0] + 0.5)
        ticks = _log_ticks(*ends)
    frame = _Frame(ends, ends, f"{up} by {across}", logarithmic)
    parts = frame.axes(across, up, ticks, ticks)
    if diagonal:
        both = [10**end if logarithmic else end for end in ends]
        parts.append(
            frame.line([(e, e) for e in both], "var(--quiet)", 1.2, dashed=True)
        )
    parts += [frame.dot(pair, color, "", DOT, 0.28) for pair in pairs]
    if curve:
        parts.append(frame.line(curve, "var(--ink)", 2))
        parts += [
            frame.dot(p, "var(--ink)", f"{p[0]:.3g}: {p[1]:.3g}", 3.6, 1) for p in curve
        ]
    return frame.close(parts)


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A named dot with an interval upward.

    Parameters
    ----------
    across, up, low, high : float
        Where it is, and the ends of its interval; NaN: none.
    name, color : str
        What it is called and drawn in.
    """

    across: float
    up: float
    low: float = math.nan
    high: float = math.nan
    name: str
    color: str


def tradeoff(marks: Sequence[Mark], across: str, up: str) -> str:
    """Return what was reached over what it cost; the axis of costs begins at 0.

    Parameters
    ----------
    marks : sequence of Mark
        At least one.
    across, up : str
        Names of the axes.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    most = max(mark.across for mark in marks) * 1.15 or 1.0
    heights = [v for m in marks for v in (m.up, m.low, m.high) if math.isfinite(v)]
    low, high = min(heights, default=0.0), max(heights, default=1.0)
    room = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    ends = (low - room, high + room)
    frame = _Frame((0.0, most), ends, f"{up} over {across}")
    parts = frame.axes(across, up, round_ticks(0.0, most, 4), round_ticks(*ends, 4))
    for mark in marks:
        if not math.isfinite(mark.up):
            continue
        if math.isfinite(mark.low) and math.isfinite(mark.high):
            interval = [(mark.across, mark.low), (mark.across, mark.high)]
            parts.append(frame.line(interval, mark.color, 2))
        said = f"{mark.name}: {mark.up:.3g}, {across} {mark.across:.3g}"
        parts.append(frame.dot((mark.across, mark.up), mark.color, said, 5, 1))
        x, y = frame.at((mark.across, mark.up))
        right = x > (LEFT + WIDTH) / 2
        place = x - 9 if right else x + 9
        parts.append(_text(place, y - 6, mark.name, "end" if right else "start"))
    return frame.close(parts)


class _Frame:
    """The square that a chart is drawn into."""

    def __init__(
        self, across: Pair, up: Pair, caption: str, logarithmic: bool = False
    ) -> None:
        self._across, self._up, self._caption = across, up, caption
        self._log = logarithmic

    def at(self, pair: Pair) -> Pair:
        """Return where in the picture a value is; outside ones lie on the edge."""
        shares = []
        for value, (low, high) in zip(pair, (self._across, self._up), strict=True):
            if self._log:
                value = math.log10(value) if value > 0 else low
            shares.append(min(max((value - low) / (high - low), 0.0), 1.0))
        x = LEFT + shares[0] * (WIDTH - LEFT - RIGHT)
        return x, HEIGHT - BOTTOM - shares[1] * (HEIGHT - TOP - BOTTOM)

    def axes(
        self, across: str, up: str, along: Sequence[float], upward: Sequence[float]
    ) -> list[str]:
        """Return grid, numbers and names."""
        low = [10**v if self._log else v for v in (self._across[0], self._up[0])]
        high = [10**v if self._log else v for v in (self._across[1], self._up[1])]
        parts = [_open(WIDTH, HEIGHT, self._caption, "square")]
        for tick in along:
            x, y = self.at((tick, low[1]))
            parts.append(_line(x, y, x, self.at((tick, high[1]))[1], "line"))
            parts.append(_text(x, y + 16, f"{tick:g}", "middle"))
        for tick in upward:
            x, y = self.at((low[0], tick))
            parts.append(_line(x, y, self.at((high[0], tick))[0], y, "line"))
            parts.append(_text(x - 7, y + 4, f"{tick:g}", "end"))
        middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
        parts.append(_text(middle, HEIGHT - 6, across, "middle"))
        y = TOP + (HEIGHT - TOP - BOTTOM) / 2
        parts.append(
            f'<text x="12" y="{y:.1f}" text-anchor="middle" fill="var(--quiet)" '
            f'transform="rotate(-90 12 {y:.1f})">{escape(up)}</text>'
        )
        return parts

    def line(
        self, pairs: Sequence[Pair], color: str, width: float, dashed: bool = False
    ) -> str:
        """Return a line through values."""
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(self.at, pairs))
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        return (
            f'<polyline points="{points}" fill="none" stroke="{color}" '
            f'stroke-width="{width}" stroke-linejoin="round"{dashes}/>'
        )

    def dot(
        self, pair: Pair, color: str, said: str, radius: float, opacity: float
    ) -> str:
        """Return a dot, with words for when it is pointed at."""
        x, y = self.at(pair)
        title = f"<title>{escape(said)}</title>" if said else ""
        return (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{color}" '
            f'fill-opacity="{opacity:g}">{title}</circle>'
        )

    @staticmethod
    def close(parts: Sequence[str]) -> str:
        """Return the whole element."""
        return "".join([*parts, "</svg>"])


def _open(width: int, height: int, caption: str, kind: str = "") -> str:
    return (
        f'<svg class="chart {kind}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(caption)}">'
    )


def _line(x0: float, y0: float, x1: float, y1: float, color: str) -> str:
    return (
        f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" '
        f'stroke="var(--{color})"/>'
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
        f'fill="var(--quiet)">{escape(text)}</text>'
    )


def round_ticks(low: float, high: float, about: int) -> list[float]:
    """Return about so many round numbers between two ends.

    Examples
    --------
    >>> round_ticks(3.0, 41.0, 4)
    [10.0, 20.0, 30.0, 40.0]
    """
    length = (high - low) / about
    power = 10.0 ** math.floor(math.log10(length))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= length * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    steps = (1, 3) if high - low < 3 else (1,)
    found = [
        step * 10.0**power
        for power in range(math.floor(low), math.ceil(high) + 1)
        for step in steps
    ]
    return [v for v in found if low - 1e-9 <= math.log10(v) <= high + 1e-9]
