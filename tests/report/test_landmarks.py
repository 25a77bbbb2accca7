import json
import math

import numpy as np
from PIL import Image

from autoseg.datasets.points import write_points
from autoseg.evaluate.points import summarize_points
from autoseg.evaluate.summary import Summary
from autoseg.report.landmarks import plot_worst_points, worst_cases, worst_point
from autoseg.report.page.sections import frame
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.image import Geometry
from autoseg.spec.points import Points

nan = float("nan")


def summary_of(errors):
    cases = {
        case: {name: {"mre": value} for name, value in of.items()}
        for case, of in errors.items()
    }
    points = summarize_points(cases)
    return Summary(unit="mm", foreground={}, classes={}, cases=cases, points=points)


def test_cases_are_ranked_by_their_mean_error_and_a_missed_case_is_the_worst():
    summary = summary_of(
        {"good": {"a": 1.0}, "bad": {"a": 2.0, "b": 4.0}, "lost": {"a": nan}}
    )

    assert worst_cases(summary, 2) == ("lost", "bad")


def test_a_missed_point_is_worse_than_any_error():
    truth = Points.of({"a": (1, 1), "b": (2, 2), "gone": None}, dim=2)

    assert worst_point(truth, {"a": 5.0, "b": nan}) == 1
    assert worst_point(truth, {"a": 5.0, "b": 2.0}) == 0


def test_the_picture_shows_where_points_are(tmp_path):
    rng = np.random.default_rng(0)
    predictions = tmp_path / "predictions"
    cases, errors = [], {}
    for number in range(3):
        name = f"case{number}"
        array = rng.integers(0, 99, (40, 30)).astype(np.uint8)
        Image.fromarray(array).save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.json").write_text(json.dumps({"tip": [10, 20]}))
        points = Points.of({"tip": (20.0 + number, 10.0)}, dim=2)
        geometry = Geometry(shape=(40, 30), spacing=(1.0, 1.0))
        write_points(predictions / f"{name}.json", points, geometry)
        image, annotation = tmp_path / f"{name}.png", tmp_path / f"{name}.json"
        cases.append(Case(id=name, images=(image,), annotation=annotation))
        errors[name] = {"tip": float(number)}
    dataset = Dataset(
        name="a",
        folder=tmp_path,
        task="landmark",
        channel_names=("x",),
        image_ending=".png",
        annotation_ending=".json",
        raw={"landmarks": ["tip"]},
        training=tuple(cases),
    )
    path = tmp_path / "worst.png"

    shown = plot_worst_points(summary_of(errors), dataset, predictions, path, cases=2)

    assert shown == ("case2", "case1")
    colors = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3).astype(int)
    for wanted in ((0x00, 0x9E, 0x73), (0xD5, 0x5E, 0x00)):  # annotated, predicted
        assert (np.abs(colors - wanted).max(axis=1) < 12).sum() > 20
    assert math.isclose(colors.max(), 255)


def page_of(selection=None):
    """What a page is made of, as far as its first tiles need it."""
    trained = {
        "configuration": "3d_fullres",
        "measure": "mre",
        "scores": {"foreground": {"mre": {"mean": 1.25}}, "classes": {}, "cases": 4},
        "cases": [],
        "folds": [],
        "calibration": None,
    }
    data = {
        "name": "Toy", "task": "landmark", "dim": 3, "channels": ["MR"], "unit": "mm",
        "landmarks": {"a": {}}, "objects": None, "classes": {}, "training_cases": 4,
        "shape": {"median": (4, 5, 6)},
    }  # fmt: skip
    return {
        "data": data, "trained": [trained], "plans": [], "selection": selection,
        "predictions": None, "stages": [],
    }  # fmt: skip


def tiles(content):
    return {tile["name"]: tile["value"] for tile in frame(content)["tiles"]}


def test_the_first_tiles_give_the_mean_error_in_its_unit():
    assert tiles(page_of())["MRE, 3d_fullres"] == "1.25 mm"


def test_the_first_tiles_give_the_chosen_model_while_it_is_of_these_folds():
    chosen = {"by": "mre", "final": {"mean": 1.125}, "outdated": False}
    assert tiles(page_of(chosen))["MRE, chosen model"] == "1.12 mm"
    assert "MRE, 3d_fullres" not in tiles(page_of(chosen))

    chosen["outdated"] = True
    assert tiles(page_of(chosen))["MRE, 3d_fullres"] == "1.25 mm"
