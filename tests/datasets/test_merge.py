"""Several data sets in one, whose labels are united by name."""

import json

import numpy as np
import pytest
from PIL import Image as Picture

import autoseg
from autoseg.datasets.annotations import read_annotation
from autoseg.datasets.read import load_dataset
from autoseg.errors import DatasetError, UsageError
from autoseg.tasks import choose_task, make_task


def _write(folder, labels, cases, **raw):
    """Write pictures; each class of `labels` is a column of its value."""
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True)
    drawn = np.zeros((6, 9), np.uint8)
    for column, value in enumerate(labels.values()):
        drawn[2:4, 2 * column] = value
    for case in cases:
        gray = np.full((6, 9), 50, np.uint8)
        Picture.fromarray(gray).save(folder / "imagesTr" / f"{case}_0000.png")
        Picture.fromarray(drawn).save(folder / "labelsTr" / f"{case}.png")
    said = {"channel_names": {"0": "gray"}, "labels": labels, "file_ending": ".png"}
    (folder / "dataset.json").write_text(json.dumps({**said, **raw}))
    return folder


@pytest.fixture
def two(tmp_path):
    first = {"background": 0, "liver": 1, "spleen": 2}
    second = {"nothing": 0, "kidney": 1, "liver": 2}
    groups = {"a": "p1", "b": "p1"}
    return (
        _write(tmp_path / "First", first, ("a", "b"), groups=groups),
        _write(tmp_path / "Second", second, ("b", "c"), groups={"c": "p1"}),
    )


def test_each_class_has_one_value_and_each_case_says_what_it_speaks_of(two, tmp_path):
    folder = autoseg.merge(two, tmp_path / "Both")

    dataset = load_dataset(folder)
    said = {case.id: (case.annotated, case.group) for case in dataset.training}
    # "kidney" had the value of "liver"; 3 is the smallest that nobody has.
    assert dataset.raw["labels"] == {
        "background": 0,
        "liver": 1,
        "spleen": 2,
        "kidney": 3,
    }
    assert said == {
        "First_b": (("liver", "spleen"), "First: p1"),
        "Second_b": (("kidney", "liver"), None),
        "a": (("liver", "spleen"), "First: p1"),
        "c": (("kidney", "liver"), "Second: p1"),
    }


def test_values_are_changed_where_they_must_be_and_nothing_else_is_written(
    two, tmp_path
):
    before = {p: p.read_bytes() for folder in two for p in folder.rglob("*.png")}

    folder = autoseg.merge(two, tmp_path / "Both")

    dataset = load_dataset(folder)
    task = make_task(choose_task(dataset))
    case = dataset.case("c")
    found, _ = read_annotation(case.annotation, dataset, task, case_id="c")
    # Columns 0, 2 and 4 of the second data set are background, kidney and liver.
    assert np.asarray(found)[2, [2, 4]].tolist() == [3, 1]
    written = {str(path.relative_to(folder)) for path in folder.rglob("*.*")}
    assert written == {"dataset.json", "labelsTr/Second_b.png", "labelsTr/c.png"}
    assert dataset.case("a").images == (two[0] / "imagesTr" / "a_0000.png",)
    assert before == {p: p.read_bytes() for one in two for p in one.rglob("*.png")}


def test_data_sets_with_the_same_labels_are_annotated_in_full(tmp_path):
    labels = {"background": 0, "liver": 1}
    parts = [_write(tmp_path / name, labels, (name,)) for name in ("x", "y")]

    dataset = load_dataset(autoseg.merge(parts, tmp_path / "both"))

    assert "annotated" not in dataset.raw and len(dataset.training) == 2


def test_everything_that_differs_is_told_at_once(tmp_path):
    one = _write(tmp_path / "one", {"background": 0, "x": 1}, ("a",))
    other = _write(
        tmp_path / "other",
        {"background": 0, "x": 1},
        ("b",),
        channel_names={"0": "color"},
        spacing=[1.0, 1.0],
    )

    with pytest.raises(DatasetError, match="(?s)channels gray and color.*`spacing`"):
        autoseg.merge([one, other], tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_classes_of_instances_have_to_have_the_same_numbers(tmp_path):
    one = _write(tmp_path / "one", {"cell": 1}, ("a",), task="instance")
    other = _write(tmp_path / "other", {"cell": 2}, ("b",), task="instance")

    with pytest.raises(DatasetError, match="'cell' has the number 1 in one and 2"):
        autoseg.merge([one, other], tmp_path / "both")


def test_one_data_set_needs_no_merging(two, tmp_path):
    with pytest.raises(UsageError, match="two data sets"):
        autoseg.merge(two[:1], tmp_path / "both")
    with pytest.raises(UsageError, match="given twice"):
        autoseg.merge([two[0], two[0]], tmp_path / "both")
    (tmp_path / "link").symlink_to(two[0])
    with pytest.raises(UsageError, match="given twice"):
        autoseg.merge([two[0], tmp_path / "link"], tmp_path / "both")
