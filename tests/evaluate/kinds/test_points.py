"""Points are read in the image of their case, and summed up all together."""

from autoseg.evaluate.kinds.points import PointsEvaluation
from autoseg.tasks import TASKS

TIP = {"mre": 2.0, "sdr_2": 1.0, "tp": 1.0, "fp": 0.0, "fn": 0.0}
FAR = {"mre": 4.0, "sdr_2": 0.0, "tp": 1.0, "fp": 0.0, "fn": 0.0}


def _kind():
    task, _, _ = TASKS["landmark"].example()
    return PointsEvaluation(task, None, {})


def test_one_table_has_the_points_of_all_its_cases(tmp_path):
    table = tmp_path / "found.csv"
    table.write_text("case,landmark,x,y\nb,tip,1,2\na,tip,3,4\n")

    assert _kind().files(table) == {"a": table, "b": table}


def test_every_point_counts_the_same_however_many_a_case_has():
    cases = {"a": {"tip": TIP}, "b": {"tip": FAR, "root": FAR}}

    summed = _kind().summed(cases)

    assert summed["all points"]["mre"] == 10 / 3
    assert summed["tip"]["mre"] == 3
    assert summed["all points"]["sdr_2"] == 1 / 3
