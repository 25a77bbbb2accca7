"""Label maps are found and scored as they lie, and a kind without a file like them."""

import nibabel
import numpy as np
import pytest

from autoseg.errors import CaseErrors, FormatError
from autoseg.evaluate.kinds import EVALUATE_KINDS
from autoseg.evaluate.kinds.labels import LabelsEvaluation
from autoseg.evaluate.stage import evaluate
from autoseg.tasks.semantic import SemanticTask
from tests import toy

TASK = SemanticTask({"background": 0, "organ": 1})


def _files(folder):
    """Two of four voxels are shared: a Dice of 2 * 2 / (4 + 4)."""
    first, second = np.zeros((2, 4, 6, 6), np.uint8)
    first[1, 2, 0:4], second[1, 2, 2:6] = 1, 1
    paths = [folder / name / "case.nii.gz" for name in ("found", "drawn")]
    for path, labels in zip(paths, (first, second), strict=True):
        path.parent.mkdir()
        toy.write_nifti(path, labels)
    return paths


def test_a_case_is_scored_from_its_two_files(tmp_path):
    found, drawn = _files(tmp_path)
    kind = LabelsEvaluation(TASK, None, {})

    assert kind.files(tmp_path / "found") == {"case": found}
    assert kind.score("case", found, drawn)["organ"]["dice"] == 0.5
    assert kind.unit == "mm"
    assert kind.summed({}) == {}


def test_a_prediction_on_another_grid_is_refused(tmp_path):
    found, drawn = _files(tmp_path)
    toy.write_nifti(found, np.zeros((4, 6, 5), np.uint8))

    with pytest.raises(FormatError, match=r"not on the grid of its annotation"):
        LabelsEvaluation(TASK, None, {}).score("case", found, drawn)


def test_a_kind_without_a_file_of_its_own_is_scored_alike(tmp_path, monkeypatch):
    found, _ = _files(tmp_path)
    taken = []

    def none_of_its_own(name, default):
        taken.append(name)
        return default

    monkeypatch.setattr(EVALUATE_KINDS, "get", none_of_its_own)

    summary = evaluate(found.parent, tmp_path / "drawn", labels=[1], workers=1)

    assert taken == ["labels"]
    assert summary.mean("dice") == 0.5


def test_a_prediction_with_other_axes_over_the_same_place_is_turned(tmp_path):
    data = toy.volumes(tmp_path / "Toy", cases=2, test=0, shape=(4, 8, 10))
    predictions = tmp_path / "predicted"
    predictions.mkdir()
    for path in sorted((data / "labelsTr").iterdir()):
        drawn = nibabel.load(path)
        # Two axes run backwards, and the shape stays.
        turn = np.array([[0, -1], [1, -1], [2, 1]])
        nibabel.save(drawn.as_reoriented(turn), predictions / path.name)

    summary = evaluate(predictions, dataset=data, workers=1)

    # The same voxels in the same places, by nibabel: nothing is missed.
    for scores in summary.cases.values():
        assert {name: of["dice"] for name, of in scores.items()} == dict.fromkeys(
            scores, 1.0
        )


@pytest.mark.parametrize("known", [False, True], ids=["maps alone", "with images"])
def test_a_prediction_with_other_axes_elsewhere_is_blamed_itself(tmp_path, known):
    data = toy.volumes(tmp_path / "Toy", cases=1, test=0, shape=(4, 8, 10))
    predictions = tmp_path / "predicted"
    labels = toy.labels_of(0, (4, 8, 10))
    toy.write_nifti(predictions / "case_00.nii.gz", labels, axes="RPS")
    truth = {"dataset": data} if known else {"labels": [1, 2]}

    with pytest.raises(CaseErrors) as caught:
        evaluate(predictions, data / "labelsTr", **truth, workers=1)

    said = str(caught.value)
    assert "case_00.nii.gz is not on the grid of its annotation: its axes run" in said
    assert "run as RPS, the annotation's as LPS" in said
