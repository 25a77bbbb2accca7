"""How classes look and what they are, as dataset.json says: colors, and codes.

``"colors": {"liver": "#DD8265"}`` or red, green and blue from 0 to 255;
``"codes": {"liver": ["SCT", "10200004", "Liver"]}``, scheme, value and meaning as DICOM
and 3D Slicer know them, or ``{"type": [...], "category": [...], "region": [...]}``.
"""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from autoseg.errors import DatasetError

Color = tuple[int, int, int]
Code = tuple[str, str, str]

COLORS, CODES = "colors", "codes"
DICOM, SEGMENTS = "dicom", "segments"  # what DICOM files call classes, by name
PARTS = ("type", "category", "region")
ANATOMY: Code = ("SCT", "123037004", "Anatomical Structure")
TURN = 0.618034  # of the circle of colors: neighbors differ as much as can be
HEX = re.compile(r"#?([0-9a-fA-F]{6})")


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a class is shown, and what it is.

    Parameters
    ----------
    color : tuple of int
        Red, green and blue, 0 to 255.
    kind : tuple of str or None
        Scheme, value and meaning of what it is; None: nobody said.
    category : tuple of str
        Of what kind that is.
    region : tuple of str or None
        Where in the body.
    """

    color: Color
    kind: Code | None = None
    category: Code = ANATOMY
    region: Code | None = None

    @property
    def hex(self) -> str:
        """Return the color as pages and pictures write it."""
        return "#{:02X}{:02X}{:02X}".format(*self.color)


def usual_color(number: int) -> Color:
    """Return the color of the class of a number, where nobody says one."""
    parts = colorsys.hsv_to_rgb(number * TURN % 1, 0.7, 0.9)
    red, green, blue = (round(255 * part) for part in parts)
    return red, green, blue


def looks_of(names: Iterable[str], raw: Mapping[str, Any]) -> dict[str, Look]:
    """Return how classes look.

    Parameters
    ----------
    names : iterable of str
        Of the foreground classes, in order.
    raw : mapping
        dataset.json.

    Raises
    ------
    DatasetError
        If a color or a code is none.
    """
    colors, codes = given_colors(raw), _codes(raw)
    return {
        name: Look(color=colors.get(name, usual_color(number)), **codes.get(name, {}))
        for number, name in enumerate(names)
    }


def given_colors(raw: Mapping[str, Any]) -> dict[str, Color]:
    """Return the colors that dataset.json gives, by class.

    Raises
    ------
    DatasetError
        If one is none.
    """
    return {name: _color(name, said) for name, said in _named(raw, COLORS).items()}


def _named(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    said = raw.get(key, {})
    if not isinstance(said, dict):
        raise DatasetError(f"`{key}` is {said!r}; it must say something of each class")
    return said


def _color(name: str, said: Any) -> Color:
    if isinstance(said, str) and (match := HEX.fullmatch(said.strip())):
        red, green, blue = bytes.fromhex(match[1])
        return red, green, blue
    if (
        isinstance(said, list)
        and len(said) == 3
        and all(type(part) is int and 0 <= part <= 255 for part in said)
    ):
        return said[0], said[1], said[2]
    raise DatasetError(
        f'`{COLORS}` has {said!r} for {name!r}; give it as "#DD8265" or as red, green '
        "and blue from 0 to 255, [221, 130, 101]"
    )


def _codes(raw: Mapping[str, Any]) -> dict[str, dict[str, Code]]:
    found: dict[str, dict[str, Code]] = {}
    for name, said in _named(raw, CODES).items():
        parts = said if isinstance(said, dict) else {"type": said}
        good = parts and all(
            key in PARTS
            and isinstance(code, list)
            and len(code) == 3
            and all(isinstance(word, str) and word for word in code)
            for key, code in parts.items()
        )
        if not good:
            raise DatasetError(
                f"`{CODES}` has {said!r} for {name!r}; give scheme, value and meaning, "
                '["SCT", "10200004", "Liver"], or several of them as '
                '{"type": [...], "category": [...], "region": [...]}'
            )
        found[name] = {
            ("kind" if key == "type" else key): (code[0], code[1], code[2])
            for key, code in parts.items()
        }
    return found


def united_looks(said: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return how classes look and what files call them, of several data sets together.

    Which series of DICOM are meant stands in the paths of images; what else ``dicom``
    says, but for names of segments, stays where all say the same.

    Parameters
    ----------
    said : mapping of str to mapping
        dataset.json of each, by its name.

    Returns
    -------
    dict
        ``colors``, ``codes`` and ``dicom``, as far as there is anything.

    Raises
    ------
    DatasetError
        If codes or names of segments mean one thing here and another there.
    """
    found: dict[str, dict[str, Any]] = {COLORS: {}, CODES: {}, SEGMENTS: {}}
    dicom = {name: dict(raw.get(DICOM) or {}) for name, raw in said.items()}
    for part, raw in said.items():
        own = {**raw, SEGMENTS: dicom[part].pop(SEGMENTS, {})}
        for key, known in found.items():
            for name, value in (own.get(key) or {}).items():
                if known.setdefault(name, value) != value and key != COLORS:
                    raise DatasetError(
                        f"The data sets cannot be united: `{key}` of {name!r} is "
                        f"{known[name]!r} in one and {value!r} in {part}. Say the same "
                        "in both."
                    )
    segments = found.pop(SEGMENTS)
    first, *others = dicom.values()
    same = {k: v for k, v in first.items() if all(o.get(k) == v for o in others)}
    found[DICOM] = {**same, **({SEGMENTS: segments} if segments else {})}
    return {key: value for key, value in found.items() if value}
