"""What the text of an MHA or MHD header says beyond what ITK hands on.

The format: https://itk.org/Wiki/ITK/MetaIO/Documentation.
"""

from __future__ import annotations

import math
from pathlib import Path

from autoseg.geometry.orientation import LETTERS, orientation_of
from autoseg.spec.image import Geometry

LONGEST_HEADER = 1 << 16
MATRICES = ("TransformMatrix", "Rotation", "Orientation")  # names of one field
EDGES = ("ElementSpacing", "ElementSize")
LAST = "ElementDataFile"
NAMED = "AnatomicalOrientation"
OPPOSITE = dict(zip("RLAPIS", "LRPASI", strict=True))
ASKEW = 0.5  # cosine of what an axis is called and where it runs: less contradicts


def read_meta_fields(path: Path) -> dict[str, str]:
    """Return the fields of a header by name, up to the one that ends it."""
    with open(path, "rb") as file:
        data = file.read(LONGEST_HEADER)
    fields: dict[str, str] = {}
    for line in data.split(b"\n"):
        name, equals, value = line.decode("latin-1").partition("=")
        if not equals:
            break
        fields[name.strip()] = value.strip()
        if name.strip() == LAST:
            break
    return fields


def says_orientation(fields: dict[str, str]) -> bool:
    """Return whether a header says how the axes lie."""
    return any(name in fields for name in MATRICES)


def unsaid_edges(fields: dict[str, str]) -> bool:
    """Return whether a header does not say how large voxels are."""
    return not any(name in fields for name in EDGES)


def misnamed_axes(fields: dict[str, str]) -> tuple[list[str], list[str]]:
    """Return what `AnatomicalOrientation` says that the matrix does not.

    ITK reads the matrix alone, and writes beside it the letters of where axes come
    from: RAI, where they run to L, P and S. By MetaIO's documentation the letters are
    those of where axes run to.

    Parameters
    ----------
    fields : dict of str to str
        Of `read_meta_fields`.

    Returns
    -------
    remarks : list of str
        What contradicts the matrix either way.
    notes : list of str
        What is right by MetaIO's documentation, and not as ITK writes it.
    """
    said = fields.get(NAMED, "").upper()
    runs = _axes_of(fields)
    if runs is None or sorted(min(c, OPPOSITE.get(c, c)) for c in said) != list("AIL"):
        return [], []
    turn = tuple(runs[axis][world] for world in range(3) for axis in range(3))
    code = orientation_of(Geometry(shape=(1,) * 3, spacing=(1.0,) * 3, direction=turn))
    by_itk = "".join(OPPOSITE[letter] for letter in code or "")
    to = "".join(OPPOSITE[letter] for letter in said)
    if said == by_itk or _is_along(to, runs):
        return [], []
    if said == code or _is_along(said, runs):
        note = (
            f"its {NAMED} is {said}, where its axes run to, as MetaIO's documentation "
            f"has it; ITK writes where they come from, {by_itk}; its matrix is taken, "
            "as ITK does"
        )
        return [], [note]
    remark = (
        f"its {NAMED} is {said}, and its direction matrix says {by_itk} (ITK's letters "
        "of where axes come from); the matrix is taken, as ITK does"
    )
    return [remark], []


def _axes_of(fields: dict[str, str]) -> list[list[float]] | None:
    """Return where each axis runs in ITK's frame, of length 1; None if not known."""
    text = next((fields[name] for name in MATRICES if name in fields), "")
    try:
        numbers = [float(word) for word in text.split()]
    except ValueError:
        return None
    rows = [numbers[start : start + 3] for start in (0, 3, 6)]
    lengths = [math.hypot(*row) for row in rows]
    if len(numbers) != 9 or not all(0 < length < math.inf for length in lengths):
        return None
    return [
        [value / length for value in row]
        for row, length in zip(rows, lengths, strict=True)
    ]


def _is_along(code: str, runs: list[list[float]]) -> bool:
    """Return whether axes run to letters roughly; between two, either is right."""
    cosines = []
    for letter, run in zip(code, runs, strict=True):
        world = next(n for n, pair in enumerate(LETTERS) if letter in pair)
        cosines.append(run[world] if letter == LETTERS[world][1] else -run[world])
    return min(cosines) > ASKEW


def write_meta_unit(path: Path, word: str) -> None:
    """Say the unit of length in a file that ITK wrote, which has no place for it.

    Parameters
    ----------
    path : Path
        An MHA or MHD file, not yet where it belongs.
    word : str
        Such as ``"um"``.
    """
    before, last, after = path.read_bytes().partition(LAST.encode())
    path.write_bytes(before + f"DistanceUnits = {word}\n".encode() + last + after)
