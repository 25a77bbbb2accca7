"""Objects that are written come back pixel by pixel, whatever they look like."""

import json

import numpy as np
import pytest
from pycocotools import mask as coco

from autoseg.datasets.instance_files import read_many
from autoseg.instancefiles.coco import write_coco
from autoseg.instancefiles.geojson import write_geojson
from autoseg.instancefiles.imagej import write_rois
from autoseg.instancefiles.measure import measure
from autoseg.spec.image import Geometry
from autoseg.spec.instances import Instances

CELL = {1: "cell"}


def _noise(shape, seed):
    return np.random.default_rng(seed).choice([0, 3, 900], shape, p=[0.4, 0.3, 0.3])


def _rings():
    found = np.zeros((9, 9), int)
    for depth, number in enumerate((1, 0, 1, 2)):
        found[depth + 1 : 8 - depth, depth + 1 : 8 - depth] = number
    return found


def _far(along):
    found = np.zeros((3, 66_000), int)
    found[1, 65_530:65_540] = 1  # over the borders of 16 bit with and without a sign
    found[0:2, 32_760:32_770] = 2
    found[2, 65_999] = 3
    return found if along == "x" else found.T


MAPS = {
    "noise": lambda: _noise((20, 21), 1),
    "volume": lambda: _noise((3, 9, 8), 2),
    "slices without any": lambda: np.pad(
        _noise((1, 5, 6), 3), [(1, 2), (0, 0), (0, 0)]
    ),
    "all": lambda: np.full((5, 7), 3),
    "chess": lambda: np.indices((6, 6)).sum(0) % 2 * 4,
    "rings": _rings,
    "far along x": lambda: _far("x"),
    "far along y": lambda: _far("y"),
}


def _write(path, labels):
    found = Instances(labels.astype(np.int32))
    measured = measure(found, (1.0,) * labels.ndim, np.zeros((1, *labels.shape), "f4"))
    if path.suffix == ".geojson":
        write_geojson(path, found, measured, classes=CELL)
    elif path.suffix == ".zip":
        write_rois(path, found, measured)
    else:
        write_coco(path, found, measured, classes=CELL, image="a.png")


KINDS = [
    (name, ending)
    for name, make in MAPS.items()
    for ending in (".geojson", ".zip", ".json")
    if make().ndim == 2 or ending != ".json"  # COCO's JSON describes pictures
]


@pytest.mark.parametrize("name, ending", KINDS)
def test_objects_come_back_pixel_by_pixel(tmp_path, name, ending):
    labels = MAPS[name]()
    _write(tmp_path / f"a{ending}", labels)
    geometry = Geometry(shape=labels.shape, spacing=(1.0,) * labels.ndim, unit="px")

    found, _ = read_many(tmp_path / f"a{ending}", None, geometry, "a", CELL)

    pairs = set(
        zip(labels.ravel().tolist(), found.labels.ravel().tolist(), strict=True)
    )
    ids = set(np.unique(labels).tolist())
    assert {one for one, _ in pairs} == ids
    assert len(pairs) == len({other for _, other in pairs}) == len(ids)
    assert all((one == 0) == (other == 0) for one, other in pairs)


def test_pycocotools_reads_the_same_masks_areas_and_boxes(tmp_path):
    labels = _noise((12, 17), 4)
    _write(tmp_path / "a.json", labels)

    written = json.loads((tmp_path / "a.json").read_text())["annotations"]

    for number, one in zip((3, 900), written, strict=True):
        code = coco.frPyObjects(one["segmentation"], 12, 17)
        assert np.array_equal(coco.decode(code), labels == number)
        assert coco.area(code) == one["area"]
        assert coco.toBbox(code).tolist() == one["bbox"]


def test_run_lengths_that_pycocotools_packed_are_read(tmp_path):
    mask = _noise((12, 17), 5) == 3
    packed = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    shape = {"size": [12, 17], "counts": packed["counts"].decode()}
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 12, "width": 17}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "segmentation": shape}
        ],
        "categories": [{"id": 1, "name": "cell"}],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))

    found, _ = read_many(tmp_path / "a.json", None, None, "a", CELL)

    assert np.array_equal(found.labels == 1, mask)
