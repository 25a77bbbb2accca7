"""Pictures of images that are far larger than a picture are read by parts, thinned."""

import json

import nibabel
import numpy as np
import pytest

from autoseg.datasets.read import open_dataset
from autoseg.formats.base import find_format
from autoseg.report.artist import Artist
from autoseg.report.pictures import turned
from autoseg.report.pictures.slices import sheets_of
from autoseg.report.pictures.turned import Turned, steps_for
from autoseg.spec.arrays import windowed
from autoseg.spec.arrays.sources import Held
from autoseg.spec.image import Geometry

SHAPE = (24, 30, 40)
AT_ONCE = 3_000  # of 28,800 voxels


@pytest.fixture
def small_limits(monkeypatch):
    """Images of some thousand voxels are large."""
    monkeypatch.setattr(turned, "SHOWN", 10_000)
    monkeypatch.setattr(turned, "THINNED", 5_000)
    monkeypatch.setattr(windowed, "AT_ONCE", AT_ONCE)


def test_a_large_case_is_read_by_parts_and_every_second_voxel_is_kept(
    tmp_path, monkeypatch, small_limits
):
    image = np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(np.uint16)
    labels = (image > 14_000).astype(np.uint8)
    raw = tmp_path / "raw" / "Dataset001_Large"
    for name, array in (("imagesTr/a_0000", image), ("labelsTr/a", labels)):
        (raw / name).parent.mkdir(parents=True)
        affine = np.diag([-1.0, -1.0, 1.0, 1.0])  # as ITK's standard orientation
        nibabel.save(nibabel.Nifti1Image(array.T, affine), raw / f"{name}.nii")
    said = {
        "channel_names": {"0": "density"},
        "labels": {"background": 0, "ball": 1},
        "file_ending": ".nii",
    }
    (raw / "dataset.json").write_text(json.dumps(said))
    read = []
    held = Held.read

    def count(self, box):
        part = held(self, box)
        read.append(part.size)
        return part

    def refuse(*ignored):
        pytest.fail("a file was read as a whole")

    monkeypatch.setattr(Held, "read", count)
    for way in ("load", "load_labels"):
        monkeypatch.setattr(type(find_format(".nii")), way, refuse)
    dataset, _ = open_dataset("Dataset001_Large", tmp_path)
    case = dataset.training[0]

    view = Artist(dataset=dataset).view(case, None, case.annotation)

    assert len(read) > 10
    assert max(read) <= AT_ONCE
    assert view.steps == (2, 2, 2)
    assert view.spacing == (2.0, 2.0, 2.0)
    assert view.image.dtype == np.float32
    np.testing.assert_array_equal(view.image[0], image[::2, ::2, ::2])
    np.testing.assert_array_equal(view.layer.focus(), labels[::2, ::2, ::2])
    assert all(place % 2 == 0 for place in sheets_of(view)[0].places)
    assert max(sheets_of(view)[0].places) == 22


def test_a_flipped_image_and_its_points_are_thinned_alike(small_limits):
    geometry = Geometry(
        shape=SHAPE, spacing=(1.0, 1.0, 1.0), direction=(-1, 0, 0, 0, -1, 0, 0, 0, 1)
    )
    image = np.zeros(SHAPE, np.uint8)
    image[4, 29 - 6, 39 - 8] = 1

    way = Turned(geometry)

    assert np.argwhere(way.array(image)).tolist() == [[2, 3, 4]]
    assert way.points(np.array([[4.0, 23.0, 31.0]])).tolist() == [[2.0, 3.0, 4.0]]
    assert way.array(image[None]).shape == (1, *way.shape)


def test_fine_axes_are_thinned_first(small_limits):
    assert steps_for((10, 60, 60), (4.0, 1.0, 1.0)) == (1, 3, 3)
    assert steps_for((20, 20, 25), (1.0, 1.0, 1.0)) == (1, 1, 1)
