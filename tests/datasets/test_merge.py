"""Several data sets in one, whose labels are united by name."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image as Picture

import autoseg
from autoseg.datasets.annotations import read_annotation
from autoseg.datasets.read import load_dataset
from autoseg.errors import DatasetError, UsageError
from autoseg.formats.base import read_image
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


def test_a_class_that_is_nearly_called_as_another_is_not_made_two(tmp_path):
    one = _write(tmp_path / "one", {"background": 0, "left lung": 1}, ("a",))
    other = _write(tmp_path / "other", {"background": 0, "Left_Lung": 1}, ("b",))

    with pytest.raises(DatasetError, match="'left lung' of one and 'Left_Lung' of oth"):
        autoseg.merge([one, other], tmp_path / "both")

    _write(tmp_path / "third", {"background": 0, "a": 1, "A": 2}, ("c",))
    _write(tmp_path / "fourth", {"background": 0, "A": 1, "a": 2}, ("d",))
    both = autoseg.merge([tmp_path / "third", tmp_path / "fourth"], tmp_path / "two")
    labels = load_dataset(both).raw["labels"]
    assert labels == {"background": 0, "a": 1, "A": 2}  # each has both


def test_what_files_call_classes_is_kept(tmp_path):
    """Segments 1 and 2 are called so that values alone would exchange them."""
    labels = {"background": 0, "liver": 1, "tumor": 2}
    one = _write(tmp_path / "one", labels, ("a",), colors={"liver": "#112233"})
    code = ["SCT", "1", "x"]
    said = {"segments": {"GTV": "tumor", "Leber": "liver"}, "tilt": "straight"}
    other = _write(
        tmp_path / "other", labels, ("b",), dicom=said, codes={"liver": code}
    )
    drawn = np.zeros((1, 6, 9), np.uint8)
    drawn[0, 2, 2:4] = 1, 2
    image = sitk.GetImageFromArray(drawn)
    for number, (name, value) in enumerate((("GTV", "1"), ("Leber", "2"))):
        image.SetMetaData(f"Segment{number}_Name", name)
        image.SetMetaData(f"Segment{number}_LabelValue", value)
        image.SetMetaData(f"Segment{number}_Layer", "0")
    (other / "labelsTr" / "b.png").unlink()
    sitk.WriteImage(image, str(other / "labelsTr" / "b.seg.nrrd"))

    dataset = load_dataset(autoseg.merge([one, other], tmp_path / "both"))

    path = dataset.case("b").annotation
    task = make_task(choose_task(dataset))
    found, _ = read_annotation(path, dataset, task, case_id="b")
    assert np.asarray(found)[0, 2, 2:4].tolist() == [2, 1]
    assert dataset.raw["colors"] == {"liver": "#112233"}
    assert dataset.raw["codes"] == {"liver": code}
    assert dataset.raw["dicom"] == {"segments": said["segments"]}  # the rest differs

    _write(tmp_path / "third", labels, ("c",), dicom={"segments": {"GTV": "liver"}})
    with pytest.raises(DatasetError, match="`segments` of 'GTV' is 'tumor' in one and"):
        autoseg.merge([other, tmp_path / "third"], tmp_path / "no")


@pytest.mark.parametrize("kind", ["landmark", "instance"])
def test_files_that_name_their_case_are_read_under_its_new_name(tmp_path, kind):
    parts = []
    for number, part in enumerate(("one", "other")):
        folder = _write(tmp_path / part, {"cell": 1}, ("c",), task=kind)
        (folder / "labelsTr" / "c.png").unlink()
        raw = json.loads((folder / "dataset.json").read_text())
        if kind == "landmark":
            del raw["labels"]
            raw["landmarks"] = ["p"]
            text = f"case,name,x,y\nc,p,{number + 3},2\nd,p,0,0\n"
            (folder / "labelsTr" / "c.csv").write_text(text)
        else:
            square = [number, 0, number + 2, 0, number + 2, 2, number, 2]
            text = {
                "images": [
                    {"id": i, "file_name": f"{n}.png", "height": 6, "width": 9}
                    for i, n in enumerate("dc")
                ],
                "categories": [{"id": 1, "name": "cell"}],
                "annotations": [
                    {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [square]}
                ],
            }
            (folder / "labelsTr" / "c.json").write_text(json.dumps(text))
        (folder / "dataset.json").write_text(json.dumps(raw))
        parts.append(folder)

    dataset = load_dataset(autoseg.merge(parts, tmp_path / "both"))

    task = make_task(choose_task(dataset))
    assert [case.id for case in dataset.training] == ["one_c", "other_c"]
    for number, case in enumerate(dataset.training):
        image = read_image(case, dataset).geometry
        found, _ = read_annotation(
            case.annotation, dataset, task, image=image, case_id=case.id
        )
        if kind == "landmark":
            np.testing.assert_array_equal(found.coordinates, [[2, number + 3]])
        else:
            columns = np.flatnonzero(np.asarray(found).any(axis=0))
            assert columns.tolist() == [number, number + 1]
