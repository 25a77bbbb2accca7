"""Where the voxels of a NIfTI file are, as ITK understands it; where that is in doubt.

A header has up to three answers: ``pixdim``, the quaternion (qform) and the matrix
(sform). ITK takes one; that the others disagree is remarked, since none of them is
right by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.formats._in_files.pairs import remarks_of, says_nothing
from autoseg.formats._in_files.plain_header import plain_sform
from autoseg.formats._nifti import NiftiFile
from autoseg.formats.base import Array
from autoseg.formats.header import OVERRULED, with_fields, with_remarks
from autoseg.formats.sitk import itk_geometry, quiet
from autoseg.geometry.orientation import orientation_of
from autoseg.spec.foreign.units import factor_between, unit_of
from autoseg.spec.image import Geometry

UNIT_CODES = {0: None, 1: "m", 2: "mm", 3: "um"}
TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
EDGE_TOLERANCE = 1e-2  # relative: how far edges may be apart
COSINE_TOLERANCE = 2e-2  # of a direction
PLACE_TOLERANCE = 0.5  # of an edge, for the first voxel
SHEAR_TOLERANCE = 1e-3  # of a cosine: ITK's own is finer, and rounding passes it


def nifti_geometry(file: NiftiFile, path: Path, unit: str | None) -> Geometry:
    """Return the geometry of a NIfTI file as ITK understands it.

    Parameters
    ----------
    file : NiftiFile
        The file.
    path : Path
        Where it is.
    unit : str or None
        None: millimeters, into which ITK converts. Otherwise what to convert to;
        millimeters, and numbers without a unit, are taken to be in it.

    Returns
    -------
    Geometry
        Of a header that ITK refuses (NIfTI-2, and matrices that are not quite
        orthonormal) the nearest rotation. It remembers what is odd.
    """
    shape = file.array.shape[1:]
    dim = len(shape)
    by_itk, scale = _scales(file, unit)
    given = file.header["pixdim"][1 : dim + 1].astype(np.float64)
    spacing = np.abs(given) * scale
    plain = plain_sform(file.header) if dim == 3 and by_itk == scale == 1 else None
    if says_nothing(file.header):
        remarks = remarks_of(file.header)
        origin, direction = np.zeros(dim), np.eye(dim)
    elif plain is not None:
        remarks = []
        origin, direction = plain
    else:
        factor = scale / by_itk
        origin, direction, edges, remarks = _place(file, path, factor)
        spacing = edges if edges is not None and factor == 1 else spacing
    geometry = Geometry(
        shape=shape,
        spacing=tuple(spacing[::-1].tolist()),
        unit=unit or "mm",
        origin=tuple((origin + 0.0).tolist()),  # no negative zeros
        direction=tuple((direction + 0.0).ravel().tolist()),
    )
    remarks = [*remarks, *_added(file.header)]
    geometry = with_remarks(with_doubts(geometry, file), remarks)
    return with_fields(geometry, "nifti", file.geometry_fields())


def _added(header: Any) -> list[str]:
    """Return that a number is added to values though the header scales nothing.

    By nifti1.h a slope of 0 says that values are as stored, whatever the intercept is.
    """
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if slope != 0 or inter == 0 or not np.isfinite(inter):
        return []
    return [
        f"its scl_slope is 0, which means that values are as stored, and its scl_inter "
        f"{inter:g}, which ITK adds, so it is added"
    ]


def _place(
    file: NiftiFile, path: Path, factor: float
) -> tuple[Array, Array, Array | None, list[str]]:
    """Return origin, direction and spacing as ITK reads them, and what is odd.

    Lengths but the spacing are multiplied by a factor; the spacing is None where ITK
    refuses the header.
    """
    dim = file.array.ndim - 1
    read = _read_by_itk(path)
    if read is None:
        origin, direction, shear = _nearest_rotation(file, dim)
        if shear <= SHEAR_TOLERANCE:
            return origin, direction, None, []
        remark = (
            f"its matrix is sheared, by cosines of up to {shear:.3g}; the nearest "
            "rotation is taken"
        )
        return origin, direction, None, [remark]
    origin = np.array(read.origin[:dim]) * factor
    direction = np.reshape(read.direction, (read.dim, read.dim))[:dim, :dim]
    return origin, direction, np.array(read.spacing[::-1][:dim]), []


def _read_by_itk(path: Path) -> Geometry | None:
    """Return what ITK reads in a header; None if it refuses it."""
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        quiet()
        reader.ReadImageInformation()
    except RuntimeError:
        return None
    return itk_geometry(reader)


def micrometer_fields(geometry: Geometry) -> dict[str, Any] | None:
    """Return the fields of a header in micrometers, which ITK does not write.

    Parameters
    ----------
    geometry : Geometry
        Of an image that was read from another kind of file.

    Returns
    -------
    dict or None
        As `NiftiFile.geometry_fields`; None if its unit is another.
    """
    if geometry.unit != "um":
        return None
    from nibabel import Nifti1Header

    dim = geometry.dim
    affine = np.eye(4)
    direction = np.reshape(geometry.direction, (dim, dim))
    affine[:dim, :dim] = direction * np.array(geometry.spacing[::-1])
    affine[:dim, 3] = geometry.origin
    header = Nifti1Header()
    header.set_data_shape(geometry.shape[::-1])
    header.set_zooms(geometry.spacing[::-1])
    header.set_qform(TO_LPS @ affine, 1)
    header.set_sform(TO_LPS @ affine, 1)
    return {
        "qform_code": 1,
        "sform_code": 1,
        "quatern": [float(header[f"quatern_{letter}"]) for letter in "bcd"],
        "qoffset": [float(header[f"qoffset_{letter}"]) for letter in "xyz"],
        "srow": [header[f"srow_{letter}"].tolist() for letter in "xyz"],
        "xyzt_units": 3,
        "pixdim": header["pixdim"][:4].tolist(),
        "sizeof_hdr": 348,
    }


def codes_of(file: NiftiFile) -> tuple[int, int]:
    """Return the codes of qform and sform; 0 for what the file does not give."""
    return int(file.header["qform_code"]), int(file.header["sform_code"])


def unit_code(file: NiftiFile) -> int:
    """Return the number of the unit of length in a header."""
    return int(file.header["xyzt_units"]) & 7


def _scales(file: NiftiFile, unit: str | None) -> tuple[float, float]:
    """Return what ITK multiplies the header's lengths by, and what is wanted."""
    word = UNIT_CODES.get(unit_code(file))
    said = unit_of(word)
    by_itk = 1.0
    if said.has_size:
        by_itk = said.factor * (factor_between(said.name, "mm") or 1.0)
    if unit is None:
        return by_itk, by_itk
    if word in (None, "mm") or unit == "px":
        return by_itk, 1.0
    return by_itk, said.factor * (factor_between(said.name, unit) or 1.0)


def with_doubts(geometry: Geometry, file: NiftiFile) -> Geometry:
    """Return a geometry that remembers what is odd about its header.

    Parameters
    ----------
    geometry : Geometry
        What was understood.
    file : NiftiFile
        The header it is from.

    Returns
    -------
    Geometry
        Not oriented if the header gives neither qform nor sform.
    """
    given = file.header["pixdim"][1 : geometry.dim + 1].astype(np.float64)
    remarks = []
    if min(given) <= 0:
        remarks.append(
            f"its header gives the spacing {given.tolist()} (x, y, z), where 0 or less "
            f"cannot be; it is read as {geometry.spacing[::-1]}",
        )
    code = unit_code(file)
    if code not in UNIT_CODES:
        remarks.append(
            f"the code of its unit of length is {code}, and there are 0 to 3; its "
            f"numbers are taken as {geometry.unit}"
        )
    if code == 2 and geometry.unit not in ("mm", "px"):
        geometry = replace(geometry, header={**geometry.header, OVERRULED: "mm"})
    oriented = any(code > 0 for code in codes_of(file))
    if min(given) > 0:
        remarks += _disagreements(file)
    return replace(with_remarks(geometry, remarks), oriented=oriented)


def _disagreements(file: NiftiFile) -> list[str]:
    """Return in what pixdim, qform and sform contradict each other."""
    qform, sform = codes_of(file)
    if sform <= 0:
        return []
    pixdim = [abs(float(edge)) for edge in file.header["pixdim"][1:4]]
    rows = file.header["srow"].astype(np.float64).tolist()
    columns = [[row[axis] for row in rows] for axis in range(4)]
    lengths = [math.hypot(*column) for column in columns[:3]]
    numbers = [*pixdim, *lengths, *columns[3]]
    if not all(map(math.isfinite, numbers)) or 0 in lengths:
        return []
    found = []
    axes = file.array.ndim - 1
    pairs = list(zip(lengths, pixdim, strict=True))[:axes]
    if any(abs(one - two) > EDGE_TOLERANCE * max(one, two) for one, two in pairs):
        found.append(
            f"its sform says voxels of {_listed(lengths)} (x, y, z) and its pixdim "
            f"{_listed(pixdim)}"
        )
    if qform > 0:
        found += _turned_otherwise(file, columns, lengths)
    return found


def _turned_otherwise(
    file: NiftiFile, sform: list[list[float]], lengths: list[float]
) -> list[str]:
    """Return in what directions and places of qform and sform differ."""
    turn = _quaternion_turn(file)
    place = file.header["qoffset"].astype(np.float64).tolist()
    if turn is None or not all(map(math.isfinite, place)):
        return []
    ours = [[x / n for x in c] for c, n in zip(sform, lengths, strict=False)]
    apart = max(
        abs(a - b) for k in range(3) for a, b in zip(ours[k], turn[k], strict=True)
    )
    if apart > COSINE_TOLERANCE:
        matrices = [np.array(columns).T for columns in (ours, turn)]
        names = [str(_code_of(matrix)) for matrix in matrices]
        if names[0] == names[1]:
            names = [_listed(matrix.ravel()) for matrix in matrices]
        return [f"its sform says the directions {names[0]} and its qform {names[1]}"]
    shifts = [abs(a - b) for a, b in zip(sform[3], place, strict=True)]
    if any(x > PLACE_TOLERANCE * n for x, n in zip(shifts, lengths, strict=True)):
        return [
            f"its sform puts the first voxel to {_listed(sform[3])} and its qform to "
            f"{_listed(place)}"
        ]
    return []


def _quaternion_turn(file: NiftiFile) -> list[list[float]] | None:
    """Return the columns of the rotation that the quaternion gives.

    By the formula of nifti1.h; None if it is no rotation.
    """
    b, c, d = (float(x) for x in file.header["quatern"])
    rest = 1.0 - (b * b + c * c + d * d)
    if not math.isfinite(rest) or rest < -SHEAR_TOLERANCE:
        return None
    a = math.sqrt(max(rest, 0.0))
    last = -1.0 if float(file.header["pixdim"][0]) < 0 else 1.0
    return [
        [a * a + b * b - c * c - d * d, 2 * (b * c + a * d), 2 * (b * d - a * c)],
        [2 * (b * c - a * d), a * a + c * c - b * b - d * d, 2 * (c * d + a * b)],
        [
            last * 2 * (b * d + a * c),
            last * 2 * (c * d - a * b),
            last * (a * a + d * d - b * b - c * c),
        ],
    ]


def _code_of(turn: Array) -> str | None:
    """Return the letters of a matrix from x, y, z to RAS, as nibabel has them."""
    direction = tuple((TO_LPS[:3, :3] @ turn).ravel().tolist())
    return orientation_of(
        Geometry(shape=(1,) * 3, spacing=(1.0,) * 3, direction=direction)
    )


def _nearest_rotation(file: NiftiFile, dim: int) -> tuple[Array, Array, float]:
    """Return origin and direction, in ITK's frame, of a header that ITK refuses.

    The third is how far the axes are from square to each other, as a cosine.
    """
    affine = TO_LPS @ _header(file).get_best_affine()
    matrix = affine[:3, :3] / np.maximum(np.linalg.norm(affine[:3, :3], axis=0), 1e-12)
    # The nearest orthonormal matrix, by polar decomposition.
    left, _, right = np.linalg.svd(matrix)
    shear = float(np.abs(matrix.T @ matrix - np.eye(3)).max())
    return affine[:dim, 3], (left @ right)[:dim, :dim], shear


def _header(file: NiftiFile) -> Any:
    from nibabel import Nifti1Header, Nifti2Header

    kind: Any = Nifti2Header if int(file.header["sizeof_hdr"]) == 540 else Nifti1Header
    return kind(file.header.tobytes(), check=False)


def _listed(values: Array | Sequence[float]) -> str:
    return f"({', '.join(f'{float(value):.4g}' for value in values)})"
