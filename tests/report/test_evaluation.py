import numpy as np
import pytest

from autoseg.datasets.read import load_dataset
from autoseg.evaluate.stage import evaluate
from autoseg.report.evaluation import choose_cases, overlay_case, plot_evaluation
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
    file = dataset.training[0].annotation

    row = overlay_case(dataset, "case_00", file, file, {"one": 1.0})

    # Stored with x to the right and y to the front, both run the other way.
    labels = toy.labels_of(0)
    expected = labels[:, ::-1, ::-1] if flipped else labels
    np.testing.assert_array_equal(row.prediction, expected)
    np.testing.assert_array_equal(row.reference, expected)
    assert row.image.shape == (1, *toy.SHAPE)
    assert row.spacing == pytest.approx(toy.SPACING)
