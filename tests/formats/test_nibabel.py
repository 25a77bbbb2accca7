"""NIfTI in nibabel's conventions, against nibabel."""

import nibabel
import numpy as np
import pytest

from autoseg.errors import FormatError
from autoseg.formats.nibabel import NibabelFormat
from autoseg.geometry.mapped import is_mapped, keeping_to

NIBABEL = NibabelFormat()


def _save(path, kind=np.int16, slope=1.0, inter=0.0, seed=0):
    rng = np.random.default_rng(seed)
    voxels = rng.integers(0, 200, (4, 5, 6)).astype(kind)
    affine = np.eye(4)
    affine[:3] = rng.normal(size=(3, 4))  # sheared, and with nothing round in it
    nibabel.Nifti1Image(voxels, affine).to_filename(path)
    data = bytearray(path.read_bytes())
    data[112:120] = np.array([slope, inter], "<f4").tobytes()  # scl_slope, scl_inter
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize(("slope", "inter"), [(1, 0), (0.00733, -1024.3), (0, 5)])
def test_values_are_nibabel_s_to_the_bit(tmp_path, kind, slope, inter):
    path = _save(tmp_path / "c.nii", kind, slope, inter)

    image = NIBABEL.read_image([path])

    wanted = nibabel.load(path).get_fdata().transpose(2, 1, 0).astype(np.float32)
    assert np.array_equal(image.array[0], wanted)


@pytest.mark.parametrize("seed", range(5))
def test_geometry_is_nibabel_s(tmp_path, seed):
    path = _save(tmp_path / "c.nii", seed=seed)

    geometry = NIBABEL.read_image([path]).geometry

    loaded = nibabel.load(path)
    zooms = tuple(float(zoom) for zoom in loaded.header.get_zooms())
    assert geometry.spacing == zooms[::-1]
    # x and y of ITK's frame run the other way.
    to_ras = np.diag([-1, -1, 1])
    columns = to_ras @ np.reshape(geometry.direction, (3, 3)) * zooms
    assert np.allclose(columns, loaded.affine[:3, :3], atol=1e-6)
    assert np.allclose(to_ras @ geometry.origin, loaded.affine[:3, 3])


def test_predictions_have_the_affine_of_their_image(tmp_path):
    path = _save(tmp_path / "c.nii")
    image = NIBABEL.read_image([path])

    NIBABEL.write_labels(tmp_path / "l.nii.gz", image.array[0] > 9, image.geometry)

    written = nibabel.load(tmp_path / "l.nii.gz")
    assert np.array_equal(written.affine, nibabel.load(path).affine)
    assert np.array_equal(written.get_fdata().T, image.array[0] > 9)


def test_the_unit_of_the_header_is_not_converted(tmp_path):
    image = nibabel.Nifti1Image(np.zeros((3, 4, 5), np.int16), np.diag([1, 1, 2, 1]))
    image.header.set_xyzt_units("micron")
    image.to_filename(tmp_path / "c.nii")

    assert NIBABEL.read_image([tmp_path / "c.nii"]).geometry.spacing == (2, 1, 1)


@pytest.mark.parametrize("edges", [(1, -2, 3), (-1, 2, -3)], ids=["one", "two"])
@pytest.mark.parametrize("sform", [0, 1])
def test_edges_below_zero_are_those_that_nibabel_takes(tmp_path, edges, sform):
    image = nibabel.Nifti1Image(np.zeros((3, 4, 5), np.int16), np.diag([-1, 2, 3, 1]))
    image.set_qform(image.affine, 1)
    image.set_sform(image.affine, sform)
    image.to_filename(tmp_path / "c.nii")
    data = bytearray((tmp_path / "c.nii").read_bytes())
    data[80:92] = np.array(edges, "<f4").tobytes()  # pixdim
    (tmp_path / "c.nii").write_bytes(data)

    geometry = NIBABEL.read_image([tmp_path / "c.nii"]).geometry

    loaded = nibabel.load(tmp_path / "c.nii")
    assert geometry.spacing == loaded.header.get_zooms()[::-1]
    assert geometry.spacing == tuple(map(abs, edges))[::-1]
    columns = np.diag([-1, -1, 1]) @ np.reshape(geometry.direction, (3, 3))
    lengths = np.linalg.norm(loaded.affine[:3, :3], axis=0)
    assert np.allclose(columns * lengths, loaded.affine[:3, :3])


@pytest.mark.parametrize("slope", [2.5, np.nan])
def test_an_image_that_stays_in_its_file_is_the_same(tmp_path, slope):
    image = nibabel.Nifti1Image(
        np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.diag([-500, -500, 1000, 1])
    )
    image.header.set_xyzt_units("micron")
    image.to_filename(tmp_path / "c.nii")
    data = bytearray((tmp_path / "c.nii").read_bytes())
    data[112:120] = np.array([slope, 7], "<f4").tobytes()  # scl_slope, scl_inter
    (tmp_path / "c.nii").write_bytes(data)

    whole = NIBABEL.read_image([tmp_path / "c.nii"])
    with keeping_to(0):
        left = NIBABEL.read_image([tmp_path / "c.nii"], lazily=True)

    assert is_mapped(left.array) and left.geometry == whole.geometry
    assert whole.geometry.spacing == (1000, 500, 500)
    assert np.array_equal(np.asarray(left.array, np.float32), whole.array)


def test_a_file_that_was_cut_off_is_refused(tmp_path):
    path = _save(tmp_path / "c.nii")
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(FormatError, match="cut off"):
        NIBABEL.read_image([path])


def test_it_is_never_chosen_unasked():
    assert not NIBABEL.automatic
