"""Folders in every layout become data sets, and no file is moved."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from autoseg.datasets.read import load_dataset
from autoseg.describing.stage import init
from autoseg.errors import DatasetError, FormatError, UsageError

IDS = ("a1", "b2", "c3")


def gray(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 255, (16, 20), np.uint8)
    Image.fromarray(values).save(path)


def drawn(path, *values):
    """Draw squares side by side, one for each value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = np.zeros((16, 20), np.uint8)
    for number, value in enumerate(values or (1, 2)):
        labels[2:9, 5 * number + 1 : 5 * number + 5] = value
    Image.fromarray(labels).save(path)


LAYOUTS = {
    "two folders": ("images/{}.png", "labels/{}.png"),
    "imgs and masks": ("imgs/{}.png", "masks/{}_mask.png"),
    "names with both words": ("Images/img_{}.png", "GroundTruth/gt_{}.png"),
    "one folder": ("{}.png", "{}_seg.png"),
    "one folder, a suffix that nobody knows": ("{}.png", "{}_ina.png"),
    "words in front": ("volume-{}.png", "segmentation-{}.png"),
    "a folder for each patient": ("{}/scan.png", "{}/label.png"),
    "a patient's name twice": ("{0}/{0}_im.png", "{0}/{0}_gt.png"),
    "train in front": ("train/images/{}.png", "train/masks/{}.png"),
    "a suffix of annotations only": ("Image_{}.png", "labels/Image_{}_firstHO.png"),
    "folders that say nothing": ("x/{}.png", "y/{}.png"),
    "nnU-Net's, without dataset.json": ("imagesTr/{}_0000.png", "labelsTr/{}.png"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_images_and_annotations_are_paired_where_they_are(tmp_path, layout):
    image, label = LAYOUTS[layout]
    for seed, name in enumerate(IDS):
        gray(tmp_path / image.format(name), seed)
        drawn(tmp_path / label.format(name))
    before = {p: p.read_bytes() for p in tmp_path.rglob("*.png")}
    seen = init(tmp_path, picture=False)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*.png")} == before
    again = load_dataset(tmp_path)
    assert len(again.training) == 3 and seen.dataset == again
    for case, name in zip(again.training, IDS, strict=True):
        assert name in case.id
        assert case.images == (tmp_path / image.format(name),)
        assert case.annotation == tmp_path / label.format(name)
    assert again.task == "semantic"
    assert again.raw["labels"] == {"background": 0, "class 1": 1, "class 2": 2}


def test_files_of_a_patient_are_channels_with_their_names(tmp_path):
    for name in IDS:
        for channel in ("t1", "flair"):
            gray(tmp_path / name / f"{name}_{channel}.png")
        drawn(tmp_path / name / f"{name}_seg.png")
    dataset = init(tmp_path, picture=False).dataset
    assert dataset.channel_names == ("flair", "t1")
    assert [p.name for p in dataset.case("a1").images] == ["a1_flair.png", "a1_t1.png"]


def test_a_folder_with_a_mask_for_each_object_is_of_instances(tmp_path):
    for name in IDS:
        gray(tmp_path / name / "images" / f"{name}.png")
        for number in range(3):
            drawn(tmp_path / name / "masks" / f"{number}.png", 255)
    dataset = init(tmp_path, picture=False).dataset
    assert dataset.task == "instance"
    assert dataset.case("b2").annotation == tmp_path / "b2" / "masks"


def test_one_table_of_points_annotates_all_pictures(tmp_path):
    rows = ["image,landmark,x,y"]
    for name in IDS:
        gray(tmp_path / f"{name}.png")
        rows += [f"{name}.png,tip,3,4", f"{name}.png,root,5,6"]
    (tmp_path / "clicks.csv").write_text("\n".join(rows), encoding="utf-8")
    dataset = init(tmp_path, picture=False).dataset
    assert dataset.task == "landmark"
    assert dataset.raw["landmarks"] == ["tip", "root"]
    assert {c.annotation for c in dataset.training} == {tmp_path / "clicks.csv"}


def test_outlines_in_one_file_name_the_classes(tmp_path):
    for name in IDS:
        gray(tmp_path / "pictures" / f"{name}.png")
    content = {
        "images": [
            {"id": n, "file_name": f"{name}.png", "height": 16, "width": 20}
            for n, name in enumerate(IDS)
        ],
        "annotations": [
            {
                "id": n,
                "image_id": n,
                "category_id": 7,
                "iscrowd": 0,
                "segmentation": [[1, 1, 6, 1, 6, 6]],
            }
            for n in range(3)
        ],
        "categories": [{"id": 7, "name": "beetle"}],
    }
    (tmp_path / "export.json").write_text(json.dumps(content), encoding="utf-8")
    dataset = init(tmp_path, picture=False).dataset
    assert dataset.task == "instance"
    assert dataset.raw["labels"] == {"background": 0, "beetle": 1}


def test_what_fits_nothing_is_left_aside_and_said(tmp_path):
    for name in (*IDS, "z9"):
        gray(tmp_path / "images" / f"{name}.png")
    for name in IDS:
        drawn(tmp_path / "labels" / f"{name}.png")
        gray(tmp_path / "test" / "images" / f"{name}t.png")
    seen = init(tmp_path, picture=False)
    assert [p.name for p in seen.found.alone] == ["z9.png"]
    assert len(seen.found.test) == 3
    text = " ".join(str(seen).split())
    assert "1 image without annotation: images/z9.png" in text
    assert "3 files (.png) in test/images, not trained on" in text
    assert max(map(len, str(seen).splitlines())) <= 80


def test_a_map_for_each_class_is_refused_by_name(tmp_path):
    for name in IDS:
        gray(tmp_path / name / "scan.png")
        for organ in ("liver", "tumor"):
            drawn(tmp_path / name / f"{organ}_mask.png", 1)
    with pytest.raises(DatasetError, match=r"several maps.*liver_mask.png, tumor_mask"):
        init(tmp_path)
    assert not (tmp_path / "dataset.json").exists()


def test_patterns_say_what_names_do_not(tmp_path):
    for name in IDS:
        gray(tmp_path / "one" / f"{name}.png")
        drawn(tmp_path / "two" / f"{name}.png")
        gray(tmp_path / "old" / f"{name}.png")
    seen = init(tmp_path, images=["one"], annotations=["two/*.png"], picture=False)
    assert len(seen.dataset.training) == 3
    with pytest.raises(UsageError, match="three"):
        init(tmp_path, images=["three"], overwrite=True)


def test_a_description_elsewhere_points_to_the_files(tmp_path):
    for name in IDS:
        gray(tmp_path / "data" / "images" / f"{name}.png")
        drawn(tmp_path / "data" / "labels" / f"{name}.png")
    init(tmp_path / "data", output=tmp_path / "mine", picture=False)
    assert not (tmp_path / "data" / "dataset.json").exists()
    assert load_dataset(tmp_path / "mine").training[0].images[0].is_file()


def test_a_description_that_is_there_is_kept(tmp_path):
    gray(tmp_path / "images" / "a.png")
    drawn(tmp_path / "labels" / "a.png")
    path = tmp_path / "dataset.json"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="--overwrite"):
        init(tmp_path, picture=False)
    assert path.read_text(encoding="utf-8") == "{}"
    init(tmp_path, picture=False, overwrite=True)
    assert load_dataset(Path(tmp_path)).training


def test_a_folder_without_pairs_says_what_is_there(tmp_path):
    gray(tmp_path / "one.png")
    with pytest.raises(DatasetError, match=r"(?s)1: one\.png.*--annotations"):
        init(tmp_path)
    with pytest.raises(UsageError, match="no folder"):
        init(tmp_path / "nowhere")


def test_names_find_each_other_however_accents_are_stored(tmp_path):
    for seed in range(3):
        gray(tmp_path / "images" / f"Jos\u00e9_{seed}.png", seed)
        drawn(tmp_path / "masks" / f"Jose\u0301_{seed}_mask.png")

    assert len(init(tmp_path, picture=False).found.cases) == 3


def test_odd_headers_of_the_first_case_are_told(tmp_path):
    for seed, name in enumerate(IDS):
        gray(tmp_path / "images" / f"{name}.png", seed)
        (tmp_path / "masks").mkdir(exist_ok=True)
        labels = np.zeros((16, 20), bool)
        labels[2:9, 3:9] = True
        tifffile.imwrite(
            tmp_path / "masks" / f"{name}.tif", labels, photometric="miniswhite"
        )

    said = " ".join(str(init(tmp_path, picture=False)).split())

    assert "odd header a1.tif: its values are of one bit, and 0 is white" in said


def test_an_annotation_without_image_is_called_that(tmp_path):
    for name in IDS:
        gray(tmp_path / "images" / f"{name}.png")
        drawn(tmp_path / "labels" / f"{name}.png")
    drawn(tmp_path / "labels" / "z9.png")

    text = " ".join(str(init(tmp_path, picture=False)).split())

    assert "1 annotation without image: labels/z9.png" in text


def test_a_link_that_leads_nowhere_is_called_that(tmp_path):
    for name in IDS:
        gray(tmp_path / "images" / f"{name}.png")
        drawn(tmp_path / "labels" / f"{name}.png")
    image = tmp_path / "images" / f"{IDS[0]}.png"
    image.unlink()
    image.symlink_to("/nowhere/there.png")

    with pytest.raises(FormatError, match="a link to /nowhere/there.png"):
        init(tmp_path, picture=False)
