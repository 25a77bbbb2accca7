import json

import numpy as np
import pytest
from scipy import ndimage

from autoseg.errors import UsageError
from autoseg.instancefiles.coco import run_lengths, write_coco
from autoseg.instancefiles.measure import measure
from autoseg.spec.instances import Instances


def _decoded(counts, height, width):
    """As COCO defines it: runs of 0 and 1 in turn, column by column."""
    values = np.repeat(np.arange(len(counts)) % 2, counts)
    values = np.pad(values, (0, height * width - len(values)))
    return values.reshape(width, height).T.astype(bool)


@pytest.mark.parametrize("seed", range(4))
def test_run_lengths_give_the_mask_back(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((7, 5)) < 0.5
    whole = np.zeros((11, 9), dtype=bool)
    whole[2:9, 4:9] = mask

    counts = run_lengths(mask, 2, 4, 11, 9)

    assert np.array_equal(_decoded(counts, 11, 9), whole)
    assert all(count > 0 for count in counts[1:])


def test_a_mask_in_the_first_corner_begins_with_a_run_of_nothing():
    assert run_lengths(np.ones((2, 1), bool), 0, 0, 2, 2) == [0, 2, 2]
    assert run_lengths(np.ones((2, 2), bool), 0, 0, 2, 2) == [0, 4]


def test_a_file_holds_image_categories_and_annotations(tmp_path):
    labels, _ = ndimage.label(np.random.default_rng(0).random((20, 30)) < 0.3)
    instances = Instances(labels.astype(np.int32), {2: 5}, {1: 0.25})

    write_coco(
        tmp_path / "a.json",
        instances,
        measure(instances, (1.0, 1.0)),
        classes={1: "cell", 5: "debris"},
        image="a.png",
    )

    content = json.loads((tmp_path / "a.json").read_text())
    (image,) = content["images"]
    assert image == {"id": 1, "file_name": "a.png", "height": 20, "width": 30}
    assert {c["id"]: c["name"] for c in content["categories"]} == {
        1: "cell",
        5: "debris",
    }
    again = np.zeros((20, 30), np.int32)
    for one in content["annotations"]:
        mask = _decoded(one["segmentation"]["counts"], 20, 30)
        again[mask] = one["id"]
        y, x = np.nonzero(mask)
        assert one["area"] == len(y)
        assert one["bbox"] == [x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1]
        assert one["category_id"] == (5 if one["id"] == 2 else 1)
        assert one.get("score") == (0.25 if one["id"] == 1 else None)
    assert np.array_equal(again, labels)


def test_volumes_are_refused(tmp_path):
    volume = Instances(np.ones((2, 3, 4), np.int32))

    with pytest.raises(UsageError, match="2-D"):
        write_coco(
            tmp_path / "a.json",
            volume,
            measure(volume, (1, 1, 1)),
            classes={},
            image="a",
        )
