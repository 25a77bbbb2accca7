import sys

import numpy as np
import pytest

from autoseg.errors import UsageError
from autoseg.instancefiles.imagej import check_rois, write_rois
from autoseg.instancefiles.measure import measure
from autoseg.instancefiles.readers.base import read_objects
from autoseg.spec.image import Geometry
from autoseg.spec.instances import Instances


def test_regions_come_back_as_polygons(tmp_path):
    roifile = pytest.importorskip("roifile")
    labels = np.zeros((6, 9), np.int32)
    labels[1:3, 2:6], labels[5, 0], labels[5, 8] = 1, 2, 2
    labels[4, 4], labels[5, 5] = 3, 3  # one region: they touch at a corner
    instances = Instances(labels)

    write_rois(tmp_path / "a.zip", instances, measure(instances, (1.0, 1.0)))

    rois = {roi.name: roi for roi in roifile.roiread(tmp_path / "a.zip")}
    assert set(rois) == {"1", "2-1", "2-2", "3"}
    assert rois["1"].roitype == roifile.ROI_TYPE.POLYGON
    assert rois["1"].coordinates().tolist() == [[2, 1], [6, 1], [6, 3], [2, 3]]
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_holes_stay_in_a_composite(tmp_path):
    roifile = pytest.importorskip("roifile")
    labels = np.zeros((12, 14), np.int32)
    labels[1:8, 1:9] = 3
    labels[3, 3], labels[5:7, 5:8] = 0, 0  # two holes
    labels[6, 6] = 4  # an object in one of them
    labels[9:11, 2:5] = 5
    instances = Instances(labels)

    write_rois(tmp_path / "a.zip", instances, measure(instances, (1.0, 1.0)))

    rois = {roi.name: roi for roi in roifile.roiread(tmp_path / "a.zip")}
    assert rois["3"].composite and not rois["5"].composite
    ring, *holes = rois["3"].coordinates(multi=True)
    assert ring.min(0).tolist() == [1, 1] and ring.max(0).tolist() == [9, 8]
    assert len(holes) == 2
    assert (rois["3"].left, rois["3"].top) == (1, 1)
    # Read again, whatever the order in which regions are drawn, all pixels are right.
    grid = Geometry(shape=labels.shape, spacing=(1.0, 1.0), unit="px")
    found = read_objects(tmp_path / "a.zip", "a", {1: "cell"}, grid)
    names = {number: int(name.split()[-1]) for number, name in found.names.items()}
    again = np.vectorize(lambda i: names.get(i, 0))(found.labels)
    assert again.tolist() == labels.tolist()


def test_slices_of_a_volume_say_where_they_are(tmp_path):
    roifile = pytest.importorskip("roifile")
    labels = np.zeros((4, 5, 5), np.int32)
    labels[1:3, 1:3, 1:3] = 7
    instances = Instances(labels)

    write_rois(tmp_path / "a.zip", instances, measure(instances, (1.0, 1.0, 1.0)))

    rois = roifile.roiread(tmp_path / "a.zip")
    assert [(roi.name, roi.z_position) for roi in rois] == [("7-z2", 2), ("7-z3", 3)]


def test_without_the_package_one_is_told_which(monkeypatch):
    monkeypatch.setitem(sys.modules, "roifile", None)

    with pytest.raises(UsageError, match="pip install roifile"):
        check_rois()
