"""Which file annotates which image, whatever both are called."""

import json

import pytest

from autoseg.datasets.files import cases_like
from autoseg.datasets.read import load_dataset
from autoseg.spec.dataset import Dataset


def data(folder, images, labels, **description):
    """A data set of empty files: reading which is whose opens none of them."""
    base = {"channel_names": {"0": "T1"}, "labels": {"background": 0, "liver": 1}}
    folder.mkdir(exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps(base | description))
    for place, names in (("imagesTr", images), ("labelsTr", labels)):
        (folder / place).mkdir()
        for name in names:
            (folder / place / name).touch()
    return load_dataset(folder)


def pairs(dataset):
    return {
        case.id: ([p.name for p in case.images], case.annotation.name)
        for case in dataset.training
    }


@pytest.mark.parametrize("ending", [None, ".nrrd"])
def test_seg_nrrd_is_the_annotation_of_nrrd(tmp_path, ending):
    more = {} if ending is None else {"file_ending": ending}
    images = ["c0_0000.nrrd", "c1_0000.nrrd"]
    dataset = data(tmp_path, images, ["c0.seg.nrrd", "c1.seg.nrrd"], **more)

    assert pairs(dataset) == {
        "c0": (["c0_0000.nrrd"], "c0.seg.nrrd"),
        "c1": (["c1_0000.nrrd"], "c1.seg.nrrd"),
    }
    assert dataset.annotation_ending == ".seg.nrrd"


@pytest.mark.parametrize("ending", [None, ".nii.gz"])
def test_annotations_of_other_endings_stand_side_by_side(tmp_path, ending):
    more = {} if ending is None else {"file_ending": ending}
    images = [f"c{i}_0000.nii.gz" for i in range(4)]
    labels = ["c0.nii.gz", "c1.nii", "c2.seg.nrrd", "c3.NII.GZ"]

    found = pairs(data(tmp_path, images, labels, **more))

    assert [annotation for _, annotation in found.values()] == labels


def test_an_ending_that_is_given_is_the_only_one(tmp_path):
    dataset = data(
        tmp_path, ["c0.png", "c1.png"], ["c0.tif", "c1.png"], label_ending=".tif"
    )

    assert [path for _, path in pairs(dataset).values()] == ["c0.tif", "c1.tif"]


@pytest.mark.parametrize(
    "suffix", ["_seg", "_mask", "_label", "_gt", "-labels", "_cp_masks", "_by_Anna"]
)
def test_a_suffix_of_all_annotations_is_left_out(tmp_path, suffix):
    images = ["p_1_0000.nii.gz", "p_2_0000.nii.gz", "p_3_0000.nii.gz"]
    labels = [f"p_{i}{suffix}.nii.gz" for i in (1, 3)]

    found = pairs(data(tmp_path, images, labels))

    assert {case: path for case, (_, path) in found.items()} == {
        "p_1": f"p_1{suffix}.nii.gz",
        "p_2": f"p_2{suffix}.nii.gz",  # where it should be
        "p_3": f"p_3{suffix}.nii.gz",
    }


def test_what_cellpose_writes_beside_its_masks_annotates_nothing(tmp_path):
    ends = ("_cp_masks.png", "_cp_outlines.txt", "_cp_outlines.png", "_seg.npy")
    labels = [f"p{i}{end}" for i in (1, 2) for end in ends]

    dataset = data(tmp_path, ["p1.png", "p2.png"], labels, task="instance")

    assert [path for _, path in pairs(dataset).values()] == [
        "p1_cp_masks.png",
        "p2_cp_masks.png",
    ]


def test_names_that_agree_keep_their_suffix(tmp_path):
    files = ["p1_mask.png", "p2_mask.png"]

    assert list(pairs(data(tmp_path, files, files))) == ["p1_mask", "p2_mask"]


def test_one_annotation_alone_may_have_a_suffix_that_tools_write(tmp_path):
    one = pairs(data(tmp_path / "a", ["x.png"], ["x_seg.png"]))
    other = pairs(data(tmp_path / "b", ["x.png"], ["x_later.png"]))

    assert one["x"][1] == "x_seg.png"
    assert other["x"][1] == "x.png"


def test_side_cars_are_no_annotations_where_there_are_maps(tmp_path):
    labels = ["c0.png", "c0.json", "c1.png", "c1.json"]
    dataset = data(tmp_path, ["c0.tif", "c1.tif"], labels, task="instance")

    assert [path for _, path in pairs(dataset).values()] == ["c0.png", "c1.png"]


@pytest.mark.parametrize(
    "ending", [".geojson", ".zip", ".roi", ".npy", ".txt", "_rois.zip", "_seg.npy"]
)
def test_files_of_objects_are_found_by_their_endings(tmp_path, ending):
    labels = [f"c{i}{ending}" for i in range(2)]
    dataset = data(tmp_path, ["c0.png", "c1.png"], labels, task="instance")

    assert [path for _, path in pairs(dataset).values()] == labels


# Channels that are called by their names.


def test_files_that_end_in_names_of_channels_are_channels(tmp_path):
    names = {"0": "T1", "1": "T2 fat", "2": "FLAIR"}
    images = [f"p{i}_{c}.nii.gz" for i in (1, 2) for c in ("flair", "T1", "T2_fat")]
    images.remove("p2_T2_fat.nii.gz")

    found = pairs(
        data(tmp_path, images, ["p1.nii.gz", "p2.nii.gz"], channel_names=names)
    )

    assert found["p1"][0] == ["p1_T1.nii.gz", "p1_T2_fat.nii.gz", "p1_flair.nii.gz"]
    assert found["p2"][0] == ["p2_T1.nii.gz", "p2_T2 fat.nii.gz", "p2_flair.nii.gz"]


@pytest.mark.parametrize("suffix", ["", "_seg"])
def test_one_channel_by_name_with_any_suffix_of_annotations(tmp_path, suffix):
    (tmp_path / "imagesTs").mkdir()
    (tmp_path / "imagesTs" / "q_T1.nii.gz").touch()
    dataset = data(
        tmp_path,
        ["p1_T1.nii.gz", "p2_T1.nii.gz"],
        [f"p1{suffix}.nii.gz", f"p2{suffix}.nii.gz"],
    )

    assert list(pairs(dataset)) == ["p1", "p2"]
    assert dataset.training[0].annotation.name == f"p1{suffix}.nii.gz"
    assert [case.id for case in dataset.test] == ["q"]


def test_an_id_that_happens_to_end_in_a_channel_stays(tmp_path):
    files = ["knee_T1.nii.gz", "hip_T1.nii.gz"]

    assert list(pairs(data(tmp_path, files, files))) == ["hip_T1", "knee_T1"]


def test_images_without_annotation_are_found_as_a_data_set_names_them(tmp_path):
    dataset = Dataset(
        name="Two", folder=tmp_path, task="semantic", channel_names=("T1", "T2"),
        image_ending=".nii.gz", annotation_ending=".nii.gz", raw={},
    )  # fmt: skip
    for name in ("a_T1", "a_T2", "b_T1", "b_T2"):
        (tmp_path / f"{name}.nii.gz").touch()

    found = cases_like(tmp_path, dataset)

    assert [case.id for case in found] == ["a", "b"]
    assert [p.name for p in found[0].images] == ["a_T1.nii.gz", "a_T2.nii.gz"]
