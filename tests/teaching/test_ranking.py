"""What teaches most comes first, and never twice the same after each other."""

import math

import numpy as np
import pytest

from autoseg.spec.choice import Choice
from autoseg.spec.image import Geometry, Image
from autoseg.spec.plan import Channel
from autoseg.teaching.features import features_of
from autoseg.teaching.ranking import rank

# One feature; mean 1, standard deviation 1.
ANNOTATED = [np.array([0.0]), np.array([2.0])]


def order(qualities, places):
    features = {case: np.array([place]) for case, place in places.items()}
    return rank(qualities, features, ANNOTATED)


def test_of_alike_images_the_one_that_is_unsure_comes_first():
    ranked = order({"sure": 0.9, "unsure": 0.5}, {"sure": 1.0, "unsure": 1.0})

    # Both are 1 deviation from the nearest: (0.5 + 1/2) / 2, then a copy is 0 away.
    assert [one.case for one in ranked] == ["unsure", "sure"]
    assert [one.score for one in ranked] == pytest.approx([0.5, 0.05])
    assert ranked[0].because == ("unsure",)
    assert ranked[1].because == ("like one before",)


def test_of_equally_sure_ones_the_most_unlike_comes_first_and_its_twin_last():
    places = {"near": 3.0, "far": 6.0, "twin": 6.0}

    ranked = order(dict.fromkeys(places, 1.0), places)

    # Distances 1, 4, 4 to the nearest annotated; d / (1 + d) / 2.
    assert [one.case for one in ranked] == ["far", "near", "twin"]
    assert [one.score for one in ranked] == pytest.approx([0.4, 0.25, 0.0])
    assert [one.unlike for one in ranked] == [4.0, 1.0, 4.0]
    assert ranked[0].because == ("unlike training",)


def test_where_nothing_was_found_it_is_looked_at_first():
    ranked = order({"found": 0.1, "nothing": math.nan}, {"found": 1.0, "nothing": 1.0})

    assert ranked[0].case == "nothing"
    assert ranked[0].because == ("nothing found",)


def test_features_are_what_the_network_sees_and_the_size_in_the_world():
    array = np.arange(24, dtype=np.float32).reshape(1, 4, 6) * 10
    image = Image(array=array, geometry=Geometry(spacing=(2.0, 1.0), shape=(4, 6)))
    channel = Channel(name="gray", normalizer=Choice(name="rescale_to_0_1"))

    found = features_of(image, [channel])

    assert found[:5] == pytest.approx([0.05, 0.25, 0.5, 0.75, 0.95])
    assert np.exp(found[5:]) == pytest.approx([2, 1, 8, 6])
