import numpy as np
import pytest

from autoseg.datasets.read import load_dataset
from autoseg.evaluate.stage import evaluate
from autoseg.evaluate.summary import Summary
from autoseg.report.artist import Artist
from autoseg.report.evaluation import choose_cases, plot_evaluation
from autoseg.report.kinds import REPORT_KINDS
from autoseg.tasks import TASKS
from tests import toy


@pytest.fixture
def scored(tmp_path):
    """Five cases, the higher the number the worse the prediction."""
    folder = toy.volumes(tmp_path / "Toy", cases=5, test=0)
    for number in range(5):
        labels = toy.labels_of(number)
        labels[: 2 * number] = 0
        path = tmp_path / "predictions" / f"case_{number:02d}.nii.gz"
        toy.write_nifti(path, labels)
    summary = evaluate(tmp_path / "predictions", folder, workers=1)
    return summary, load_dataset(folder), tmp_path


def test_best_middle_and_worst_are_chosen(scored):
    summary, *_ = scored

    assert choose_cases(summary, 3) == ("case_00", "case_02", "case_04")
    assert choose_cases(summary, 2) == ("case_00", "case_04")
    assert choose_cases(summary, 1) == ("case_00",)
    assert len(choose_cases(summary, 99)) == 5


def test_they_are_drawn_with_images_and_truth(scored):
    from PIL import Image

    summary, dataset, folder = scored

    shown = plot_evaluation(
        summary,
        dataset,
        {
            "predictions": folder / "predictions",
            "annotations": dataset.folder / "labelsTr",
        },
        folder / "overlay.png",
        title="toy",
    )

    assert shown == ("case_00", "case_02", "case_04")
    with Image.open(folder / "overlay.png") as picture:
        assert np.asarray(picture).std() > 10


def test_a_picture_of_regions_in_two_dimensions_is_drawn(tmp_path):
    folder = toy.pictures(tmp_path / "Toy", cases=2, test=0)
    truth = folder / "labelsTr"
    summary = evaluate(truth, folder, output=tmp_path, workers=1)

    plot_evaluation(
        summary,
        load_dataset(folder),
        {"predictions": truth, "annotations": truth},
        tmp_path / "overlay.png",
    )

    assert (tmp_path / "overlay.png").is_file()


@pytest.mark.parametrize("axes, flipped", [("LPS", False), ("RAS", True)])
def test_patients_lie_the_same_way_however_they_are_stored(tmp_path, axes, flipped):
    dataset = load_dataset(toy.volumes(tmp_path, cases=1, test=0, axes=(axes,)))
    case = dataset.training[0]

    view = Artist(dataset=dataset).view(case, case.annotation, case.annotation)

    # Stored with x to the right and y to the front, both run the other way.
    labels = toy.labels_of(0)
    expected = labels[:, ::-1, ::-1] if flipped else labels
    np.testing.assert_array_equal(view.layer.prediction, expected)
    np.testing.assert_array_equal(view.layer.reference, expected)
    assert view.image.shape == (1, *toy.SHAPE)
    assert view.spacing == pytest.approx(toy.SPACING)


def _summary(unit, cases):
    return Summary(unit=unit, foreground={}, classes={}, cases=cases)


def test_landmarks_are_ranked_by_their_error_and_objects_by_their_mean_ap():
    points = _summary(
        "mm", {k: {"tip": {"mre": v}} for k, v in (("a", 3.0), ("b", 1.0))}
    )
    cells = _summary(
        "um", {k: {"cell": {"map": v}} for k, v in (("a", 0.3), ("b", 0.1))}
    )

    assert choose_cases(points, 2, "mre") == ("b", "a")
    assert choose_cases(cells, 2, "map") == ("a", "b")


def test_a_case_in_which_no_landmark_was_found_is_the_worst():
    nan = float("nan")
    of = {"a": {"tip": {"mre": nan}}, "b": {"tip": {"mre": 9.0}}}

    assert choose_cases(_summary("mm", of), 2, "mre") == ("b", "a")


def _kind(name):
    task, _, _ = TASKS[name].example()
    return REPORT_KINDS[task.kind](task)


def test_what_stands_beside_a_row_says_what_was_right():
    nan = float("nan")
    said = {"tp": 0.0, "fp": 0.0, "fn": 0.0, "tn": 0.0, "mre": nan}
    scores = {
        "tip": said | {"tp": 1.0, "mre": 0.456},
        "tail": said | {"fn": 1.0},
        "horn": said | {"fp": 1.0},
        "wing": said | {"tn": 1.0},
    }

    assert _kind("landmark").texts(scores, "mm") == {
        "tip": "0.46 mm", "tail": "missed", "horn": "made up", "wing": "absent: right",
    }  # fmt: skip
    one = {"cell": {"ap_50": 0.5, "map": 0.25, "pq": 0.4}}
    assert _kind("instance").texts(one, "um") == {
        "AP50": "0.500", "mean AP": "0.250", "PQ": "0.400",
    }  # fmt: skip
    two = {"cell": {"map": 0.25}, "debris": {"map": 1.0}}
    assert _kind("instance").texts(two, "um") == {"cell": "0.250", "debris": "1.000"}
