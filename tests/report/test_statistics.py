import json
import math

import numpy as np
import pytest

from autoseg.report.kinds import REPORT_KINDS
from autoseg.spec.image import Geometry, Image
from autoseg.spec.instances import Instances
from autoseg.spec.points import Points
from autoseg.tasks import TASKS

SHAPE = (6, 8, 10)


def _image(direction=(), origin=(10.0, 20.0, 30.0)):
    array = np.zeros((2, *SHAPE), np.float32)
    array[0] = np.arange(10)  # along x
    array[1] = 5
    geometry = Geometry(
        shape=SHAPE, spacing=(3.0, 2.0, 0.5), origin=origin, direction=direction
    )
    return Image(array=array, geometry=geometry)


def _kind(task):
    return REPORT_KINDS[task.kind](task)


def _semantic():
    return TASKS["semantic"](labels={"background": 0, "box": 1, "nothing": 2})


def _box():
    labels = np.zeros(SHAPE, np.uint8)
    labels[1:3, 2:6, 4:8] = 1
    return labels


def test_a_box_is_where_it_is_in_physical_units():
    row, missing = _kind(_semantic()).measure(_box(), _image())

    assert (row["class"], row["voxels"], row["instance"]) == ("box", 32, None)
    assert row["volume"] == pytest.approx(32 * 3.0)
    assert row["mean"] == pytest.approx([5.5, 5.0])  # x from 4 to 7
    # Center at voxel (1.5, 3.5, 5.5); x = 10 + 0.5 * 5.5, and so on.
    assert row["centroid"] == pytest.approx([12.75, 27.0, 34.5])
    # Edges half a voxel around the centers of the outer voxels.
    assert row["from"] == pytest.approx([11.75, 23.0, 31.5])
    assert row["to"] == pytest.approx([13.75, 31.0, 37.5])
    assert missing["voxels"] == 0 and math.isnan(missing["centroid"][0])


def test_places_follow_the_direction_of_the_axes():
    turned = (-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0)  # x and y run backwards

    row, _ = _kind(_semantic()).measure(_box(), _image(turned))

    assert row["centroid"] == pytest.approx([10 - 2.75, 20 - 7.0, 34.5])
    assert row["from"][0] == pytest.approx(6.25) and row["to"][0] == pytest.approx(8.25)


def test_each_instance_has_a_row_of_its_own():
    ids = np.zeros(SHAPE, np.int32)
    ids[0, 0, :4], ids[5, 7, 9] = 3, 9
    task = TASKS["instance"](labels={"cell": 1, "dot": 2}, axes=3)

    rows = _kind(task).measure(Instances(ids, {3: 1, 9: 2}), _image())

    found = [(row["class"], row["instance"], row["voxels"]) for row in rows]
    assert found == [("cell", 3, 4), ("dot", 9, 1)]
    assert rows[1]["centroid"] == pytest.approx([14.5, 34.0, 45.0])


def test_landmarks_have_no_volume():
    task, points, _ = TASKS["landmark"].example()
    image = Image(
        array=np.ones((1, *points.shape), np.float32),
        geometry=Geometry(shape=points.shape, spacing=(1.0,) * points.dim),
    )

    volumes, found = _kind(task).amounts(points, image)

    assert volumes == {}
    assert sum(found.values()) == int(points.present.sum()) > 0


def test_the_table_and_the_json_file_say_the_same(tmp_path):
    rows = _kind(_semantic()).measure(_box(), _image())

    table, content = _kind(_semantic()).write(
        tmp_path, {"one": rows}, channels=("CT", "PET"), unit="mm", dim=3
    )

    lines = [line.split(",") for line in table.read_text().splitlines()]
    first = dict(zip(lines[0], lines[1], strict=True))
    said = json.loads(content.read_text())["cases"]["one"]
    assert first["case"] == "one" and first["class"] == "box"
    assert float(first["volume_mm3"]) == said[0]["volume"] == 96.0
    assert float(first["centroid_x_mm"]) == 12.75 and float(first["mean_PET"]) == 5.0
    assert dict(zip(lines[0], lines[2], strict=True))["to_z_mm"] == ""
    assert said[1]["centroid"] == [None] * 3


def test_a_landmark_is_where_it_is_in_physical_units(tmp_path):
    task = TASKS["landmark"](landmarks=["tip", "gone"])
    points = Points(
        names=("gone", "tip"), coordinates=[[0, 0, 0], [1.0, 3.0, 5.4]],
        status=np.array([0, 1], np.int8),
        details={"score": np.array([0.1, 0.8]), "error_p50": np.array([9.0, 1.5])},
    )  # fmt: skip

    rows = _kind(task).measure(points, _image())
    table, _ = _kind(task).write(
        tmp_path, {"a": rows}, channels=["T1", "T2"], unit="mm", dim=3
    )

    tip, gone = table.read_text().splitlines()[1:]
    # x = 10 + 0.5 * 5.4, y = 20 + 2 * 3, z = 30 + 3 * 1; nearest voxel: x = 5.
    assert tip == "a,tip,present,0.8,1.5,,12.7,26,33,5,5"
    assert gone == "a,gone,absent,0.1,9,,,,,,"
    heading = table.read_text().splitlines()[0]
    assert heading.startswith("case,landmark,status,score,error_p50_mm,error_p95_mm,x")
