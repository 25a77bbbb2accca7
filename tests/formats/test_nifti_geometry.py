"""Headers of NIfTI that leave ITK no choice are read without it, to the same bit."""

import nibabel
import numpy as np
import pytest
import SimpleITK
from scipy.spatial.transform import Rotation

from autoseg.formats import _nifti_geometry
from autoseg.formats._nifti import read_nifti_header
from autoseg.formats._nifti_geometry import nifti_geometry
from autoseg.formats.header import remarks_of
from autoseg.formats.itk import ItkFormat

SILENT = SimpleITK.ProcessObject.SetGlobalWarningDisplay
ITK_FORMAT = ItkFormat()


def _header(rng):
    """Return a header as programs write them, and as they should not."""
    axes = Rotation.random(random_state=int(rng.integers(1 << 31))).as_matrix()
    if rng.random() < 0.5:
        axes = np.eye(3)[rng.permutation(3)] * rng.choice([-1, 1], 3)
    edges = 10 ** rng.uniform(-1, 1, 3)
    affine = np.eye(4)
    affine[:3, :3] = axes * edges
    affine[:3, 3] = 100 * rng.normal(size=3)
    header = nibabel.Nifti1Header()
    header.set_data_shape((3, 4, 5))
    header.set_zooms(edges)
    header.set_qform(affine, int(rng.choice([0, 1, 2, 4])))
    if rng.random() < 0.5:  # not quite a rotation, or not at all
        affine[:3, :3] += edges * 10 ** rng.uniform(-7, -2) * rng.normal(size=(3, 3))
    header.set_sform(affine, int(rng.choice([0, 1, 1, 1, 2])))
    if rng.random() < 0.2:  # another size than the matrix says
        header["pixdim"][1:4] *= 1 + 10 ** rng.uniform(-8, -2)
    if rng.random() < 0.15:  # what no voxel has
        header["pixdim"][rng.integers(1, 4)] *= rng.choice([0, -1, np.nan])
    if rng.random() < 0.1:  # flat beyond what a matrix holds
        axis = rng.integers(3)
        header["pixdim"][1 + axis] *= 1e-7
        for row in "xyz":
            header[f"srow_{row}"][axis] *= 1e-7
    header.set_xyzt_units(rng.choice(["unknown", "mm", "mm", "micron"]))
    return header


def test_origin_direction_and_spacing_are_those_of_itk_to_the_bit(
    tmp_path, monkeypatch
):
    asked = []
    ask = _nifti_geometry._read_by_itk
    monkeypatch.setattr(
        _nifti_geometry, "_read_by_itk", lambda p: asked.append(p) or ask(p)
    )
    SILENT(False)
    rng = np.random.default_rng(0)
    voxels, compared, wrong = np.zeros((3, 4, 5), np.uint8), 0, []
    for number in range(300):
        path = tmp_path / "a.nii"
        header = _header(rng)
        nibabel.Nifti1Image(voxels, None, header).to_filename(path)
        content = bytearray(path.read_bytes())
        content[76:108] = header["pixdim"].tobytes()  # which nibabel mends
        path.write_bytes(content)
        before = len(asked)
        found = nifti_geometry(read_nifti_header(path), path, None)
        try:
            read = SimpleITK.ReadImage(str(path))
        except RuntimeError:
            if len(asked) == before:  # what becomes of it is tested elsewhere
                wrong.append((number, "ITK refuses it"))
            continue
        compared += 1
        same = (
            found.spacing == read.GetSpacing()[::-1]
            and found.origin == read.GetOrigin()
            and found.direction == read.GetDirection()
        )
        if not same:
            wrong.append((number, found, read.GetOrigin(), read.GetDirection()))
    assert not wrong
    assert compared > 150
    assert 20 < compared - len(asked)  # so many were read without it


@pytest.mark.parametrize("codes", [(1, 1), (0, 2), (2, 1)])
def test_what_itk_and_nibabel_write_is_read_without_itk(tmp_path, monkeypatch, codes):
    def never(path):
        raise AssertionError("ITK was asked")

    monkeypatch.setattr(_nifti_geometry, "_read_by_itk", never)
    image = nibabel.Nifti1Image(np.zeros((3, 4, 5)), np.diag([-2, -3, 4, 1.0]))
    image.header.set_qform(image.affine, codes[0])
    image.header.set_sform(image.affine, codes[1])
    image.to_filename(tmp_path / "a.nii.gz")

    found = ITK_FORMAT.read_image([tmp_path / "a.nii.gz"]).geometry

    assert found.spacing == (4, 3, 2)
    assert found.direction == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert found.origin == (0, 0, 0)
    assert found.oriented


@pytest.mark.parametrize("slope, inter, told", [(0, 5, 1), (1, 5, 0), (0, 0, 0)])
def test_an_intercept_without_a_slope_is_told(tmp_path, slope, inter, told):
    """By nifti1.h nothing is scaled where the slope is 0; ITK adds the intercept."""
    path = tmp_path / "a.nii"
    stored = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    nibabel.save(nibabel.Nifti1Image(stored, np.eye(4)), path)
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([slope, inter], "<f4").tobytes()
    path.write_bytes(content)

    found = ItkFormat().read_image([path])

    itk = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    np.testing.assert_array_equal(found.array[0], itk)
    np.testing.assert_array_equal(found.array[0], stored.T + inter)
    assert len(remarks_of(found.geometry)) == told
