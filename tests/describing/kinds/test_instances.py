"""Masks of one value are pieces; maps of ids are objects already."""

from pathlib import Path

from autoseg.describing.drawn import Map
from autoseg.describing.kinds.base import Said
from autoseg.describing.kinds.instances import DescribeInstances


def keys_of(values, pieces, labels=None):
    seen = Map(
        shape=(9, 9), values=values, background=True, pieces=pieces, whole=1, dots=False
    )
    said = Said(labels=labels, ignore=None, ask=lambda *_: "")
    return DescribeInstances().of_maps([seen], Path("a.png"), None, said)


def test_pieces_of_a_mask_are_objects():
    assert keys_of({255: 30}, 5)["components"] is True
    assert "components" not in keys_of({1: 4, 2: 4}, 0)


def test_the_class_has_the_name_that_is_given():
    assert keys_of({1: 4, 2: 4}, 0, {"cell": 1})["labels"] == {
        "background": 0,
        "cell": 1,
    }
