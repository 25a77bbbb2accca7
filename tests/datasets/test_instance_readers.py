"""Every stage reads the same objects, whatever file they are in."""

import json
from shutil import copytree

import numpy as np
import pytest
from PIL import Image

from autoseg.datasets.annotations import read_annotation
from autoseg.datasets.instance_files import files_of
from autoseg.datasets.read import load_dataset
from autoseg.evaluate.stage import evaluate
from autoseg.fingerprint.check.stage import check
from autoseg.fingerprint.stage import fingerprint
from autoseg.tasks.instance import InstanceTask

SHAPE = (40, 50)
BOXES = [
    (4, 5, 12, 15),
    (20, 8, 33, 19),
    (15, 30, 25, 44),
]  # first and last row, column
TASK = InstanceTask(labels={"cell": 1})


def rings():
    for top, left, bottom, right in BOXES:
        yield [(left, top), (right, top), (right, bottom), (left, bottom)]


def geojson(path):
    features = [
        {
            "type": "Feature",
            "properties": {},
            "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
        }
        for ring in rings()
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def labelme(path):
    shapes = [
        {"label": "cell", "points": ring, "shape_type": "polygon"} for ring in rings()
    ]
    path.write_text(json.dumps({"shapes": shapes}))


def yolo(path):
    rows = [
        "0 " + " ".join(f"{x / SHAPE[1]} {y / SHAPE[0]}" for x, y in ring)
        for ring in rings()
    ]
    path.write_text("\n".join(rows))
    (path.parent / "classes.txt").write_text("cell\n")


def wanted():
    labels = np.zeros(SHAPE, int)
    for number, (top, left, bottom, right) in enumerate(BOXES, 1):
        labels[top:bottom, left:right] = number
    return labels


def array(path):
    np.save(path, wanted())


KINDS = {".geojson": geojson, ".json": labelme, ".txt": yolo, ".npy": array}


@pytest.fixture(params=KINDS)
def folder(request, tmp_path):
    random = np.random.default_rng(0)
    for place in ("imagesTr", "labelsTr"):
        (tmp_path / place).mkdir()
    for i in range(6):
        picture = random.integers(0, 255, SHAPE, dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / f"imagesTr/c{i}.png")
        KINDS[request.param](tmp_path / f"labelsTr/c{i}{request.param}")
    described = {
        "task": "instance",
        "channel_names": {"0": "x"},
        "labels": {"background": 0, "cell": 1},
        "spacing": [0.5, 0.25],
        "unit": "um",
    }
    (tmp_path / "dataset.json").write_text(json.dumps(described))
    return tmp_path


def test_nothing_is_wrong_and_all_objects_are_measured(folder, tmp_path):
    assert [p for p in check(folder) if p.severity != "note"] == []

    found = fingerprint(folder, tmp_path / "root")

    assert found.annotation["classes"] == {"cell": 18}


def test_the_image_is_found_by_whoever_does_not_give_it(folder):
    dataset = load_dataset(folder)
    case = dataset.case("c3")

    found, geometry = read_annotation(case.annotation, dataset, TASK, case_id=case.id)

    assert np.array_equal(found.labels, wanted())
    assert geometry.spacing == (0.5, 0.25)


def test_names_of_classes_are_files_of_a_case(folder):
    dataset = load_dataset(folder)
    names = {path.name for path in files_of(dataset.case("c3"))}

    described = (folder / "labelsTr" / "classes.txt").exists()
    assert ("classes.txt" in names) == described


def test_annotations_in_any_folder_are_evaluated(folder, tmp_path):
    copies, predictions = tmp_path / "drawn", tmp_path / "predicted"
    copytree(folder / "labelsTr", copies)
    predictions.mkdir()
    for i in range(6):
        Image.fromarray(wanted().astype(np.uint8)).save(predictions / f"c{i}.png")

    summary = evaluate(predictions, copies, folder)

    assert sorted(summary.cases) == [f"c{i}" for i in range(6)]
    assert all(case["cell"]["pq"] == 1 for case in summary.cases.values())
