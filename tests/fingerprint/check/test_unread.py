"""What lies in a data set's folder and is not read is named, with what would be."""

import gzip
import json
import shutil

import numpy as np
import pytest
import SimpleITK
from PIL import Image

from autoseg.cli.main import main
from autoseg.fingerprint.check.stage import check

SHAPE = (12, 16)


def data(folder, cases=("c0", "c1", "c2"), labels=".png", **description):
    """A data set of pictures; ``labels`` is what follows the case in labelsTr."""
    random = np.random.default_rng(0)
    base = {"channel_names": {"0": "gray"}, "labels": {"background": 0, "cell": 1}}
    (folder / "dataset.json").write_text(json.dumps(base | description))
    for place in ("imagesTr", "labelsTr"):
        (folder / place).mkdir()
    for case in cases:
        picture = random.integers(0, 255, SHAPE, dtype=np.uint8)
        Image.fromarray(picture).save(folder / "imagesTr" / f"{case}.png")
        if labels:
            mask = np.zeros(SHAPE, np.uint8)
            mask[2:5, 3:9] = 1
            Image.fromarray(mask).save(folder / "labelsTr" / f"{case}{labels}")
    return folder


def told(folder):
    """Return severity, file and text of what is more than good to know."""
    found = [p for p in check(folder) if p.severity != "note"]
    return [(p.severity, p.file.name, f"{p.found} {p.fix}") for p in found]


def test_a_folder_of_dicom_is_an_image_and_its_faults_are_told(tmp_path):
    data(tmp_path)
    for place in ("imagesTr", "imagesTs"):
        (tmp_path / place / "series").mkdir(parents=True)
        (tmp_path / place / "series" / "000").write_bytes(bytes(128) + b"DICM")

    found = [entry for entry in told(tmp_path) if entry[1] == "series"]

    assert len(found) == 2
    assert all("no DICOM as it says" in text for _, _, text in found)


@pytest.mark.parametrize(
    "name, words",
    [("slice.dcm", "no DICOM as it says"), ("c3.czi", "no format has its")],
)
def test_files_of_unknown_endings_are_named(tmp_path, name, words):
    (data(tmp_path) / "imagesTr" / name).write_bytes(b"")

    assert [text for _, file, text in told(tmp_path) if file == name and words in text]


def test_where_no_image_says_an_ending_the_known_ones_are_named(tmp_path):
    data(tmp_path, cases=())
    (tmp_path / "imagesTr" / "c0_0000.czi").write_bytes(b"x")
    (tmp_path / "labelsTr" / "c0.czi").write_bytes(b"x")

    (text,) = (text for _, file, text in told(tmp_path) if file == "c0.czi")

    assert "Export it as one of .bmp" in text and ".nii.gz" in text


def test_two_annotations_of_one_image_are_told(tmp_path):
    data(tmp_path)
    Image.fromarray(np.zeros(SHAPE, np.uint8)).save(tmp_path / "labelsTr/c1.bmp")

    ((severity, file, text),) = told(tmp_path)[:1]

    assert (severity, file) == ("warning", "c1.bmp")
    assert "another annotation for the image c1: c1.png is read, this is not" in text


@pytest.mark.parametrize(
    "name, task, words",
    [
        ("c0.geojson", "semantic", '"task": "instance"'),
        ("c0.mrk.json", "semantic", None),
        ("c0.fcsv", "semantic", '"task": "landmark"'),
        ("c0.fcsv", "instance", '"task": "landmark"'),
        ("c0.docx", "instance", "Its annotations end in .png"),
    ],
)
def test_files_that_another_task_reads_are_named(tmp_path, name, task, words):
    data(tmp_path, task=task)
    (tmp_path / "labelsTr" / name).write_text("{}")

    found = [text for _, file, text in told(tmp_path) if file == name]

    assert all(words in text for text in found) if words else not found
    assert len(found) == (words is not None)


def test_objects_beside_a_map_are_a_second_annotation(tmp_path):
    data(tmp_path, task="instance")
    (tmp_path / "labelsTr" / "c0.geojson").write_text("{}")

    found = [text for _, file, text in told(tmp_path) if file == "c0.geojson"]

    assert len(found) == 1 and "c0.png is read, this is not" in found[0]


def test_side_cars_of_maps_are_no_annotations(tmp_path):
    data(tmp_path)
    (tmp_path / "labelsTr" / "c0.json").write_text('{"spacing": [1, 1]}')

    assert not [entry for entry in told(tmp_path) if entry[1] == "c0.json"]


def test_an_ending_that_no_annotation_has_is_named(tmp_path):
    data(tmp_path, label_ending=".tif")

    errors = [e for e in told(tmp_path) if e[0] == "error"]
    rest = [e for e in told(tmp_path) if "`label_ending` is '.tif'" in e[2]]

    assert len(errors) == 1 and "None of the 3 images has an annotation" in errors[0][2]
    assert [file for _, file, _ in rest] == ["c0.png", "c1.png", "c2.png"]


def test_outlines_for_label_maps_are_told_with_both_ways_out(tmp_path):
    data(tmp_path)
    for number in range(3):
        path = tmp_path / "labelsTr" / f"c{number}.png"
        path.with_suffix(".geojson").write_text('{"features": []}')
        path.unlink()

    problems = check(tmp_path, workers=1)

    (error,) = (p for p in problems if p.severity == "error")
    assert 'which the task "semantic" does not read' in error.found
    assert "export them as label maps, the first one c0.png" in error.fix
    warnings = [p for p in problems if p.file.suffix == ".geojson"]
    assert len(warnings) == 3
    assert all('"task": "instance"' in p.fix and ".png" in p.fix for p in warnings)


def test_a_table_that_nobody_reads_is_named(tmp_path):
    data(tmp_path)
    (tmp_path / "points.csv").write_text("case,landmark,x,y\nc0,tip,1,2\n")

    found = [text for _, file, text in told(tmp_path) if file == "points.csv"]

    assert found and "annotations are those in labelsTr" in found[0]


# One sentence for one cause, however many cases.


def test_names_that_never_agree_are_one_error(tmp_path):
    cases = ["anna", "bert", "carla", "dora"]
    data(tmp_path, cases, labels=None)
    for case in ("one", "two", "three", "four"):
        Image.fromarray(np.eye(12, 16, dtype=np.uint8)).save(
            tmp_path / "labelsTr" / f"{case}.png"
        )

    ((severity, file, text),) = told(tmp_path)

    assert (severity, file) == ("error", "labelsTr")
    assert "called anna, bert, carla and 1 more; labelsTr has four.png, one.png" in text
    assert "the first one anna.png" in text


def test_no_annotation_at_all_is_one_error(tmp_path):
    data(tmp_path, labels=None)

    ((_, file, text),) = told(tmp_path)

    assert file == "labelsTr" and "labelsTr is empty" in text


def test_the_page_says_once_what_differs_in_the_case_only(tmp_path, capsys):
    cases = ["anna", "bert", "carla", "dora", "emil"]
    data(tmp_path, cases)
    for case in cases[:3]:
        (tmp_path / "labelsTr" / f"{case}.png").unlink()

    main(["check", str(tmp_path)])
    page = capsys.readouterr().out

    assert page.count("has no annotation") == 1
    assert all(f"labelsTr/{case}.png" in page for case in cases[:3])


@pytest.mark.parametrize(
    "name, words",
    [
        ("points.xlsx", "Save it as CSV"),
        ("annotations.xml", "Export it as COCO's JSON"),
        ("labelsTr/c0.mat", "Save points as CSV"),
    ],
)
def test_where_annotation_is_missing_files_of_other_programs_are_named(
    tmp_path, name, words
):
    data(tmp_path, labels="")
    (tmp_path / name).write_bytes(b"")

    found = {file: text for _, file, text in told(tmp_path)}

    assert words in found[name.rpartition("/")[2]]


def test_missing_points_are_not_asked_for_as_pictures(tmp_path):
    data(tmp_path, labels="", task="landmark", landmarks=["a"])

    (text,) = [text for _, file, text in told(tmp_path) if file == "labelsTr"]

    assert "c0.csv" in text and "points.csv" in text and "c0.png" not in text


@pytest.mark.parametrize("name", ["c0.raw.gz", "voxels_of_{}"])
def test_voxels_behind_a_header_are_read_and_no_stray_file(tmp_path, name):
    data(tmp_path, labels="")
    for k in range(3):
        mask = np.zeros(SHAPE, np.uint8)
        mask[2:5, 3 + k : 9] = 1
        behind = name.replace("c0", f"c{k}").format(k)
        (tmp_path / "labelsTr" / behind).write_bytes(gzip.compress(mask.tobytes()))
        (tmp_path / "labelsTr" / f"c{k}.nrrd").write_text(
            "NRRD0004\ntype: uchar\ndimension: 2\nsizes: 16 12\nspacings: 1 1\n"
            f"encoding: gzip\ndata file: {behind}\n\n"
        )

    assert told(tmp_path) == []


def test_test_images_with_the_header_of_a_training_image_are_others(tmp_path):
    data(tmp_path, cases=(), labels="")
    (tmp_path / "imagesTs").mkdir()
    for k, place in enumerate(("imagesTr", "labelsTr", "imagesTs")):
        image = np.full((3, 4, 5), k, np.uint8)
        image[1, 1, 1:3] = [k + 1, 0]
        SimpleITK.WriteImage(
            SimpleITK.GetImageFromArray(image), str(tmp_path / place / "c0.mhd")
        )
    headers = [tmp_path / f"images{part}" / "c0.mhd" for part in ("Tr", "Ts")]
    assert headers[0].read_bytes() == headers[1].read_bytes()

    assert not [text for _, _, text in told(tmp_path) if "byte for byte" in text]

    shutil.copy(tmp_path / "imagesTr/c0.raw", tmp_path / "imagesTs/c0.raw")
    same = [text for _, file, text in told(tmp_path) if file == "c0.mhd"]
    assert any("is the training image c0.mhd, byte for byte" in text for text in same)
