import math

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from autoseg.errors import UsageError
from autoseg.metrics.instances import ANY_CLASS, THRESHOLDS, score_instances


def _discs(seed, shape=(110, 100), count=30):
    """Overlapping discs, painted one after the other."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, dtype=np.int32)
    grid = np.indices(shape)
    for number in range(1, count + 1):
        center = rng.uniform(0, shape)[:, None, None]
        radius = rng.uniform(5, 12)
        labels[((grid - center) ** 2).sum(0) < radius**2] = number
    return labels


def _moved(labels, seed):
    """The same with holes, a shift, some instances joined and some lost."""
    rng = np.random.default_rng(seed)
    table = np.arange(labels.max() + 1)
    table[rng.integers(1, len(table), 6)] = 0
    table[rng.integers(1, len(table), 5)] = 7
    moved = np.roll(table[labels], seed % 2 + 1, axis=1)
    moved[rng.random(labels.shape) < 0.05] = 0
    return moved


def _brute(predicted, reference):
    """The same metrics from one mask for each instance."""
    p_masks = [predicted == i for i in np.unique(predicted) if i > 0]
    r_masks = [reference == i for i in np.unique(reference) if i > 0]
    iou = np.array([[(p & r).sum() / (p | r).sum() for r in r_masks] for p in p_masks])
    scores, n_p, n_r = {}, len(p_masks), len(r_masks)
    for t in THRESHOLDS:
        rows, columns = linear_sum_assignment(iou > t, maximize=True)
        tp = int((iou > t)[rows, columns].sum())
        scores[f"ap_{round(100 * t)}"] = tp / (n_p + n_r - tp)
    scores["map"] = sum(scores.values()) / len(scores)
    good = iou[iou > 0.5]
    tp, fp, fn = len(good), n_p - len(good), n_r - len(good)
    scores["precision"], scores["recall"] = tp / (tp + fp), tp / (tp + fn)
    scores["f1"] = scores["rq"] = 2 * tp / (2 * tp + fp + fn)
    scores["sq"] = good.mean()
    scores["pq"] = good.sum() / (tp + fp / 2 + fn / 2)
    scores["count_error"] = n_p - n_r
    seg = []
    for r in r_masks:
        over = [p for p in p_masks if (p & r).sum() > 0.5 * r.sum()]
        seg.append((over[0] & r).sum() / (over[0] | r).sum() if over else 0.0)
    scores["seg"] = np.mean(seg)
    for name, pairs in (
        ("aji", [(int(np.argmax(iou[:, k])), k) for k in range(n_r)]),
        (
            "aji_plus",
            list(
                zip(
                    *linear_sum_assignment(
                        (iou > 0) + iou / (2 * len(iou)), maximize=True
                    ),
                    strict=True,
                )
            ),
        ),
    ):
        pairs = [(i, k) for i, k in pairs if iou[i, k] > 0]
        shared = sum((p_masks[i] & r_masks[k]).sum() for i, k in pairs)
        union = sum((p_masks[i] | r_masks[k]).sum() for i, k in pairs)
        union += sum(
            p_masks[i].sum() for i in range(n_p) if i not in {i for i, _ in pairs}
        )
        union += sum(
            r_masks[k].sum() for k in range(n_r) if k not in {k for _, k in pairs}
        )
        scores[name] = shared / union
    a, b = predicted > 0, reference > 0
    scores["dice"] = 2 * (a & b).sum() / (a.sum() + b.sum())
    return scores


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_one_mask_for_each_instance(seed):
    reference = _discs(seed)
    predicted = _moved(reference, seed)

    scores = score_instances(predicted, reference, (1.0, 1.0))["instance"]

    expected = _brute(predicted, reference)
    assert 0.1 < expected["map"] < 0.9
    for name, value in expected.items():
        assert scores[name] == pytest.approx(value), name


def test_two_objects_by_hand():
    # Reference 1 has 4 voxels, 2 has 3. Prediction 5 covers 3 of 1 (IoU 3/4), 6 one
    # of 2 (IoU 1/3).
    reference = np.array([[1, 1, 1, 1, 0, 2, 2, 2]])
    predicted = np.array([[5, 5, 5, 0, 0, 0, 0, 6]])

    scores = score_instances(predicted, reference, (1.0, 1.0))["instance"]

    for t in (50, 55, 60, 65, 70):
        assert scores[f"ap_{t}"] == pytest.approx(1 / 3)  # TP 1, FP 1, FN 1
    for t in (75, 80, 85, 90, 95):
        assert scores[f"ap_{t}"] == 0
    assert scores["map"] == pytest.approx(5 / 10 / 3)
    assert scores["precision"] == scores["recall"] == scores["f1"] == 0.5
    assert scores["sq"] == 0.75
    assert scores["pq"] == 0.375
    assert scores["seg"] == 0.375  # 6 covers less than half of 2
    assert scores["aji"] == scores["aji_plus"] == pytest.approx((3 + 1) / (4 + 3))
    assert scores["dice"] == pytest.approx(2 * 4 / (7 + 4))
    assert scores["count_error"] == 0


def test_aji_takes_a_prediction_twice_and_aji_plus_does_not():
    # One prediction over both objects: 4 voxels each, 8 predicted.
    reference = np.repeat([1, 2], 4)[None]
    predicted = np.ones((1, 8), dtype=int)

    scores = score_instances(predicted, reference, (1.0, 1.0))["instance"]

    assert scores["aji"] == pytest.approx((4 + 4) / (8 + 8))
    assert scores["aji_plus"] == pytest.approx(4 / (8 + 4))


def test_ids_and_their_order_do_not_matter():
    reference = _discs(5)
    predicted = _moved(reference, 5)
    table = np.random.default_rng(0).permutation(1000)[: predicted.max() + 1] + 1
    table[0] = 0

    one = score_instances(predicted, reference, (1.0, 1.0))
    two = score_instances(table[predicted], reference, (1.0, 1.0))

    assert one["instance"] == pytest.approx(two["instance"])


def test_an_empty_image_that_is_found_empty_is_perfect():
    empty = np.zeros((4, 5), dtype=np.int32)

    scores = score_instances(empty, empty, (1.0, 1.0))["instance"]

    names = ("map", "ap_50", "ap_95", "precision", "recall", "f1", "pq", "sq", "rq")
    for name in (*names, "seg", "aji", "aji_plus", "dice"):
        assert scores[name] == 1
    assert scores["count_error"] == scores["predicted"] == scores["tp_50"] == 0


def test_what_is_made_up_in_an_empty_image_is_wrong():
    empty, some = np.zeros((2, 4, 5), dtype=np.int32)
    some[1, 1] = 1

    made_up = score_instances(some, empty, (1.0, 1.0))["instance"]
    missed = score_instances(empty, some, (1.0, 1.0))["instance"]

    for scores in (made_up, missed):
        for name in ("map", "ap_50", "f1", "pq", "aji", "aji_plus", "dice"):
            assert scores[name] == 0
        assert math.isnan(scores["sq"])
    assert made_up["precision"] == missed["recall"] == missed["seg"] == 0
    for undefined in (made_up["recall"], made_up["seg"], missed["precision"]):
        assert math.isnan(undefined)


CLASSES = {"round": 1, "long": 2, "rare": 3}


def test_the_right_place_and_the_wrong_class_is_wrong_by_class_only():
    labels = np.array([[1, 1, 0, 2, 2, 0, 3, 3]])
    kinds = {1: 1, 2: 2, 3: 2}

    scores = score_instances(
        labels,
        labels,
        (1.0, 1.0),
        classes=CLASSES,
        predicted_class={1: 1, 2: 1, 3: 2}.get,
        reference_class=kinds.get,
    )

    assert scores["round"]["ap_50"] == 0.5  # TP 1, FP 1
    assert scores["long"]["ap_50"] == 0.5  # TP 1, FN 1
    assert math.isnan(scores["rare"]["map"])
    assert scores[ANY_CLASS]["pq"] == 1


def test_objects_at_the_border_can_be_left_out():
    reference = np.zeros((6, 12), dtype=np.int32)
    reference[0:3, 1:4], reference[2:5, 6:9] = 1, 2
    predicted = np.zeros_like(reference)
    predicted[0:3, 1:4] = 4  # of the one at the border
    predicted[2:5, 6:9] = 5
    predicted[5:, 10:] = 6  # of nothing, at the border

    all_of_them = score_instances(predicted, reference, (1.0, 1.0))["instance"]
    inner = score_instances(predicted, reference, (1.0, 1.0), border=False)["instance"]

    assert all_of_them["ap_50"] == pytest.approx(2 / 3)
    assert inner["ap_50"] == 1
    assert (inner["predicted"], inner["reference"]) == (1, 1)


def test_scores_by_size_in_physical_units():
    # Voxels of 0.5 x 2: sizes 1, 4 and 9 voxels are 1, 4 and 9 units.
    reference = np.zeros((10, 10), dtype=np.int32)
    reference[0, 0], reference[2:4, 2:4], reference[5:8, 5:8] = 1, 2, 3
    predicted = reference.copy()
    predicted[predicted == 3] = 0
    predicted[9, 0] = 9  # a small one too many

    scores = score_instances(predicted, reference, (0.5, 2.0), size_limits=(1.0, 4.0))

    found = scores["instance"]
    assert found["ap_50_small"] == 0.5
    assert found["ap_50_medium"] == 1
    assert found["ap_50_large"] == 0
    assert found["predicted_small"] == 2
    assert found["reference_large"] == 1


def test_a_prediction_just_over_a_limit_is_right_for_the_object_below_it():
    reference = np.array([[1, 1, 1, 1, 0, 0]])
    predicted = np.array([[1, 1, 1, 1, 1, 0]])

    found = score_instances(predicted, reference, (1.0, 1.0), size_limits=(4, 8))

    assert found["instance"]["ap_50_small"] == 1
    assert math.isnan(found["instance"]["ap_50_medium"])


def test_limits_have_to_ascend():
    labels = np.ones((2, 2), dtype=int)
    with pytest.raises(UsageError, match="ascending"):
        score_instances(labels, labels, (1.0, 1.0), size_limits=(4, 1))
