"""Units of length: every word that files have for them, and what it is in ours.

Lengths inside are in millimeters, micrometers or, where no size is known, in pixels.
The words are those of ImageJ, OME (https://docs.openmicroscopy.org/ome-model, type
UnitsLength), NIfTI, NRRD, MetaImage, 3D Slicer and UCUM, and what people type.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

UNITS = ("mm", "um", "px")
METERS = {"mm": 1e-3, "um": 1e-6}
PREFIXES = {  # powers of ten of a meter
    "y": -24,
    "z": -21,
    "a": -18,
    "f": -15,
    "p": -12,
    "n": -9,
    "u": -6,
    "m": -3,
    "c": -2,
    "d": -1,
    "": 0,
    "da": 1,
    "h": 2,
    "k": 3,
    "M": 6,
    "G": 9,
    "T": 12,
    "P": 15,
}
NAMED_PREFIXES = {
    "pico": -12,
    "nano": -9,
    "micro": -6,
    "mikro": -6,
    "milli": -3,
    "centi": -2,
    "deci": -1,
    "": 0,
    "deca": 1,
    "hecto": 2,
    "kilo": 3,
}
OTHERS = {  # millimeters
    "inch": 25.4,
    "inches": 25.4,
    "in": 25.4,
    '"': 25.4,
    "[in_i]": 25.4,
    "thou": 0.0254,
    "mil": 0.0254,
    "li": 25.4 / 12,  # a line
    "pt": 25.4 / 72,
    "ft": 304.8,
    "foot": 304.8,
    "feet": 304.8,
    "yd": 914.4,
    "yard": 914.4,
    "yards": 914.4,
}
MICRONS = ("micron", "microns", "u", "mu", "mcm", "umeter", "umetre")
ANGSTROMS = ("a", "å", "ang", "ao", "angstrom", "angstrøm", "angstroem", "ångström")
PIXELS = ("px", "pix", "pixel", "pixels", "voxel", "voxels", "vx", "reference frame")
NOTHING = ("", "?", "??", "???", "none", "null", "unknown", "no unit", "unitless")
# A micro sign and a Greek letter; escaped by ImageJ; and read as Latin-1.
MICRO = re.compile(r"\\u00b5|\\u03bc|Âµ|Î¼|[\u00b5\u03bc]", re.IGNORECASE)
RING = re.compile(r"\\u00c5|\\u212b|A\u030a|Ã…|[\u00c5\u212b]", re.IGNORECASE)


@dataclass(frozen=True)
class Unit:
    """What a word for a unit means.

    Parameters
    ----------
    name : str
        ``"mm"``, ``"um"`` or, where no size is known, ``"px"``.
    factor : float
        One of the word is that many of ``name``.
    known : bool
        False for a word that nobody here knows; it counts as pixels.
    said : bool
        Whether there is a word at all.
    """

    name: str
    factor: float = 1.0
    known: bool = True
    said: bool = True

    @property
    def has_size(self) -> bool:
        """Whether it is a length, not a count of pixels."""
        return self.name != "px"


def unit_of(word: Any) -> Unit:
    """Return what a word for a unit of length means.

    Parameters
    ----------
    word : str or None
        British and American, singular and plural, symbols; upper and lower case are the
        same where no prefix hangs on them.

    Returns
    -------
    Unit
        Up to micrometers in micrometers, above in millimeters.

    Examples
    --------
    >>> unit_of("nanometres"), unit_of("cm").factor
    (Unit(name='um', factor=0.001, known=True, said=True), 10.0)
    >>> unit_of("furlong").known, unit_of(None).said
    (False, False)
    """
    text = str("" if word is None else word).strip().strip("\0").strip()
    text = RING.sub("å", MICRO.sub("u", text))
    low = text.lower()
    if low in NOTHING:
        return Unit("px", said=False)
    if low.replace("_", " ") in PIXELS:
        return Unit("px")
    power = _power_of_meter(text)
    if power is not None:
        return _metric(power)
    if low in MICRONS:
        return Unit("um")
    if low in ANGSTROMS or re.fullmatch("[aå]ngstr[oö]ms?", low):
        return Unit("um", 1e-4)
    if low in OTHERS:
        return Unit("mm", OTHERS[low])
    return Unit("px", known=False)


def _power_of_meter(text: str) -> int | None:
    """Return the power of ten of a metric unit; None for anything else."""
    symbol = text[:-1] if text.endswith("m") else None
    if symbol in PREFIXES:
        return PREFIXES[symbol]
    word = re.fullmatch(r"([a-z]*)[ -]?met(?:er|re)s?", text.lower())
    if word and word[1] in NAMED_PREFIXES:
        return NAMED_PREFIXES[word[1]]
    low = text.lower()
    if low.endswith("m") and low[:-1] in PREFIXES:
        return PREFIXES[low[:-1]]
    return None


def _metric(power: int) -> Unit:
    if power > -6:
        return Unit("mm", float(f"1e{power + 3}"))
    return Unit("um", float(f"1e{power + 6}"))


def factor_between(unit: str, wanted: str) -> float | None:
    """Return how many of one of our units another is; None if sizes are not known.

    Examples
    --------
    >>> factor_between("mm", "um"), factor_between("um", "mm")
    (1000.0, 0.001)
    >>> factor_between("px", "um") is None
    True
    """
    if unit == wanted:
        return 1.0
    if unit not in METERS or wanted not in METERS:
        return None
    return 1e3 if wanted == "um" else 1e-3


def common_unit(units: Iterable[str]) -> str | None:
    """Return the unit that lengths of several images are told in.

    Parameters
    ----------
    units : iterable of str
        One of ours for each image.

    Returns
    -------
    str or None
        The commonest, millimeters if two are; None if one alone occurs, or if some
        have no size: pixels are compared with no length.

    Examples
    --------
    >>> common_unit(["um", "mm", "um"]), common_unit(["um", "mm"])
    ('um', 'mm')
    >>> common_unit(["mm", "mm"]), common_unit(["mm", "px"])
    (None, None)
    """
    counts = Counter(units)
    if len(counts) < 2 or not set(counts) <= set(METERS):
        return None
    return min(counts, key=lambda unit: (-counts[unit], unit))


def in_pixels(edges: Sequence[float]) -> tuple[float, ...]:
    """Return edges of a voxel in those along x, the last axis: their ratio is kept.

    Examples
    --------
    >>> in_pixels((1.0, 0.2, 0.2))
    (5.0, 1.0, 1.0)
    """
    return tuple(edge / edges[-1] if edges[-1] else edge for edge in edges)
