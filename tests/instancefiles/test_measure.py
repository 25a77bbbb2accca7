import math

import numpy as np
import pytest
from skimage.measure import regionprops

from autoseg.instancefiles import measure as module
from autoseg.instancefiles.measure import measure
from autoseg.spec.instances import Instances


def _labels(seed, shape):
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, dtype=np.int32)
    for number in rng.permutation(np.arange(1, 13)):
        low = [rng.integers(0, size - 3) for size in shape]
        box = tuple(slice(a, a + rng.integers(2, 6)) for a in low)
        labels[box] = number * 3
    return labels


@pytest.mark.parametrize("shape", [(30, 41), (12, 17, 15)])
def test_measures_are_those_of_scikit_image(monkeypatch, shape):
    monkeypatch.setattr(module, "PIECE", 100)  # a few rows at a time
    labels = _labels(0, shape)
    image = np.random.default_rng(1).random((2, *shape)).astype(np.float32)

    found = measure(Instances(labels), (2.0,) * len(shape), image)

    expected = regionprops(labels, np.moveaxis(image, 0, -1))
    assert found.ids.tolist() == [region.label for region in expected]
    for number, region in enumerate(expected):
        dim = len(shape)
        assert found.sizes[number] == region.area * 2**dim
        assert found.centroids[number] == pytest.approx(region.centroid)
        assert found.first[number].tolist() == list(region.bbox[:dim])
        assert found.last[number].tolist() == list(region.bbox[dim:])
        assert found.means[number] == pytest.approx(region.intensity_mean)


def test_classes_scores_and_the_border_are_told():
    labels = np.zeros((5, 6), np.int32)
    labels[0, 2], labels[2, 2], labels[3, 5] = 1, 2, 4

    found = measure(Instances(labels, {1: 7}, {2: 0.5}), (1.0, 1.0))

    assert found.classes.tolist() == [7, 1, 1]
    assert math.isnan(found.scores[0]) and found.scores[1] == 0.5
    assert found.at_border.tolist() == [True, False, True]
    assert found.means.shape == (3, 0)
    assert found.box(2) == (slice(3, 4), slice(5, 6))


def test_nothing_has_no_rows():
    found = measure(Instances(np.zeros((4, 5), np.int32)), (1.0, 1.0))

    assert len(found.ids) == len(found.sizes) == 0 and found.first.shape == (0, 2)
