"""Where voxels are by headers that are odd: as ITK reads them, and said."""

import itertools

import nibabel
import numpy as np
import pytest
import SimpleITK

from autoseg.formats.base import find_format
from autoseg.formats.header import notes_of

SHAPE = (4, 5, 6)
ZEROS = np.zeros(SHAPE, np.uint8)
SIGNS = list(itertools.product((1, -1), repeat=3))


def _meta(path, edges, matrix=(1, 0, 0, 0, 1, 0, 0, 0, 1)):
    said = f"TransformMatrix = {' '.join(map(str, matrix))}\n" if matrix else ""
    text = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\n"
        "BinaryDataByteOrderMSB = False\nCompressedData = False\n"
        f"{said}Offset = 10 20 30\nElementSpacing = {' '.join(map(str, edges))}\n"
        f"DimSize = {' '.join(map(str, SHAPE[::-1]))}\n"
        "ElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    )
    path.write_bytes(text.encode() + ZEROS.tobytes())
    return path


def _nifti(path, affine=None, codes=(1, 1), pixdim=None, qform=None):
    affine = np.diag([-1.0, -1, 2, 1]) if affine is None else affine
    image = nibabel.Nifti1Image(ZEROS.T, affine)
    image.set_sform(affine, codes[1])
    image.set_qform(affine if qform is None else qform, codes[0], strip_shears=True)
    image.to_filename(path)
    data = bytearray(path.read_bytes())
    data[252:256] = np.array(codes, "<i2").tobytes()
    if pixdim is not None:
        data[80:92] = np.array(pixdim, "<f4").tobytes()
    path.write_bytes(data)
    return path


def _geometry(path):
    reader = find_format(path)
    read = reader.read_image([path]).geometry
    header = reader.geometry(path, None, None, None)
    assert header == read
    assert (header.oriented, read.oriented) == (read.oriented,) * 2
    return read


def _said(path):
    return " ".join(find_format(path).remarks(_geometry(path)))


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("ending", [".mha", ".nii"])
def test_a_negative_spacing_is_read_as_itk_reads_the_file(tmp_path, signs, ending):
    edges = np.multiply((1.0, 1.5, 2.0), signs)
    path = tmp_path / f"c{ending}"
    if ending == ".mha":
        _meta(path, edges)
    else:
        _nifti(path, np.diag([-1, -1.5, 2, 1]), codes=(0, 0), pixdim=edges)

    geometry = _geometry(path)

    itk = SimpleITK.ReadImage(str(path))
    assert geometry.spacing == pytest.approx(itk.GetSpacing()[::-1])
    assert geometry.origin == pytest.approx(itk.GetOrigin())
    assert geometry.direction == pytest.approx(itk.GetDirection())


@pytest.mark.parametrize(
    "matrix", [(2, 0, 0, 0, 2, 0, 0, 0, 2), (1, 0, 0, 0, 1, 0, 0, 0, 3)]
)
def test_a_matrix_that_is_not_of_unit_length_is_remarked(tmp_path, matrix):
    assert "lengths" in _said(_meta(tmp_path / "c.mha", (2, 1, 1), matrix))


def test_a_sheared_matrix_is_remarked(tmp_path):
    # Columns of unit length, 30 degrees from square.
    sheared = (1, 0, 0, 0.5, 0.75**0.5, 0, 0, 0, 1)
    assert "sheared" in _said(_meta(tmp_path / "c.mha", (1, 1, 1), sheared))

    affine = np.array(
        [[-1, 0.5, 0, 0], [0, -(0.75**0.5), 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]]
    )
    assert "sheared" in _said(_nifti(tmp_path / "c.nii", affine, codes=(0, 1)))


def test_a_rotated_matrix_is_nothing_odd(tmp_path):
    c, s = np.cos(0.3), np.sin(0.3)
    path = _meta(tmp_path / "c.mha", (2, 1, 1), (c, s, 0, -s, c, 0, 0, 0, 1))

    assert _said(path) == ""


def test_sform_and_pixdim_that_contradict_each_other_are_both_named(tmp_path):
    affine = np.diag([-0.5, -0.5, 3, 1])
    path = _nifti(tmp_path / "c.nii", affine, codes=(0, 1), pixdim=(1, 1, 1))

    said = _said(path)

    assert "(0.5, 0.5, 3)" in said and "(1, 1, 1)" in said


def test_directions_of_sform_and_qform_are_both_named(tmp_path):
    path = _nifti(
        tmp_path / "c.nii", np.diag([-1.0, 1, 2, 1]), qform=np.diag([1.0, 1, 2, 1])
    )

    said = _said(path)

    assert "LAS" in said and "RAS" in said


def test_places_of_sform_and_qform_are_both_named(tmp_path):
    moved = np.diag([-1.0, -1, 2, 1])
    moved[:3, 3] = 10, 20, 30
    path = _nifti(tmp_path / "c.nii", qform=moved)

    assert "(0, 0, 0)" in _said(path) and "(10, 20, 30)" in _said(path)


def test_headers_that_agree_are_nothing_odd(tmp_path):
    c, s = np.cos(0.3), np.sin(0.3)
    oblique = np.array([[-c, s, 0, 5], [-s, -c, 0, 6], [0, 0, 2, 7], [0, 0, 0, 1]])
    path = _nifti(tmp_path / "c.nii", oblique)

    assert _said(path) == "" and _geometry(path).oriented


@pytest.mark.parametrize("codes", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_nifti_without_codes_says_no_orientation(tmp_path, codes):
    path = _nifti(tmp_path / "c.nii", codes=codes)

    assert _geometry(path).oriented == (codes != (0, 0))


@pytest.mark.parametrize(
    ("space", "oriented"),
    [
        ("space: left-posterior-superior", True),
        ("space: RAS", True),
        ("space: scanner-xyz", False),
        ("space dimension: 3", False),
        (None, False),
    ],
)
def test_nrrd_without_an_anatomical_space_says_no_orientation(
    tmp_path, space, oriented
):
    lines = ["NRRD0004", "type: uint8", "dimension: 3", "encoding: raw"]
    lines += [space] if space else []
    lines.append(f"sizes: {' '.join(map(str, SHAPE[::-1]))}")
    if space:
        lines += ["space directions: (1,0,0) (0,1,0) (0,0,2)", "space origin: (0,0,0)"]
    else:
        lines.append("spacings: 1 1 2")
    path = tmp_path / "c.nrrd"
    path.write_bytes("\n".join([*lines, "", ""]).encode() + ZEROS.tobytes())

    assert _geometry(path).spacing == (2.0, 1.0, 1.0)
    assert _geometry(path).oriented == oriented


def test_metaimage_and_gipl_without_a_matrix_say_no_orientation(tmp_path):
    image = SimpleITK.GetImageFromArray(ZEROS)
    SimpleITK.WriteImage(image, str(tmp_path / "c.gipl"))

    assert not _geometry(tmp_path / "c.gipl").oriented
    assert not _geometry(_meta(tmp_path / "a.mha", (1, 1, 2), None)).oriented
    assert _geometry(_meta(tmp_path / "b.mha", (1, 1, 2))).oriented


def test_nrrd_without_a_spacing_along_one_axis_notes_what_is_taken(tmp_path):
    lines = ["NRRD0004", "type: uint8", "dimension: 3", "encoding: raw"]
    lines += [f"sizes: {' '.join(map(str, SHAPE[::-1]))}", "spacings: 0.5 0.5 NaN"]
    path = tmp_path / "c.nrrd"
    path.write_bytes("\n".join([*lines, "", ""]).encode() + ZEROS.tobytes())

    grid = _geometry(path)

    assert grid.spacing == (1.0, 0.5, 0.5)
    assert "1 is taken" in " ".join(notes_of(grid))
