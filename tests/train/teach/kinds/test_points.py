"""Of landmarks, points that were found surely are taught, and the others unknown."""

from types import SimpleNamespace

import numpy as np

from autoseg.datasets.points import read_points, write_points
from autoseg.predict.job import Job
from autoseg.spec.dataset import Case
from autoseg.spec.image import Geometry
from autoseg.spec.points import ABSENT, PRESENT, UNKNOWN, Points
from autoseg.tasks.landmark import LandmarkTask
from autoseg.train.teach.kinds.points import TeachPoints

NAMES = ("a", "b", "c", "d")
GEOMETRY = Geometry(shape=(20, 30), spacing=(1.0, 1.0), unit="px")


def test_points_that_are_low_or_absent_are_unknown(tmp_path):
    out = tmp_path / "predicted" / "x.json"
    out.parent.mkdir()
    details = {
        "score": np.array([0.9, 0.9, 0.9, 0.4]),
        "low_confidence": np.array([0.0, 1.0, 0.0, np.nan]),
    }
    places = np.array([[1.0, 2.0], [3.0, 4.0], [np.nan, np.nan], [7.0, 8.0]])
    status = np.array([PRESENT, PRESENT, ABSENT, PRESENT])
    write_points(out, Points(NAMES, places, status, details), GEOMETRY)
    dataset = SimpleNamespace(raw={})
    (tmp_path / "labels").mkdir()
    job = Job(case=Case(id="x", images=()), output=out)

    kind = TeachPoints(LandmarkTask(landmarks=NAMES), dataset, sure=0.5)
    path, share = kind.annotate(job, tmp_path / "labels")

    found, _ = read_points(path, None, None, "x")
    found = found.ordered(NAMES)
    assert found.status.tolist() == [PRESENT, UNKNOWN, UNKNOWN, UNKNOWN]
    assert found.coordinates[0].tolist() == [1.0, 2.0] and share == 0.25
    lower = TeachPoints(LandmarkTask(landmarks=NAMES), dataset, sure=0.3)
    assert lower.annotate(job, tmp_path / "labels")[1] == 0.5
