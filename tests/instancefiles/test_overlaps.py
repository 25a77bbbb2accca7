"""What a map of ids hides, in a file beside it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from autoseg.datasets.annotations import read_annotation
from autoseg.errors import AutosegError, FormatError
from autoseg.formats.base import find_format
from autoseg.instancefiles.coco import write_coco
from autoseg.instancefiles.measure import measure
from autoseg.instancefiles.overlaps import (
    with_overlaps,
    write_layers,
    write_overlaps,
)
from autoseg.spec.arrays.overlaps import Mask, painted
from autoseg.spec.image import Geometry
from autoseg.spec.instances import Instances
from autoseg.tasks.instance import InstanceTask


def crossing():
    masks = [
        (1, Mask((1, 5), np.ones((10, 2), bool))),
        (2, Mask((5, 1), np.ones((2, 10), bool))),
        (3, Mask((9, 9), np.ones((2, 2), bool))),
    ]
    labels, shared = painted((12, 14), masks)
    return Instances(labels, {1: 1, 2: 1, 3: 1}, {}, shared)


def sizes(instances):
    return [instances.mask_of(i).size for i in instances.ids]


def test_what_is_written_beside_a_map_is_read_with_it(tmp_path):
    truth, path = crossing(), tmp_path / "a_overlaps.json"
    write_overlaps(path, truth)

    found = with_overlaps(path, replace(truth, masks={}))

    assert sizes(found) == [20, 20, 4] and set(found.masks) == {1, 2}
    for i, mask in truth.masks.items():
        assert found.masks[i].start == mask.start
        np.testing.assert_array_equal(found.masks[i].inside, mask.inside)


def test_where_nothing_overlaps_there_is_no_file_any_more(tmp_path):
    path = tmp_path / "a_overlaps.json"
    write_overlaps(path, crossing())

    write_overlaps(path, replace(crossing(), masks={}))

    assert not path.exists()
    assert with_overlaps(path, crossing()).masks.keys() == {1, 2}


FAULTS = {
    "another_shape": lambda raw: raw.update(shape=[12, 15]),
    "runs": lambda raw: raw["objects"][0].update(counts=[0, 7]),
    "outside": lambda raw: raw["objects"][0].update(start=[8, 5]),
    "elsewhere": lambda raw: raw["objects"][0].update(start=[2, 11]),
    "no_id": lambda raw: raw["objects"][0].pop("id"),
    "negative": lambda raw: raw["objects"][0].update(start=[-1, 5]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_file_of_another_map_is_refused(tmp_path, name):
    path = tmp_path / "a_overlaps.json"
    write_overlaps(path, crossing())
    raw = json.loads(path.read_text())
    FAULTS[name](raw)
    path.write_text(json.dumps(raw))

    with pytest.raises(FormatError, match="a_overlaps.json"):
        with_overlaps(path, replace(crossing(), masks={}))


def test_a_prediction_is_read_whole_where_it_is_scored(tmp_path):
    path = tmp_path / "a.tif"
    geometry = Geometry(shape=(12, 14), spacing=(1.0, 1.0), unit="px")
    truth, task = crossing(), InstanceTask({"rod": 1})
    find_format(path).write_labels(path, truth.labels.astype(np.uint16), geometry)
    write_overlaps(tmp_path / "a_overlaps.json", truth)

    found, _ = read_annotation(path, None, task, case_id="a")

    assert sizes(found) == [20, 20, 4]
    assert task.score(found, truth, (1.0, 1.0))["rod"]["map"] == 1
    (tmp_path / "a_overlaps.json").write_text("{}")
    with pytest.raises(AutosegError, match="a_overlaps.json"):
        read_annotation(path, None, task, case_id="a")


def test_table_and_run_lengths_are_of_whole_objects(tmp_path):
    truth = crossing()
    image = np.arange(12 * 14, dtype=np.float32).reshape(1, 12, 14)

    found = measure(truth, (2.0, 1.0), image)

    assert found.sizes.tolist() == [40, 40, 8]
    assert found.centroids[0].tolist() == [5.5, 5.5]
    # The mean over rows 1 to 10 and columns 5 and 6 of 14 * row + column.
    assert found.means[0, 0] == 14 * 5.5 + 5.5
    write_coco(tmp_path / "a.json", truth, found, classes={1: "rod"}, image="a.tif")
    written = json.loads((tmp_path / "a.json").read_text())["annotations"]
    assert [one["area"] for one in written] == [20, 20, 4]
    assert written[0]["bbox"] == [5, 1, 2, 10]


def test_layers_hold_every_object_whole_with_its_id(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    truth, path = crossing(), tmp_path / "a_layers.tif"

    write_layers(path, truth, (2.0, 1.0))

    found = tifffile.imread(path)
    assert found.shape == (2, 12, 14)
    for i in truth.ids:
        (layer,) = (one for one in found if (one == i).any())
        mask = truth.mask_of(i)
        assert (layer == i).sum() == mask.size
        assert (layer[mask.box][mask.inside] == i).all()
