import json
import math
import shutil

import numpy as np
import pytest

from autoseg.errors import CaseErrors, PartDone, UsageError
from autoseg.evaluate.stage import evaluate
from autoseg.evaluate.summary import Summary
from autoseg.spec.choice import Choice
from tests import toy


@pytest.fixture
def dataset(tmp_path):
    return toy.volumes(tmp_path / "Toy", cases=4, test=0)


@pytest.fixture
def predictions(dataset, tmp_path):
    """Perfect ones, but that case_01 lacks class two altogether."""
    folder = tmp_path / "predictions"
    shutil.copytree(dataset / "labelsTr", folder)
    labels = toy.labels_of(1)
    labels[labels == 2] = 0
    toy.write_nifti(folder / "case_01.nii.gz", labels)
    return folder


def test_each_case_and_class_is_scored(dataset, predictions):
    summary = evaluate(predictions, dataset, workers=1)

    assert summary.unit == "mm"
    assert list(summary.cases) == ["case_00", "case_01", "case_02", "case_03"]
    assert summary.cases["case_00"]["two"]["dice"] == 1
    assert summary.cases["case_01"]["one"]["dice"] == 1
    assert summary.cases["case_01"]["two"]["dice"] == 0
    assert summary.classes["two"]["dice"].mean == 0.75
    assert summary.mean("dice") == (1 + 0.75) / 2
    assert summary.classes["two"]["hd95"].infinite == 1
    assert summary.classes["two"]["hd95"].mean == 0


def test_the_order_of_work_changes_nothing(dataset, predictions, tmp_path):
    for workers in (1, 3):
        evaluate(predictions, dataset, output=tmp_path / str(workers), workers=workers)

    for name in ("summary.json", "summary.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (
            tmp_path / "3" / name
        ).read_bytes()


def test_what_is_written_is_strict_json_and_reads_back(dataset, predictions):
    summary = evaluate(predictions, dataset, workers=1)

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    raw = json.loads((predictions / "summary.json").read_text(), parse_constant=refuse)
    assert raw["cases"]["case_01"]["two"]["hd95"] == "Infinity"
    assert raw["cases"]["case_01"]["two"]["precision"] is None
    back = Summary.load(predictions / "summary.json")
    assert back.classes["one"] == summary.classes["one"]
    assert math.isinf(back.cases["case_01"]["two"]["hd95"])
    assert math.isnan(back.cases["case_01"]["two"]["precision"])


def test_the_table_for_machines_has_a_row_for_each_case_and_class(dataset, predictions):
    evaluate(predictions, dataset, workers=1)

    rows = (predictions / "summary.csv").read_text().splitlines()
    header = rows[0].split(",")
    missed = next(row for row in rows if row.startswith("case_01,two")).split(",")

    assert len(rows) == 1 + 4 * 2
    assert header[:3] == ["case", "class", "dice"]
    assert missed[header.index("hd95")] == "inf"
    assert missed[header.index("precision")] == ""


def test_lengths_are_in_millimeters(dataset, predictions):
    # The whole annotation one slice further: slices are 2 mm thick.
    labels = np.roll(toy.labels_of(0), 1, axis=0)
    toy.write_nifti(predictions / "case_00.nii.gz", labels)

    summary = evaluate(predictions, dataset, cases=["case_00"], workers=1)

    assert summary.cases["case_00"]["one"]["hd95"] == 2
    assert summary.cases["case_00"]["one"]["tolerance"] == 0.75


def test_the_tolerance_can_be_given(dataset, predictions):
    labels = np.roll(toy.labels_of(0), 1, axis=0)
    toy.write_nifti(predictions / "case_00.nii.gz", labels)

    summary = evaluate(
        predictions, dataset, cases=["case_00"], tolerance=2.0, workers=1
    )

    assert summary.cases["case_00"]["one"]["nsd"] == 1


def test_endings_may_differ(dataset, predictions):
    import SimpleITK

    for path in sorted(predictions.glob("*.nii.gz")):
        image = SimpleITK.ReadImage(str(path))
        SimpleITK.WriteImage(image, str(path).replace(".nii.gz", ".mha"))
        path.unlink()

    summary = evaluate(predictions, dataset, workers=1)

    assert summary.classes["one"]["dice"].mean == 1


def test_labels_can_be_given_in_place_of_a_dataset(dataset, predictions):
    truth = dataset / "labelsTr"

    listed = evaluate(predictions, truth, labels=[1, [1, 2]], workers=1)
    named = evaluate(predictions, truth, labels={"a": 1, "b": [1, 2]}, workers=1)

    assert list(listed.classes) == ["1", "1+2"]
    assert list(named.classes) == ["a", "b"]
    assert named.classes["a"]["dice"] == listed.classes["1"]["dice"]


def test_a_task_can_be_given_as_in_a_plan(dataset, predictions):
    task = Choice(name="semantic", options={"labels": {"background": 0, "all": [1, 2]}})

    with pytest.raises(UsageError, match="which annotations"):
        evaluate(predictions, task=task)
    summary = evaluate(predictions, dataset / "labelsTr", task=task, workers=1)

    assert list(summary.classes) == ["all"]


def test_what_nobody_annotated_does_not_count(tmp_path):
    dataset = toy.ignored(tmp_path / "Toy", cases=1, test=0)
    labels = toy.labels_of(0)
    labels[1::2] = 1  # wrong everywhere in slices that nobody annotated
    toy.write_nifti(tmp_path / "predictions" / "case_00.nii.gz", labels)

    summary = evaluate(tmp_path / "predictions", dataset, workers=1)

    assert summary.cases["case_00"]["one"]["dice"] == 1
    assert list(summary.classes) == ["one", "two"]


def test_regions_are_scored_as_what_they_are_made_of(tmp_path):
    dataset = toy.regions(tmp_path / "Toy", cases=1, test=0)
    labels = toy.labels_of(0)
    labels[labels == 1] = 2  # core everywhere; the whole is right
    toy.write_nifti(tmp_path / "predictions" / "case_00.nii.gz", labels)

    summary = evaluate(tmp_path / "predictions", dataset, workers=1)

    assert summary.cases["case_00"]["whole"]["dice"] == 1
    assert summary.cases["case_00"]["core"]["dice"] < 1


def test_pictures_are_scored_in_pixels(tmp_path):
    dataset = toy.pictures(tmp_path / "Toy", cases=2, test=0)

    summary = evaluate(dataset / "labelsTr", dataset, output=tmp_path, workers=1)

    assert summary.unit == "px"
    assert summary.mean("dice") == 1


def test_missing_predictions_are_listed(dataset, predictions):
    (predictions / "case_02.nii.gz").unlink()

    with pytest.raises(UsageError, match="lacks .* 1 annotated cases: case_02.*chill"):
        evaluate(predictions, dataset, workers=1)
    summary = evaluate(predictions, dataset, chill=True, workers=1)

    assert summary.missing == ("case_02",)
    assert len(summary.cases) == 3


def test_predictions_without_annotation_are_named_and_not_scored(dataset, predictions):
    shutil.copy(predictions / "case_00.nii.gz", predictions / "new.nii.gz")

    summary = evaluate(predictions, dataset, workers=1)

    assert summary.without_annotation == ("new",)
    assert "new" not in summary.cases


def test_a_folder_without_any_prediction_is_refused(dataset, tmp_path):
    (tmp_path / "empty").mkdir()

    with pytest.raises(UsageError, match="no prediction of any annotated case"):
        evaluate(tmp_path / "empty", dataset, chill=True)


def test_a_case_on_another_grid_fails_alone(dataset, predictions):
    toy.write_nifti(predictions / "case_03.nii.gz", toy.labels_of(3), (4.0, 1.0, 0.75))

    with pytest.raises(CaseErrors, match="case_03.*spacing is .*4.0") as failed:
        evaluate(predictions, dataset, workers=1)

    assert failed.value.finished == 3
    summary = Summary.load(predictions / "summary.json")
    assert list(summary.failed) == ["case_03"]
    assert list(summary.cases) == ["case_00", "case_01", "case_02"]


def test_the_image_says_where_an_annotation_of_its_data_set_lies(tmp_path):
    """Its own header may have lost the spacing: voxels are matched by their index."""
    dataset = toy.volumes(tmp_path / "Toy", cases=2, test=0)
    predictions = tmp_path / "predictions"
    shutil.copytree(dataset / "labelsTr", predictions)
    labels = toy.labels_of(0)
    annotation = dataset / "labelsTr" / "case_00.nii.gz"
    toy.write_nifti(annotation, labels, (1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0))
    shifted = np.zeros_like(labels)
    shifted[:, :, 1:] = labels[:, :, :-1]
    toy.write_nifti(predictions / "case_00.nii.gz", shifted)

    scores = evaluate(predictions, dataset, workers=1).cases["case_00"]

    assert scores["one"]["hd95"] == toy.SPACING[2]

    toy.write_nifti(predictions / "case_00.nii.gz", labels, (1.0, 1.0, 1.0))
    with pytest.raises(CaseErrors, match="not on the grid"):
        evaluate(predictions, dataset, workers=1)


def test_an_unknown_label_fails_with_the_file_and_the_value(dataset, predictions):
    labels = toy.labels_of(0)
    labels[0, 0, 0] = 9
    toy.write_nifti(predictions / "case_00.nii.gz", labels)

    with pytest.raises(CaseErrors, match="case_00.*label value 9"):
        evaluate(predictions, dataset, workers=1)


def test_two_files_of_one_case_are_refused(dataset, predictions):
    shutil.copy(predictions / "case_00.nii.gz", predictions / "case_00.nii")

    with pytest.raises(UsageError, match="two files of case 'case_00'"):
        evaluate(predictions, dataset)


def test_cases_can_be_chosen(dataset, predictions):
    summary = evaluate(predictions, dataset, cases=["case_02"], workers=1)

    assert list(summary.cases) == ["case_02"]
    with pytest.raises(UsageError, match="no annotation of nobody"):
        evaluate(predictions, dataset, cases=["nobody"])


def test_something_must_say_what_labels_mean(dataset, predictions):
    with pytest.raises(UsageError, match="what do the label values mean"):
        evaluate(predictions, dataset / "labelsTr")


def test_a_negative_tolerance_is_refused(dataset, predictions):
    with pytest.raises(UsageError, match="tolerance is -1"):
        evaluate(predictions, dataset, tolerance=-1)


def test_a_data_set_can_be_given_by_name(dataset, predictions, tmp_path):
    shutil.copytree(dataset, tmp_path / "root" / "raw" / "Toy")

    summary = evaluate(predictions, dataset="Toy", root=tmp_path / "root", workers=1)

    assert len(summary.cases) == 4


def test_predictions_and_annotations_the_wrong_way_round_are_refused(
    dataset, predictions
):
    with pytest.raises(UsageError, match="Give predictions with -p"):
        evaluate(dataset / "labelsTr", predictions, dataset)

    assert not (dataset / "labelsTr" / "summary.json").exists()


def test_scores_are_not_written_among_the_files_of_a_data_set(dataset):
    for folder in (dataset / "labelsTr", dataset / "imagesTr" / ".." / "labelsTr"):
        with pytest.raises(UsageError, match=r"Say where scores go \(-o\)"):
            evaluate(folder, dataset)

    assert not (dataset / "labelsTr" / "summary.json").exists()


def test_parts_that_meet_in_any_order_write_what_one_process_does(
    dataset, predictions, tmp_path
):
    given = predictions, dataset
    evaluate(*given, output=tmp_path / "one")
    parts = tmp_path / "parts"

    with pytest.raises(PartDone, match="the last of the parts writes"):
        evaluate(*given, output=parts, num_parts=2, part_id=1)
    assert not (parts / "summary.json").exists()
    summary = evaluate(*given, output=parts, num_parts=2, part_id=0)

    assert list(summary.cases) == ["case_00", "case_01", "case_02", "case_03"]
    for name in ("summary.json", "summary.csv"):
        assert (parts / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    assert sorted(path.name for path in parts.glob("*.parts")) == []


def test_what_a_part_found_in_other_predictions_is_not_taken(
    dataset, predictions, tmp_path
):
    out = tmp_path / "out"
    with pytest.raises(PartDone):
        evaluate(predictions, dataset, output=out, num_parts=2, part_id=1)
    shutil.copy(dataset / "labelsTr" / "case_01.nii.gz", predictions)

    with pytest.raises(PartDone):
        evaluate(predictions, dataset, output=out, num_parts=2, part_id=0)
    summary = evaluate(predictions, dataset, output=out, num_parts=2, part_id=1)

    assert summary.classes["two"]["dice"].mean == 1


def test_a_case_that_fails_in_any_part_is_told_by_the_last(
    dataset, predictions, tmp_path
):
    (predictions / "case_01.nii.gz").write_bytes(b"no image")
    given = {"output": tmp_path / "out", "num_parts": 2}

    with pytest.raises(PartDone):
        evaluate(predictions, dataset, part_id=1, **given)
    with pytest.raises(CaseErrors, match="case_01"):
        evaluate(predictions, dataset, part_id=0, **given)

    summary = Summary.load(tmp_path / "out" / "summary.json")
    assert list(summary.cases) == ["case_00", "case_02", "case_03"]
    assert "case_01" in summary.failed
