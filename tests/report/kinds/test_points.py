"""Points are told by name whether they were found, and painted where they are."""

import numpy as np

from autoseg.report.kinds.points import PointsReport
from autoseg.report.pictures.turned import Turned
from autoseg.spec.image import Geometry, Image
from autoseg.spec.points import Points
from autoseg.tasks import TASKS

TASK = TASKS["landmark"](landmarks=["tip", "gone"])
SHAPE = (4, 6, 8)
TURNED = (-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0)  # x and y run backwards


def _points():
    return Points(
        names=("tip", "gone"), coordinates=[[1.0, 2.0, 3.0], [0, 0, 0]],
        status=np.array([1, 0], np.int8), shape=SHAPE,
        details={"error_p95": np.array([2.5, np.nan])},
    )  # fmt: skip


def test_points_have_no_volume_and_are_found_or_not():
    image = Image(
        array=np.ones((1, *SHAPE), np.float32),
        geometry=Geometry(shape=SHAPE, spacing=(1.0, 1.0, 1.0)),
    )

    assert PointsReport(TASK).amounts(_points(), image) == ({}, {"tip": 1, "gone": 0})


def test_points_are_turned_as_their_image_is():
    geometry = Geometry(shape=SHAPE, spacing=(1.0, 1.0, 1.0), direction=TURNED)

    layer = PointsReport(TASK).layer(_points(), None, Turned(geometry))

    # Alone, they are an annotation; 6 rows and 8 columns are counted from the end.
    assert layer.prediction == {}
    assert layer.reference["tip"].tolist() == [1.0, 5 - 2.0, 7 - 3.0]
    assert set(layer.reference) == {"tip"}
    assert layer.radii == {"tip": 2.5}


def test_intensities_are_compared_where_the_image_is_not_0():
    array = np.zeros((2, *SHAPE), np.float32)
    array[1, 0, 0, :3] = 7
    geometry = Geometry(shape=SHAPE, spacing=(1.0, 1.0, 1.0))

    mask = PointsReport(TASK).mask(_points(), Image(array=array, geometry=geometry))

    assert mask.sum() == 3
