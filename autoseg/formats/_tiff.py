"""What the axes and the resolution of a TIFF file mean."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoseg.errors import FormatError

MICROMETERS = {"nm": 1e-3, "um": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0}
MILLIMETERS = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "inch": 25.4, "in": 25.4}
FACTORS = {("mm", "um"): 1e3, ("um", "mm"): 1e-3}


@dataclass(frozen=True)
class Layout:
    """Which axis of a TIFF's array is what.

    Parameters
    ----------
    channel : int or None
        The axis of channels.
    space : tuple of int, length D
        The spatial axes, slowest first.
    """

    channel: int | None
    space: tuple[int, ...]


def find_layout(
    axes: str, shape: Sequence[int], channels: int | None, path: Path
) -> Layout:
    """Tell channels from slices.

    Parameters
    ----------
    axes : str
        A letter for each axis, as tifffile gives them: X, Y, Z, C channel, S sample of
        a color, and others that say little.
    shape : sequence of int
        Length of each axis.
    channels : int or None
        How many channels are expected: decides where the letters do not.
    path : Path
        The file, for messages.

    Returns
    -------
    Layout
        Axes of length 1 other than Y and X are in neither part.

    Raises
    ------
    FormatError
        If there are more axes than these.
    """
    if "Y" not in axes or "X" not in axes:
        raise FormatError(f"{path} has the axes {axes}; autoseg needs Y and X.")
    y, x = axes.index("Y"), axes.index("X")
    rest = [i for i in range(len(axes)) if i not in (y, x) and shape[i] > 1]
    channel = _named_channel(axes, rest)
    if channels is not None and rest:
        fitting = [i for i in rest if shape[i] == channels]
        if channels == 1:
            # A stack saved without a word about its axes is often taken for channels:
            # by ImageJ always, by tifffile if it has three or four slices.
            if channel is not None and rest == [channel] and channel < y:
                channel = None
        elif fitting and channel not in fitting:
            channel = fitting[0]
        elif channel is None and shape[x] == channels:
            # Channels last, which the letters know nothing of: (Y, X, C) as "QYX".
            return _checked(Layout(x, (*rest, y)), axes, shape, path)
    rest = [i for i in rest if i != channel]
    return _checked(Layout(channel, (*rest, y, x)), axes, shape, path)


def _named_channel(axes: str, rest: Sequence[int]) -> int | None:
    by_letter = {axes[i]: i for i in reversed(rest)}
    return by_letter.get("S", by_letter.get("C"))


def _checked(layout: Layout, axes: str, shape: Sequence[int], path: Path) -> Layout:
    if not 2 <= len(layout.space) <= 3:
        raise FormatError(
            f"{path} has the axes {axes} of lengths {tuple(shape)}; autoseg reads two "
            "or three spatial axes and channels. Save each time point as its own file, "
            "and name the channels in dataset.json."
        )
    return layout


def imagej_fields(
    metadata: Mapping[str, Any] | None, tags: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return ImageJ's calibration as JSON, or None if there is none.

    Parameters
    ----------
    metadata : mapping or None
        ImageJ's own.
    tags : mapping of str to value
        ``XResolution`` and ``YResolution``: pixels per unit, as fractions.

    Returns
    -------
    dict or None
        ``resolution`` for x and y, ``spacing`` along z, ``unit``.
    """
    if not metadata or "XResolution" not in tags or "YResolution" not in tags:
        return None
    factor, _ = unit_of(metadata.get("unit"))
    resolution = [list(map(int, tags[f"{axis}Resolution"])) for axis in "XY"]
    if factor is None or not all(all(pair) for pair in resolution):
        return None
    return {
        "resolution": resolution,
        "spacing": float(metadata.get("spacing", 1.0)),
        "unit": str(metadata["unit"]),
    }


def imagej_spacing(fields: Mapping[str, Any], dim: int) -> tuple[list[float], str]:
    """Return spacing, slowest axis first, and unit of `imagej_fields`."""
    (nx, dx), (ny, dy) = fields["resolution"]
    factor, unit = unit_of(fields["unit"])
    spacing = [abs(fields["spacing"]), dy / ny, dx / nx][-dim:]
    return [edge * (factor or 1.0) for edge in spacing], unit


def ome_spacing(pixels: Mapping[str, Any], dim: int) -> tuple[list[float], str] | None:
    """Return spacing and unit of an OME ``Pixels`` element, or None if not there."""
    spacing, units = [], []
    for axis in "ZYX"[-dim:]:
        size = pixels.get(f"PhysicalSize{axis}")
        if size is None:
            return None
        factor, unit = unit_of(pixels.get(f"PhysicalSize{axis}Unit", "um"))
        if factor is None:
            return None
        spacing.append(float(size) * factor)
        units.append(unit)
    spacing = [
        s * FACTORS.get((u, units[-1]), 1.0)
        for s, u in zip(spacing, units, strict=True)
    ]
    return spacing, units[-1]


def unit_of(name: Any) -> tuple[float | None, str]:
    """Return what a unit of length is in ``"um"`` or ``"mm"``, or None and ``"px"``."""
    text = re.sub(r"\\u00b5|\\u03bc|[µμ]", "u", str(name or "").strip(), flags=re.I)
    if text.lower() in MICROMETERS:
        return MICROMETERS[text.lower()], "um"
    if text.lower() in MILLIMETERS:
        return MILLIMETERS[text.lower()], "mm"
    return None, "px"


def entries_of(side_car: Path) -> dict[str, Any]:
    """Return what a side-car says already, such as classes; nothing without one."""
    try:
        found = json.loads(side_car.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def read_side_car(path: Path, stem: str) -> tuple[list[float], str | None] | None:
    """Return spacing and unit of a ``CASE.json`` next to an image.

    Parameters
    ----------
    path : Path
        The image, such as ``CASE_0000.tif``.
    stem : str
        Its name without ending.

    Returns
    -------
    tuple or None
        Spacing, slowest axis first, and unit if there is one; None without such a file
        that speaks of spacing.

    Raises
    ------
    FormatError
        If the spacing is no list of positive numbers.
    """
    for name in (re.sub(r"_\d{4}$", "", stem), stem):
        side = path.with_name(f"{name}.json")
        if not side.is_file():
            continue
        try:
            found = json.loads(side.read_text(encoding="utf-8"))
        except ValueError as error:
            raise FormatError(f"{side} is no JSON ({error}).") from None
        if not isinstance(found, dict) or "spacing" not in found:
            continue
        spacing = found["spacing"]
        good = isinstance(spacing, list) and all(
            type(edge) in (int, float) and edge > 0 for edge in spacing
        )
        if not good:
            raise FormatError(
                f"{side}: spacing is {spacing!r}; give positive numbers, slowest axis "
                "first."
            )
        return [float(edge) for edge in spacing], found.get("unit")
    return None
