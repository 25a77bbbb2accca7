"""Landmarks that nobody looked for in a case."""

from autoseg.spec.points import ABSENT, PRESENT, UNKNOWN, Points
from autoseg.tasks.landmark import LandmarkTask


def test_they_are_unknown_whatever_the_file_says():
    task = LandmarkTask(landmarks=["tip", "root", "heel"])
    drawn = Points.of({"tip": (1.0, 2.0), "root": (3.0, 4.0), "heel": None}, dim=2)

    found = task.partly(drawn, ["tip", "heel"])

    assert found.status.tolist() == [PRESENT, UNKNOWN, ABSENT]
