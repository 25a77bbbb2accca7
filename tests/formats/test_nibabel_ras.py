"""NIfTI turned to RAS, against nibabel."""

import nibabel
import numpy as np
import pytest
from nibabel.orientations import io_orientation

from autoseg.formats.nibabel import NibabelFormat
from autoseg.formats.nibabel_ras import NibabelRasFormat

RAS = NibabelRasFormat()


def _save(path, seed):
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = rotation * rng.uniform(0.5, 3, 3)
    affine[:3, 3] = rng.normal(size=3) * 50
    voxels = rng.integers(0, 200, (4, 5, 6)).astype(np.int16)
    nibabel.Nifti1Image(voxels, affine).to_filename(path)
    return path


@pytest.mark.parametrize("seed", range(20))
def test_volumes_are_turned_as_nibabel_turns_them(tmp_path, seed):
    path = _save(tmp_path / "c.nii.gz", seed)

    image = RAS.read_image([path])

    loaded = nibabel.load(path)
    wanted = loaded.as_reoriented(io_orientation(loaded.affine))
    assert np.array_equal(image.array[0], wanted.get_fdata().transpose(2, 1, 0))
    assert np.allclose(image.geometry.spacing, wanted.header.get_zooms()[::-1])
    origin = np.diag([-1, -1, 1]) @ image.geometry.origin
    assert np.allclose(origin, wanted.affine[:3, 3], atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_predictions_go_back_to_the_file_s_grid(tmp_path, seed):
    path = _save(tmp_path / "c.nii.gz", seed)
    image = RAS.read_image([path])

    RAS.write_labels(
        tmp_path / "l.nii.gz", image.array[0].astype(np.uint8), image.geometry
    )

    labels, geometry = NibabelFormat().read_labels(tmp_path / "l.nii.gz")
    original = NibabelFormat().read_image([path])
    assert geometry == original.geometry
    assert np.array_equal(labels, original.array[0])


def test_it_is_never_chosen_unasked():
    assert not RAS.automatic
