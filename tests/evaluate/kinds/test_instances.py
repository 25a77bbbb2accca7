"""The evaluation of instances, from files to the summary."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from autoseg.cli.main import main
from autoseg.errors import UsageError
from autoseg.evaluate.stage import evaluate
from autoseg.evaluate.summary import Summary
from autoseg.spec.choice import Choice


def _write(folder, case, labels):
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels.astype(np.uint16)).save(folder / f"{case}.png")


@pytest.fixture
def dataset(tmp_path):
    """Case a has four objects of 1, 4, 4 and 9 pixels, case b has one of 4."""
    folder = tmp_path / "Cells"
    first, second = np.zeros((2, 12, 12), int)
    first[0, 11], first[0:2, 0:2], first[4:6, 4:6], first[8:11, 8:11] = 40, 10, 20, 30
    second[5:7, 5:7] = 7
    for case, labels in (("a", first), ("b", second)):
        _write(folder / "labelsTr", case, labels)
        _write(folder / "imagesTr", f"{case}_0000", 9 * labels)
    content = {
        "task": "instance",
        "channel_names": {"0": "dapi"},
        "labels": {"background": 0, "cell": 1},
        "numTraining": 2,
        "file_ending": ".png",
    }
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def predictions(dataset, tmp_path):
    """Case a without the object at the top left; case b has a second one too many."""
    folder = tmp_path / "predictions"
    for case in "ab":
        labels = np.array(Image.open(dataset / "labelsTr" / f"{case}.png")).astype(int)
        labels[labels == 10] = 0
        if case == "b":
            labels[0:2, 0:2] = 9
        _write(folder, case, labels)
    return folder


def test_objects_are_scored_by_image_and_pooled(dataset, predictions):
    summary = evaluate(predictions, dataset, workers=1)

    found = summary.classes["cell"]
    assert summary.cases["a"]["cell"]["ap_50"] == pytest.approx(3 / 4)
    assert summary.cases["b"]["cell"]["ap_50"] == pytest.approx(1 / 2)
    assert found["map"].mean == pytest.approx(5 / 8)
    assert found["map_pooled"].mean == pytest.approx(4 / 6)
    assert found["f1_pooled"].mean == pytest.approx(4 / 5)
    # Either image twice, or both.
    assert found["map_pooled"].low == pytest.approx(1 / 2)
    assert found["map_pooled"].high == pytest.approx(3 / 4)
    back = Summary.load(predictions / "summary.json")
    assert back.classes["cell"]["map_pooled"].mean == found["map_pooled"].mean
    header = (predictions / "summary.csv").read_text().splitlines()[0]
    assert "map" in header.split(",") and "map_pooled" not in header


def test_sizes_are_parted_by_the_quartiles_of_what_is_annotated(dataset, predictions):
    # Sizes 1, 4, 4, 4, 9: both quartiles are 4.
    found = evaluate(predictions, dataset, workers=1).classes["cell"]

    assert found["small_up_to"].mean == found["large_over"].mean == 4
    assert found["ap_50_large_pooled"].mean == 1
    assert found["ap_50_small_pooled"].mean == pytest.approx(3 / 5)


@pytest.mark.parametrize("masks", ["predictions", "annotations"])
def test_masks_of_the_foreground_are_told(tmp_path, caplog, masks):
    ids = np.zeros((12, 12), np.uint8)
    ids[0:2, 0:2], ids[4:6, 4:6], ids[8:10, 8:10] = 1, 2, 3
    for folder in ("predictions", "annotations"):
        _write(tmp_path / folder, "a", 255 * (ids > 0) if folder == masks else ids)
    task = Choice(name="instance", options={"labels": {"cell": 1}})

    evaluate(tmp_path / "predictions", tmp_path / "annotations", task=task, workers=1)

    assert f"Every {masks[:-1]} is one object" in caplog.text
    assert "has 3 on average" in caplog.text


def test_the_border_can_be_left_out(dataset, predictions):
    found = evaluate(predictions, dataset, border=False, workers=1).classes["cell"]

    assert found["map_pooled"].mean == 1
    assert found["reference"].mean == pytest.approx(3 / 2)


def test_the_command_shows_them(dataset, predictions, capsys):
    words = ["evaluate", "-g", str(dataset / "labelsTr"), "-p", str(predictions)]
    words += ["-d", str(dataset), "--size-limits", "2", "5"]

    assert main(words) == 0

    said = capsys.readouterr().out
    assert "AP50" in said and "0.667 [0.500, 0.750]" in said
    assert "AP50 of objects up to 2: 1.000, up to 5: 0.500, larger: 1.000" in said


def test_options_of_another_task_are_refused(dataset, predictions):
    with pytest.raises(UsageError, match="tolerance means nothing.*border"):
        evaluate(predictions, dataset, tolerance=2.0)


def test_classes_come_from_the_files_beside_the_maps(dataset, predictions):
    content = json.loads((dataset / "dataset.json").read_text())
    content["labels"] = {"background": 0, "cell": 1, "debris": 3}
    (dataset / "dataset.json").write_text(json.dumps(content))
    classes = {"a": {"10": 1, "20": 1, "30": "debris", "40": 3}, "b": {"7": 1}}
    for case, given in classes.items():
        text = json.dumps({"instances": given})
        (dataset / "labelsTr" / f"{case}.json").write_text(text)
    classes["a"]["40"] = 1  # the prediction's only mistake, but for those of the maps
    classes["b"]["9"] = 1
    for case, given in classes.items():
        text = json.dumps({"instances": given})
        (predictions / f"{case}.json").write_text(text)

    found = evaluate(predictions, dataset, workers=1)

    # cell: annotated 10, 20, 7; found 20, 7; made up 40, 9. debris: 30 of 30 and 40.
    assert found.classes["cell"]["ap_50_pooled"].mean == pytest.approx(2 / 5)
    assert found.classes["debris"]["ap_50_pooled"].mean == pytest.approx(1 / 2)
    assert found.classes["any class"]["ap_50_pooled"].mean == pytest.approx(4 / 6)
    assert found.mean("ap_50_pooled") == pytest.approx((2 / 5 + 1 / 2) / 2)


def _as_coco(dataset):
    """Write the annotations as one file of polygons in place of the maps."""
    images, squares = [], []
    for number, case in enumerate("ab"):
        path = dataset / "labelsTr" / f"{case}.png"
        labels = np.array(Image.open(path))
        entry = {"id": number, "file_name": f"{case}.png", "height": 12, "width": 12}
        images.append(entry)
        for i in np.unique(labels[labels > 0]):
            y, x = np.argwhere(labels == i).min(0)
            b, r = np.argwhere(labels == i).max(0) + 1
            corners = [int(v) for v in (x, y, r, y, r, b, x, b)]
            squares.append(
                {"image_id": number, "category_id": 1, "segmentation": [corners]}
            )
        path.unlink()
    content = {"images": images, "annotations": squares}
    (dataset / "labelsTr" / "annotations.json").write_text(json.dumps(content))


def _as_masks(dataset):
    """Write the annotations as a folder for each case in place of the maps."""
    for case in "ab":
        path = dataset / "labelsTr" / f"{case}.png"
        labels = np.array(Image.open(path))
        for i in np.unique(labels[labels > 0]):
            _write(dataset / "labelsTr" / case, f"m{i}", 255 * (labels == i))
        path.unlink()


@pytest.mark.parametrize("change", [_as_coco, _as_masks])
def test_annotations_in_other_files_give_the_same_scores(dataset, predictions, change):
    maps = evaluate(predictions, dataset, workers=1)

    change(dataset)
    folder = dataset / "labelsTr"
    for where in (dataset, folder):
        other = evaluate(predictions, where, dataset=dataset, workers=1)
        assert other.cases == maps.cases


def test_lengths_are_told_in_the_annotations_unit_whatever_the_predictions_is(tmp_path):
    labels = np.zeros((12, 12), np.uint8)
    labels[0, 0], labels[2:4, 2:4], labels[6:9, 6:9] = 1, 2, 3
    sizes = {"truth": (2, "um"), "found": (2000, "mm")}  # 0.5 um both
    for name, (per_unit, unit) in sizes.items():
        (tmp_path / name).mkdir()
        tifffile.imwrite(
            tmp_path / name / "a.tif",
            labels,
            imagej=True,
            resolution=(per_unit, per_unit),
            metadata={"axes": "YX", "unit": unit},
        )
    task = Choice(name="instance", options={"labels": {"cell": 1}})

    summary = evaluate(tmp_path / "found", tmp_path / "truth", task=task, workers=1)

    # areas of 0.25, 1 and 2.25 um2: one of each kind, and all are found
    assert summary.unit == "um"
    for size in ("small", "medium", "large"):
        assert summary.cases["a"]["cell"][f"ap_50_{size}"] == 1


@pytest.mark.parametrize("ending", ["_cp_masks", "_{}"])
def test_what_all_names_have_behind_the_case_is_left_out(tmp_path, ending):
    ids = np.zeros((8, 8), np.uint8)
    ids[1:4, 1:4] = 1
    for case in ("a1", "b2"):
        _write(tmp_path / "truth", case, ids)
        _write(tmp_path / "found", case + ending.format(case), ids)
    task = Choice(name="instance", options={"labels": {"cell": 1}})
    given = tmp_path / "found", tmp_path / "truth"

    if "{" in ending:  # another one in each
        with pytest.raises(UsageError, match="no prediction of any annotated case"):
            evaluate(*given, task=task, workers=1)
    else:
        assert set(evaluate(*given, task=task, workers=1).cases) == {"a1", "b2"}
        assert set(evaluate(*given[::-1], task=task, workers=1).cases) == {"a1", "b2"}


def test_one_file_in_cocos_way_has_the_annotations_of_all(tmp_path):
    boxes, images = [], []
    for number, case in enumerate("ab"):
        ids = np.zeros((8, 8), np.uint8)
        ids[1 + number : 4, 1:4] = 1
        _write(tmp_path / "found", case, ids)
        images.append({"id": number, "file_name": f"{case}.png"})
        images[-1] |= {"height": 8, "width": 8}
        drawn = [[1, 1 + number, 4, 1 + number, 4, 4, 1, 4]]
        boxes.append({"id": number, "image_id": number, "category_id": 1})
        boxes[-1] |= {"segmentation": drawn, "iscrowd": 0}
    content = {"images": images, "annotations": boxes}
    content |= {"categories": [{"id": 1, "name": "cell"}]}
    file = tmp_path / "truth" / "all.json"
    file.parent.mkdir()
    file.write_text(json.dumps(content))
    task = Choice(name="instance", options={"labels": {"cell": 1}})

    for given in (file, file.parent):
        summary = evaluate(tmp_path / "found", given, task=task, workers=1)
        assert set(summary.cases) == {"a", "b"}
        assert summary.classes["cell"]["ap_95_pooled"].mean == 1
