"""Points are read in the image of their case, and summed up all together."""

import json

import numpy as np
import pytest
from PIL import Image

from autoseg.evaluate.kinds.points import PointsEvaluation
from autoseg.evaluate.stage import evaluate
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


@pytest.mark.parametrize("origin", ["center", "one"])
@pytest.mark.parametrize("side", ["annotation", "prediction"])
def test_points_at_0_along_all_axes_are_told_and_scored_as_they_stand(
    tmp_path, caplog, origin, side
):
    (tmp_path / "imagesTr").mkdir()
    rows = []
    for case in "abc":
        Image.fromarray(np.zeros((20, 20), np.uint8)).save(
            tmp_path / f"imagesTr/{case}.png"
        )
        rows.append(f"{case},tip,5,6\n")
    said = "case,landmark,x,y\n" + "".join(rows)
    zeros = said.replace("a,tip,5,6", "a,tip,0,0").replace("b,tip,5,6", "b,tip,0,0")
    texts = (zeros, said) if side == "annotation" else (said, zeros)
    (tmp_path / "labelsTr.csv").write_text(texts[0])
    (tmp_path / "found.csv").write_text(texts[1])
    description = {
        "task": "landmark",
        "channel_names": ["gray"],
        "landmarks": ["tip"],
        "coordinates": {"origin": origin},
        "file_ending": ".png",
    }
    (tmp_path / "dataset.json").write_text(json.dumps(description))

    summary = evaluate(
        tmp_path / "found.csv",
        tmp_path / "labelsTr.csv",
        dataset=tmp_path,
        output=tmp_path / "scores",
    )

    assert f"'tip' is at 0 along all axes in 2 {side}s (a, b)" in caplog.text
    assert caplog.text.count("at 0 along") == 1
    errors = [of["tip"]["mre"] for of in summary.cases.values()]
    assert errors == pytest.approx([61**0.5, 61**0.5, 0])  # 5, 6 from 0, 0
