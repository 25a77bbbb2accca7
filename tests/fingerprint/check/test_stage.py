"""Data sets with one thing wrong, and what is said about it."""

import json

import numpy as np
import pytest
import SimpleITK
from PIL import Image as Picture

import autoseg
from autoseg.datasets.read import load_dataset
from autoseg.errors import UsageError
from autoseg.fingerprint.check.stage import check, check_dataset, examine

RNG = np.random.default_rng(0)
SHAPE = (6, 8, 7)


class Toy:
    """A data set folder that can be spoiled."""

    def __init__(self, folder, cases=6, ending=".nii.gz", **description):
        self.folder = folder
        self.ending = ending
        self.description = {
            "channel_names": {"0": "T1"},
            "labels": {"background": 0, "organ": 1, "tumor": 2},
            "numTraining": cases,
            "file_ending": ending,
            **description,
        }
        self.save()
        for number in range(cases):
            self.image(f"case{number}")
            self.labels(f"case{number}")

    def save(self, **changes):
        self.description = {**self.description, **changes}
        self.folder.mkdir(exist_ok=True)
        (self.folder / "dataset.json").write_text(json.dumps(self.description))

    def image(self, case, array=None, channel=0, sub="imagesTr", **geometry):
        if array is None:
            array = RNG.random(SHAPE, dtype=np.float32)
        return self._volume(sub, f"{case}_{channel:04d}", array, **geometry)

    def labels(self, case, array=None, **geometry):
        if array is None:
            array = np.zeros(SHAPE, np.uint8)
            array[1:3, 2:4] = 1
            array[4, 4] = 2
        return self._volume("labelsTr", case, array, **geometry)

    def _volume(self, sub, name, array, spacing=(1, 1.5, 2), **rest):
        image = SimpleITK.GetImageFromArray(array)
        image.SetSpacing(spacing[: image.GetDimension()])
        if "origin" in rest:
            image.SetOrigin(rest["origin"])
        if "orientation" in rest:
            image = SimpleITK.DICOMOrient(image, rest["orientation"])
        if "direction" in rest:
            image.SetDirection(rest["direction"])
        path = self.folder / sub / f"{name}{self.ending}"
        path.parent.mkdir(exist_ok=True)
        SimpleITK.WriteImage(image, str(path))
        return path

    def problems(self, workers=1):
        return list(examine(self.folder, workers).problems)

    def the_problem(self):
        (problem,) = self.problems()
        return problem


@pytest.fixture
def toy(tmp_path):
    return Toy(tmp_path / "toy")


def test_a_good_data_set_has_no_problem(toy):
    assert toy.problems() == []
    assert check_dataset(load_dataset(toy.folder)) == []


def test_python_takes_a_path_or_a_name(toy, tmp_path):
    root = tmp_path / "root"
    (root / "raw").mkdir(parents=True)
    toy.folder.rename(root / "raw" / "toy")

    assert check("toy", root) == []
    assert autoseg.check(root / "raw" / "toy") == []
    with pytest.raises(UsageError, match="gone"):
        check("gone", root)


def test_every_problem_is_found_in_one_run_however_many_work(toy):
    toy.save(spacing="wide", chanel_names={"0": "T1"})
    (toy.folder / "imagesTr" / "case0_0000.nii.gz").write_bytes(b"")
    (toy.folder / "labelsTr" / "case1.nii.gz").unlink()
    toy.labels("case2", np.full(SHAPE, 9, np.uint8))
    toy.labels("case3", np.zeros((6, 8, 6), np.uint8))
    toy.image("case4", np.full(SHAPE, np.nan, np.float32))

    problems = toy.problems()

    files = {p.file.name for p in problems if p.severity == "error"}
    assert files == {
        "dataset.json",
        "case0_0000.nii.gz",
        "case1.nii.gz",
        "case2.nii.gz",
        "case3.nii.gz",
        "case4_0000.nii.gz",
    }
    assert [p for p in problems if p.severity == "warning"]
    assert problems == toy.problems(workers=3)
    assert all(p.found.endswith(".") and p.fix.endswith((".", "}.")) for p in problems)


def test_errors_come_first(toy):
    toy.save(numTraining=7, splits=[{"train": ["gone"], "val": ["case1"]}])

    assert [p.severity for p in toy.problems()] == ["error", "warning"]


def test_a_broken_dataset_json_is_a_problem_and_no_crash(toy):
    (toy.folder / "dataset.json").write_text("{")

    report = examine(toy.folder)

    assert report.has_errors
    assert report.dataset is None
    assert "line 1" in report.problems[0].found


@pytest.mark.parametrize("name", ["Ignore", "IGNORED", "ignore label", "unannotated"])
def test_a_class_that_is_nearly_called_ignore_is_told(toy, name):
    toy.save(labels={"background": 0, "organ": 1, name: 2})

    problem = toy.the_problem()

    assert problem.severity == "warning" and problem.file.name == "dataset.json"
    assert f"{name!r}, which is learned as any other class" in problem.found


def test_wrong_labels_in_dataset_json_do_not_hide_wrong_files(toy):
    toy.save(labels={"background": 0, "organ": "one"})
    (toy.folder / "labelsTr" / "case1.nii.gz").unlink()

    names = {p.file.name for p in toy.problems() if p.severity == "error"}

    assert names == {"dataset.json", "case1.nii.gz"}


# Files


def test_a_missing_channel_is_named(tmp_path):
    toy = Toy(tmp_path / "toy", channel_names={"0": "T1", "1": "T2"})
    for number in range(5):
        toy.image(f"case{number}", channel=1)
    toy.image("case5", channel=2)

    problems = [p for p in toy.problems() if "missing" in p.found]

    assert [p.file.name for p in problems] == ["case5_0001.nii.gz"]


def test_an_image_without_annotation_is_an_error(toy):
    (toy.folder / "labelsTr" / "case1.nii.gz").unlink()

    problem = toy.the_problem()

    assert problem.severity == "error"
    assert "case1 has no annotation" in problem.found


def test_an_annotation_without_image_is_a_warning(toy):
    (toy.folder / "imagesTr" / "case1_0000.nii.gz").unlink()
    toy.save(numTraining=5)

    problem = toy.the_problem()

    assert (problem.severity, problem.file.name) == ("warning", "case1.nii.gz")
    assert "no image" in problem.found


def test_images_with_another_ending_are_a_warning(toy):
    Picture.fromarray(np.zeros((3, 3), np.uint8)).save(
        toy.folder / "imagesTr" / "case9_0000.png"
    )

    assert "not used" in toy.the_problem().found


def test_two_files_for_one_image_are_an_error(tmp_path):
    toy = Toy(tmp_path / "toy", ending=".mha")
    toy.save(file_ending=None)
    toy.ending = ".nii.gz"
    toy.image("case1")

    problem = toy.the_problem()

    assert problem.severity == "error"
    assert "2 channels in 2 files" in problem.found
    assert "case1_0000.mha" in problem.found and "case1_0000.nii.gz" in problem.found


@pytest.mark.parametrize("content", [b"", b"hello"])
def test_a_file_that_cannot_be_read_is_an_error(toy, content):
    (toy.folder / "imagesTr" / "case1_0000.nii.gz").write_bytes(content)

    problem = toy.the_problem()

    assert (problem.severity, problem.file.name) == ("error", "case1_0000.nii.gz")
    assert str(toy.folder) not in problem.found


def test_too_many_channels_are_an_error(toy):
    array = RNG.random((*SHAPE, 2), dtype=np.float32)
    image = SimpleITK.GetImageFromArray(array, isVector=True)
    image.SetSpacing((1, 1.5, 2))
    SimpleITK.WriteImage(image, str(toy.folder / "imagesTr" / "case1_0000.nii.gz"))

    assert "2 channels where 1 is expected" in toy.the_problem().found


def test_no_case_at_all_is_an_error(tmp_path):
    toy = Toy(tmp_path / "toy", cases=0)

    assert "no training case" in toy.the_problem().found


def test_one_case_is_a_warning_and_four_are_a_note(tmp_path):
    few = [p.severity for p in Toy(tmp_path / "a", cases=4).problems()]
    one = [p.severity for p in Toy(tmp_path / "b", cases=1).problems()]

    assert (few, one) == (["note"], ["warning"])


# Images


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_an_error_with_their_place(toy, value):
    array = RNG.random(SHAPE, dtype=np.float32)
    array[1, 2, 3] = array[4, 5, 6] = value
    toy.image("case1", array)

    problem = toy.the_problem()

    assert (problem.severity, problem.file.name) == ("error", "case1_0000.nii.gz")
    assert "2 voxels" in problem.found and "(1, 2, 3)" in problem.found


def test_an_image_of_one_value_is_a_warning(toy):
    toy.image("case1", np.full(SHAPE, 7, np.float32))

    problem = toy.the_problem()

    assert problem.severity == "warning"
    assert "value 7" in problem.found


def test_images_with_the_same_voxels_are_a_warning(toy):
    array = RNG.random(SHAPE, dtype=np.float32)
    toy.image("case1", array)
    toy.image("case4", array)

    problem = toy.the_problem()

    assert (problem.severity, problem.file.name) == ("warning", "case4_0000.nii.gz")
    assert "case1_0000" in problem.found


def test_a_test_image_that_is_a_training_image_is_a_warning(tmp_path):
    toy = Toy(tmp_path / "toy", ending=".nii")  # all of one size
    source = toy.folder / "imagesTr" / "case1_0000.nii"
    (toy.folder / "imagesTs").mkdir()
    (toy.folder / "imagesTs" / "new_0000.nii").write_bytes(source.read_bytes())
    toy.image("other", sub="imagesTs")

    problem = toy.the_problem()

    assert problem.file.name == "new_0000.nii"
    assert "case1_0000" in problem.found


def test_ids_that_differ_in_case_only_are_a_warning(toy):
    toy.image("Case1")
    toy.labels("Case1")
    toy.save(numTraining=7)

    assert "Case1 and case1" in toy.the_problem().found


@pytest.mark.parametrize("other", ["case_1", "case-01", "CASE 1"])
def test_ids_that_are_nearly_the_same_are_a_note(toy, other):
    toy.image(other)
    toy.labels(other)
    toy.save(numTraining=7)

    problem = toy.the_problem()

    assert problem.severity == "note"
    assert other in problem.found and "case1" in problem.found


def test_ids_with_other_numbers_are_not_the_same(toy):
    for other in ("case1_1", "case11", "case_10"):
        toy.image(other)
        toy.labels(other)
    toy.save(numTraining=9)

    assert toy.problems() == []


# Grids


@pytest.mark.parametrize(
    ("shape", "word"),
    [((6, 8, 6), "Resample"), ((7, 8, 6), "another order")],
)
def test_another_shape_of_an_annotation_is_an_error(toy, shape, word):
    toy.labels("case1", np.ones(shape, np.uint8))

    problem = toy.the_problem()

    assert (problem.severity, problem.file.name) == ("error", "case1.nii.gz")
    assert str(shape) in problem.found and word in problem.fix


@pytest.mark.parametrize(
    ("what", "geometry", "severity"),
    [
        ("spacing", {"spacing": (1, 1.5, 3)}, "warning"),
        ("origin", {"origin": (0, 0, 5)}, "warning"),
        # The same first voxel, and axes that run away from the image.
        ("direction", {"direction": (-1, 0, 0, 0, -1, 0, 0, 0, 1)}, "error"),
    ],
)
def test_another_header_of_an_annotation_is_said(toy, what, geometry, severity):
    toy.labels("case1", **geometry)

    problem = toy.the_problem()

    assert (problem.severity, problem.file.name) == (severity, "case1.nii.gz")
    assert f"Its {what}" in problem.found


def test_a_turned_header_is_told_in_letters(toy):
    toy.labels("case1", direction=(-1, 0, 0, 0, -1, 0, 0, 0, 1))

    assert "RAS" in toy.the_problem().found and "LPS" in toy.the_problem().found


@pytest.mark.parametrize(
    ("severity", "changes"),
    [
        ("error", {"spacing": (1, 1.5, 3)}),
        ("error", {"direction": (-1, 0, 0, 0, -1, 0, 0, 0, 1)}),
        ("error", {"array": RNG.random((6, 8, 6), dtype=np.float32)}),
        ("warning", {"origin": (0, 0, 5)}),
    ],
)
def test_channels_on_different_grids(tmp_path, severity, changes):
    toy = Toy(tmp_path / "toy", channel_names={"0": "T1", "1": "T2"})
    for number in range(6):
        toy.image(f"case{number}", channel=1)
    toy.image("case3", channel=1, **changes)

    problem = toy.the_problem()

    assert (problem.severity, problem.file.name) == (severity, "case3_0001.nii.gz")


def test_files_without_a_place_are_not_compared(tmp_path):
    toy = Toy(tmp_path / "toy", cases=0, ending=".png")
    for number in range(6):
        for sub, name in (("imagesTr", "_0000"), ("labelsTr", "")):
            (toy.folder / sub).mkdir(exist_ok=True)
            array = RNG.integers(0, 3, (9, 8)).astype(np.uint8)
            path = toy.folder / sub / f"case{number}{name}.png"
            Picture.fromarray(array).save(path)
    toy.save(numTraining=6)

    assert toy.problems() == []


def test_a_spacing_that_only_the_image_carries_is_no_difference(tmp_path):
    toy = Toy(tmp_path / "toy", cases=0, label_ending=".png", ending=".mha")
    (toy.folder / "labelsTr").mkdir()
    for number in range(6):
        toy.image(f"case{number}", RNG.random((9, 8)), spacing=(0.3, 0.4))
        labels = RNG.integers(0, 3, (9, 8)).astype(np.uint8)
        Picture.fromarray(labels).save(toy.folder / "labelsTr" / f"case{number}.png")
    toy.save(numTraining=6)

    assert toy.problems() == []


def test_cubes_of_one_millimeter_are_odd_in_a_flat_volume(tmp_path):
    toy = Toy(tmp_path / "toy", cases=0)
    for number in range(6):
        toy.image(f"case{number}", RNG.random((4, 16, 16)), spacing=(1, 1, 1))
        labels = np.zeros((4, 16, 16), np.uint8)
        labels[0, 0, :2] = 1, 2
        toy.labels(f"case{number}", labels, spacing=(1, 1, 1))
    toy.save(numTraining=6)

    problem = toy.the_problem()

    assert problem.severity == "warning"
    assert "4 x 16 x 16" in problem.found


@pytest.mark.parametrize(
    ("spacing", "word"),
    [
        ((0.001, 0.0015, 0.002), "far from what is usual"),
        ((0.5, 0.5, 15), "30 times"),
        ((8, 12, 16), "512 times as large"),  # 8 times as long along each axis
    ],
)
def test_an_odd_spacing_is_a_warning(toy, spacing, word):
    toy.image("case1", spacing=spacing)
    toy.labels("case1", spacing=spacing)

    problem = toy.the_problem()

    assert (problem.severity, problem.file.name) == ("warning", "case1_0000.nii.gz")
    assert word in problem.found


def test_a_folder_in_place_of_an_annotation_is_called_that(toy):
    path = toy.labels("case1")
    path.unlink()
    path.mkdir()

    assert toy.the_problem().found == "It is a folder, and not a file."


def test_a_spacing_of_zero_in_a_header_is_a_warning(tmp_path):
    toy = Toy(tmp_path / "toy", ending=".nii")
    for path in (
        toy.folder / "imagesTr" / "case1_0000.nii",
        toy.folder / "labelsTr" / "case1.nii",
    ):
        data = bytearray(path.read_bytes())
        data[84:88] = bytes(4)  # pixdim[2], the spacing along y
        path.write_bytes(data)

    problems = [p for p in toy.problems() if p.file.name == "case1_0000.nii"]

    assert "spacing" in problems[0].found


def test_micrometers_taken_for_millimeters_are_a_warning(tmp_path):
    toy = Toy(tmp_path / "toy", cases=0)
    for number in range(6):
        toy.image(f"case{number}", spacing=(0.002, 0.002, 0.005))
        toy.labels(f"case{number}", spacing=(0.002, 0.002, 0.005))
    toy.save(numTraining=6)

    assert '"unit": "um"' in toy.the_problem().fix


def test_several_orientations_are_a_note(toy):
    toy.image("case1", orientation="RAS")
    toy.labels("case1", orientation="RAS")

    problem = toy.the_problem()

    assert problem.severity == "note"
    assert "5 LPS, 1 RAS" in problem.found


def test_two_and_three_axes_together_are_an_error(toy):
    toy.image("case1", RNG.random((8, 7), dtype=np.float32))
    toy.labels("case1", np.array([[0, 1, 2, 0, 0, 0, 0]] * 8, np.uint8))

    problem = toy.the_problem()

    assert (problem.severity, problem.file.name) == ("error", "case1_0000.nii.gz")
    assert "axes" in problem.found


def test_pictures_beside_volumes_of_one_slice_can_be_written_alike(tmp_path):
    toy = Toy(tmp_path / "toy")
    flat = np.array([[0, 1, 2, 0, 0, 0, 0]] * 8, np.uint8)
    for number in range(6):
        place = (None,) if number < 3 else ()
        toy.image(f"case{number}", RNG.random((8, 7), dtype=np.float32)[place])
        toy.labels(f"case{number}", flat[place])

    (error,) = [p for p in toy.problems() if p.severity == "error"]

    assert "axes" in error.found and "have one slice" in error.fix


def test_a_spacing_that_is_not_used_is_a_note(toy):
    toy.save(spacing=[9, 9, 9])

    problem = toy.the_problem()

    assert problem.severity == "note"
    assert "its own spacing" in problem.found


# Annotations


def test_an_unknown_value_is_an_error_with_the_file(toy):
    array = np.zeros(SHAPE, np.uint8)
    array[0, 0, :3] = 1, 2, 9
    toy.labels("case1", array)

    problem = toy.the_problem()

    assert (problem.severity, problem.file.name) == ("error", "case1.nii.gz")
    assert "value 9" in problem.found and "0, 1, 2" in problem.found


@pytest.mark.parametrize(("value", "hint"), [(255, True), (9, False)])
def test_a_value_that_tools_write_for_nothing_may_be_ignore(toy, value, hint):
    array = np.zeros(SHAPE, np.uint8)
    array[0, 0, :3] = 1, 2, value
    toy.labels("case1", array)

    assert (f'"ignore": {value}' in toy.the_problem().fix) == hint


def test_masks_of_0_and_255_get_a_proposal_that_works(toy):
    toy.save(labels={"background": 0, "x": 1})
    for number in range(6):
        toy.labels(f"case{number}", (RNG.random(SHAPE) > 0.5).astype(np.uint8) * 255)

    first = toy.problems()[0]
    toy.save(labels={"background": 0, "x": 255})

    assert first.file.name == "dataset.json"
    assert '"labels": {"background": 0, "x": 255}' in first.fix
    assert toy.problems() == []


def test_a_proposal_keeps_ignore_and_order(toy):
    toy.save(labels={"background": 0, "a": 1, "b": 2, "ignore": 3})
    for number in range(6):
        toy.labels(f"case{number}", RNG.choice([0, 10, 20, 99], SHAPE).astype(np.uint8))

    assert '{"background": 0, "a": 10, "b": 20, "ignore": 99}' in toy.problems()[0].fix


def test_an_image_in_place_of_a_mask_is_told_from_a_forgotten_class(toy):
    toy.labels("case1", RNG.integers(0, 200, SHAPE).astype(np.uint8))

    assert "no classes" in toy.the_problem().fix


def test_values_that_are_not_whole_are_an_error(toy):
    toy.labels("case1", RNG.random(SHAPE))

    problem = toy.the_problem()

    assert (problem.severity, problem.file.name) == ("error", "case1.nii.gz")
    assert "not whole numbers" in problem.found


def test_an_empty_annotation_is_a_warning_and_all_of_them_an_error(toy):
    toy.labels("case1", np.zeros(SHAPE, np.uint8))
    one = toy.the_problem()
    for number in range(6):
        toy.labels(f"case{number}", np.zeros(SHAPE, np.uint8))
    every = toy.problems()[0]

    assert (one.severity, one.file.name) == ("warning", "case1.nii.gz")
    assert (every.severity, every.file.name) == ("error", "labelsTr")


def test_a_class_that_never_occurs_is_a_warning(toy):
    toy.save(labels={"background": 0, "organ": 1, "tumor": 2, "cyst": 3})

    problem = toy.the_problem()

    assert problem.severity == "warning"
    assert "'cyst' occurs in no annotation" in problem.found


def test_a_class_in_one_case_is_a_warning(toy):
    for number in range(1, 6):
        array = np.zeros(SHAPE, np.uint8)
        array[0] = 1
        toy.labels(f"case{number}", array)

    problem = toy.the_problem()

    assert (problem.severity, problem.file.name) == ("warning", "case0.nii.gz")
    assert "'tumor' occurs in this annotation only" in problem.found


def test_regions_and_ignored_voxels_are_known(toy):
    toy.save(
        labels={"background": 0, "whole": [1, 2], "core": [2], "ignore": 5},
        regions_class_order=[1, 2],
    )
    array = np.zeros(SHAPE, np.uint8)
    array[0, 0, :3] = 1, 2, 5
    toy.labels("case1", array)

    # One voxel of all in the annotations is ignored, which is told.
    (problem,) = toy.problems()
    assert problem.severity == "note" and "ignore" in problem.found + problem.fix


def test_annotations_as_jpeg_are_an_error(tmp_path):
    toy = Toy(tmp_path / "toy", cases=0, ending=".jpg")
    for sub, name in (("imagesTr", "a_0000"), ("labelsTr", "a")):
        (toy.folder / sub).mkdir()
        Picture.fromarray(RNG.integers(0, 9, (9, 8)).astype(np.uint8)).save(
            toy.folder / sub / f"{name}.jpg"
        )

    assert any("JPEG" in p.found for p in toy.problems() if p.severity == "error")


def test_other_tasks_are_checked_as_far_as_they_are_known(toy):
    toy.save(task="counting")
    (toy.folder / "labelsTr" / "case1.nii.gz").write_bytes(b"")

    errors = [p for p in toy.problems() if p.severity == "error"]

    assert [p.file.name for p in errors] == ["dataset.json", "case1.nii.gz"]
    assert "'counting'" in errors[0].found


def test_points_that_are_no_json_are_an_error(toy):
    toy.save(task="pointing", label_ending=".json")
    for number in range(6):
        (toy.folder / "labelsTr" / f"case{number}.json").write_text("{}")
    (toy.folder / "labelsTr" / "case1.json").write_text("{")

    errors = [p for p in toy.problems() if p.severity == "error"]

    assert [p.file.name for p in errors] == ["dataset.json", "case1.json"]


# dataset.json


def test_a_wrong_number_of_cases_is_a_warning(toy):
    toy.save(numTraining=7)

    assert "says 7, but there are 6" in toy.the_problem().found


@pytest.mark.parametrize("number", ["6", 6.0])
def test_a_right_number_of_cases_may_be_written_otherwise(toy, number):
    toy.save(numTraining=number)

    assert toy.problems() == []


def test_a_misspelled_key_is_a_warning(toy):
    toy.save(file_endings=".png")

    assert "'file_ending'" in toy.the_problem().fix


@pytest.mark.parametrize(
    ("fold", "severity", "word"),
    [
        ({"train": ["case0", "gone"], "val": ["case1"]}, "error", "unknown"),
        ({"train": ["case0"], "val": []}, "error", "validate"),
        ({"train": ["case0", "case1"], "val": ["case1"]}, "warning", "trains and"),
    ],
)
def test_splits_that_contradict_the_cases(toy, fold, severity, word):
    toy.save(splits=[fold])

    problem = toy.the_problem()

    assert problem.severity == severity
    assert word in problem.found


def test_splits_that_leak_a_group_are_a_warning(toy):
    toy.save(
        splits=[{"train": ["case0"], "val": ["case1"]}],
        groups={f"case{number}": "one patient" for number in range(6)},
    )

    problem = toy.the_problem()

    assert problem.severity == "warning"
    assert "one patient" in problem.found


def test_groups_that_name_unknown_cases_or_forget_some_are_a_warning(toy):
    toy.save(groups={"gone": "a", **{f"case{n}": "b" for n in range(5)}})

    found = [p.found for p in toy.problems()]

    assert len(found) == 2
    assert "gone" in found[0] and "case5" in found[1]


def test_ids_that_look_like_patients_are_a_note_unless_there_are_groups(tmp_path):
    toy = Toy(tmp_path / "toy", cases=0)
    for case in ("p01_a", "p01_b", "p02_a", "p02_b", "p03_a"):
        toy.image(case)
        toy.labels(case)
    toy.save(numTraining=5)

    assert toy.the_problem().severity == "note"
    toy.save(groups=r"(p\d+)_")
    assert toy.problems() == []


def test_real_data_sets_pass(real_data):
    problems = check(real_data / "Dataset027_ACDC")

    # Frames of one patient, which is good to know.
    assert [p.severity for p in problems] == ["note"]


def test_links_that_lead_nowhere_are_called_that(tmp_path):
    toy = Toy(tmp_path / "toy")
    for name in ("imagesTr/case1_0000.nii.gz", "labelsTr/case2.nii.gz"):
        (toy.folder / name).unlink()
        (toy.folder / name).symlink_to("/nowhere/there")

    found = {p.file.name: p.found for p in check(toy.folder) if p.severity == "error"}

    link = ": it is a link to /nowhere/there, which does not exist."
    assert found == {
        "case1_0000.nii.gz": f"A file of the image case1 is missing{link}",
        "case2.nii.gz": f"The image case2 has no annotation{link}",
    }
