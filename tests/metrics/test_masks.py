"""Scores of objects that overlap."""

import contextlib
import io

import numpy as np
import pytest

from autoseg.metrics.coco import average_precision
from autoseg.metrics.contingency import count_shared
from autoseg.metrics.masks import covered_dice, overlapping_ids, shared_masks
from autoseg.metrics.matching import match
from autoseg.spec.arrays.overlaps import Mask
from autoseg.spec.instances import Instances
from autoseg.tasks.instance import InstanceTask


def boxes(*ends):
    return {
        i: Mask((top, left), np.ones((high, wide), bool))
        for i, (top, left, high, wide) in enumerate(ends, 1)
    }


def test_where_nothing_overlaps_the_table_is_that_of_maps():
    random = np.random.default_rng(0)
    one, other = (np.kron(random.integers(0, 9, (5, 6)), np.ones((3, 3))) for _ in "ab")
    one, other = one.astype(int), np.roll(other, 1, 1).astype(int)
    masks = [
        {i: Mask.of_places(np.nonzero(x == i)) for i in np.unique(x) if i > 0}
        for x in (one, other)
    ]
    ignored = np.zeros(one.shape, bool)
    ignored[:, 12:] = True

    for hidden in (None, ignored):
        found, expected = shared_masks(*masks, hidden), count_shared(one, other, hidden)
        for name in ("predicted", "reference", "predicted_sizes", "reference_sizes"):
            assert getattr(found, name).tolist() == getattr(expected, name).tolist()
        pairs = [
            set(
                zip(t.rows.tolist(), t.columns.tolist(), t.shared.tolist(), strict=True)
            )
            for t in (found, expected)
        ]
        assert pairs[0] == pairs[1]


def test_two_predictions_over_one_object_count_once():
    table = shared_masks(boxes((0, 0, 4, 4), (0, 0, 4, 5)), boxes((0, 0, 4, 4)))

    assert table.ious.tolist() == [1.0, 0.8]
    assert match(table, 0.5).tolist() == [0]


def test_objects_overlap_if_they_share_more_than_a_twentieth():
    crossed = boxes((0, 4, 10, 2), (4, 0, 2, 10), (4, 9, 9, 4), (20, 20, 3, 3))

    # The second shares 4 + 2 of 20 voxels, the third 2 of 36: more than 5 %.
    assert overlapping_ids(crossed) == [1, 2, 3]
    assert overlapping_ids(boxes((0, 0, 10, 10), (9, 9, 10, 10))) == []


def test_dice_is_of_the_voxels_in_any_object():
    one, other = boxes((0, 0, 2, 4), (0, 2, 2, 4)), boxes((0, 0, 2, 3))

    assert covered_dice(list(one.values()), list(other.values())) == 2 * 6 / (12 + 6)
    assert covered_dice([], []) == 1 and covered_dice([], list(other.values())) == 0


def crossing(shift=0):
    labels = np.zeros((12, 12), np.int32)
    labels[1:11, 5:7] = 1
    labels[5:7, 1:11] = 2
    up = Mask((1, 5 + shift), np.ones((10, 2), bool))
    labels[up.box] = np.where(labels[up.box] == 0, 1, labels[up.box])
    masks = {1: up, 2: Mask((5, 1), np.ones((2, 10), bool))}
    return Instances(labels, {1: 1, 2: 1}, {1: 0.9, 2: 0.8}, masks)


def test_a_perfect_prediction_of_rods_that_cross_is_perfect():
    task = InstanceTask({"rod": 1})

    scores = task.score(crossing(), crossing(), (1.0, 1.0))["rod"]

    for name in ("map", "pq", "f1", "seg", "dice", "ap_50_overlapping", "coco_ap"):
        assert scores[name] == pytest.approx(1), name
    cut = task.score(crossing().labels, crossing(), (1.0, 1.0))["rod"]
    assert cut["tp_75"] == 2 and cut["tp_80"] == 1  # one lacks 4 of 20 voxels


def blobs(random, count):
    return [
        Mask(tuple(random.integers(0, 45, 2)), np.ones(random.integers(5, 15, 2), bool))
        for _ in range(count)
    ]


def encoded(mask):
    from pycocotools.mask import encode

    image = np.zeros((60, 60), np.uint8)
    image[mask.box] = mask.inside
    return encode(np.asfortranarray(image))


def with_pycocotools(images):
    """COCO's own AP of (predicted, scores, annotated) for each image."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth, found = [], []
    for number, (predicted, scores, annotated) in enumerate(images, 1):
        for mask in annotated:
            truth.append(
                {
                    "id": len(truth) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "iscrowd": 0,
                    "area": mask.size,
                    "segmentation": encoded(mask),
                }
            )
        for mask, score in zip(predicted, scores, strict=True):
            one = {"image_id": number, "category_id": 1, "score": float(score)}
            found.append({**one, "segmentation": encoded(mask)})
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = {
            "images": [{"id": n, "height": 60, "width": 60} for n in (1, 2, 3)],
            "annotations": truth,
            "categories": [{"id": 1, "name": "rod"}],
        }
        known.createIndex()
        judge = COCOeval(known, known.loadRes(found), "segm")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge.stats[:2]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_ap_of_coco_is_that_of_pycocotools(seed):
    pytest.importorskip("pycocotools")
    random = np.random.default_rng(seed)
    images = []
    for _ in range(3):
        annotated = blobs(random, 8)
        moved = [
            Mask(tuple(np.clip(m.start + random.integers(-1, 2, 2), 0, 45)), m.inside)
            for m in annotated[:6]
        ]
        predicted = moved + blobs(random, 3)
        scores = random.choice(np.linspace(0.1, 0.9, 9), len(predicted))  # some equal
        images.append((predicted, scores, annotated))

    found = average_precision(
        [shared_masks(numbered(p), numbered(a)) for p, _, a in images],
        [dict(enumerate(scores, 1)) for _, scores, _ in images],
    )

    expected = with_pycocotools(images)
    assert found["coco_ap"] == pytest.approx(expected[0], abs=1e-9)
    assert found["coco_ap_50"] == pytest.approx(expected[1], abs=1e-9)
    assert 0.1 < expected[0] < 0.9


def numbered(masks):
    return dict(enumerate(masks, 1))
