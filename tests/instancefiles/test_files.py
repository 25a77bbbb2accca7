import json

import numpy as np
import pytest

from autoseg.errors import UsageError
from autoseg.instancefiles.files import check_kinds, write_instance_files
from autoseg.spec.image import Geometry, Image
from autoseg.spec.instances import Instances


def _write(folder, kinds=(), classes=None):
    labels = np.zeros((6, 8), np.int32)
    labels[1:3, 2:6], labels[5, 7] = 1, 2
    geometry = Geometry(shape=(6, 8), spacing=(0.5, 0.5), unit="um")
    image = Image(array=np.ones((1, 6, 8), np.float32), geometry=geometry)
    return write_instance_files(
        folder,
        "a",
        Instances(labels, {2: 3}),
        image,
        classes=classes or {1: "cell"},
        channels=("dapi",),
        kinds=kinds,
    )


def test_the_table_is_always_written(tmp_path):
    assert [path.name for path in _write(tmp_path)] == ["a_instances.csv"]
    assert "size_um2" in (tmp_path / "a_instances.csv").read_text()
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_asked_for_lies_beside_it(tmp_path):
    pytest.importorskip("roifile")

    written = _write(tmp_path, kinds=("roi", "coco", "geojson"))

    names = [path.name for path in written]
    assert names == ["a_instances.csv", "a_coco.json", "a.geojson", "a_rois.zip"]
    assert all(path.stat().st_size for path in written)


def test_several_classes_are_told_as_beside_an_annotation(tmp_path):
    _write(tmp_path, classes={1: "cell", 3: "debris"})

    found = json.loads((tmp_path / "a.json").read_text())
    assert found == {"instances": {"1": 1, "2": 3}}


def test_what_cannot_be_written_is_refused_before_the_work():
    with pytest.raises(UsageError, match="yolo"):
        check_kinds(["yolo"], 2)
    with pytest.raises(UsageError, match="3-D"):
        check_kinds(["coco"], 3)
    check_kinds(["coco", "geojson"], 2)
