import math

import numpy as np
import pytest

from autoseg.errors import UsageError
from autoseg.metrics.segmentation import score_labels, score_masks


def _labels(seed, shape=(8, 15, 14), count=4):
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=shape), 1.5)
    ranks = np.argsort(np.argsort(noise, axis=None)).reshape(shape)
    return (ranks * count // noise.size).astype(np.int16)


def test_a_box_one_voxel_too_short():
    # Reference 4 x 4 x 5 voxels of 3 x 1 x 2 mm, prediction 4 x 4 x 4 of them.
    predicted, reference = np.zeros((2, 8, 8, 9), dtype=bool)
    reference[2:6, 2:6, 2:7] = True
    predicted[2:6, 2:6, 2:6] = True

    scores = score_masks(predicted, reference, (3.0, 1.0, 2.0))

    assert (scores["tp"], scores["fp"], scores["fn"]) == (64, 0, 16)
    assert scores["dice"] == pytest.approx(2 * 64 / (64 + 80))
    assert scores["iou"] == pytest.approx(64 / 80)
    assert scores["sensitivity"] == pytest.approx(0.8)
    assert scores["precision"] == 1
    assert scores["volume_error"] == pytest.approx(-0.2)
    assert scores["volume_difference"] == pytest.approx(-16 * 6)  # mm^3
    assert scores["hd95"] == 2  # the missing layer's edge
    assert scores["tolerance"] == 1  # the smallest edge of a voxel
    assert 0 < scores["nsd"] < 1
    assert 0 < scores["assd"] < 2


def test_the_tolerance_can_be_given():
    predicted, reference = np.zeros((2, 8, 9), dtype=bool)
    reference[2:6, 2:7] = True
    predicted[2:6, 2:6] = True

    strict = score_masks(predicted, reference, (1.0, 2.0), tolerance=1.9)
    loose = score_masks(predicted, reference, (1.0, 2.0), tolerance=2.0)

    assert strict["nsd"] < loose["nsd"] == 1
    assert (strict["tolerance"], loose["tolerance"]) == (1.9, 2.0)


@pytest.mark.parametrize("ignore", [None, 3])
def test_all_labels_at_once_score_as_each_mask_alone(ignore):
    predicted, reference = _labels(1), _labels(2)
    if ignore is not None:
        predicted[predicted == ignore] = 0
    classes = {"one": (1,), "two": (2,), "both": (1, 2)}
    counted = None if ignore is None else reference != ignore

    scores = score_labels(predicted, reference, (3.0, 1.0, 1.0), classes, ignore=ignore)

    for name, members in classes.items():
        expected = score_masks(
            np.isin(predicted, members),
            np.isin(reference, members),
            (3.0, 1.0, 1.0),
            counted,
        )
        assert scores[name] == pytest.approx(expected, nan_ok=True)


def test_a_class_that_is_nowhere_is_not_defined():
    labels = np.zeros((5, 6), dtype=np.uint8)

    scores = score_labels(labels, labels, (1.0, 1.0), {"cell": (1,)})["cell"]

    for name in ("dice", "iou", "sensitivity", "precision", "hd95", "assd", "nsd"):
        assert math.isnan(scores[name])
    assert (scores["tp"], scores["fp"], scores["fn"]) == (0, 0, 0)
    assert scores["volume_difference"] == 0


def test_a_missed_class_scores_zero_and_is_infinitely_far_away():
    reference = np.zeros((5, 6), dtype=np.uint8)
    reference[2:4, 2:4] = 1

    scores = score_labels(
        np.zeros_like(reference), reference, (1.0, 1.0), {"cell": (1,)}
    )["cell"]

    assert scores["dice"] == scores["nsd"] == 0
    assert scores["hd95"] == scores["assd"] == math.inf
    assert scores["volume_error"] == -1


def test_a_prediction_inside_what_nobody_annotated_costs_nothing():
    reference = np.zeros((6, 12), dtype=np.int16)
    reference[2:4, 1:4] = 1
    reference[:, 6:] = 2
    predicted = np.zeros_like(reference)
    predicted[2:4, 1:4] = 1
    predicted[2:4, 8:11] = 1

    scores = score_labels(predicted, reference, (1.0, 1.0), {"cell": (1,)}, ignore=2)[
        "cell"
    ]

    assert scores["dice"] == scores["nsd"] == 1
    assert scores["hd95"] == 0


def test_annotations_on_different_grids_are_refused():
    with pytest.raises(UsageError, match="same grid"):
        score_labels(
            np.zeros((4, 5), np.uint8), np.zeros((5, 4), np.uint8), (1, 1), {"a": (1,)}
        )
