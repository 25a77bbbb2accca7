"""Values get names; 255 may be what nobody looked at."""

from pathlib import Path

from autoseg.describing.drawn import Map
from autoseg.describing.kinds.base import Said
from autoseg.describing.kinds.labels import DescribeLabels


def labels_of(values, void=None, ignore=None, answer=""):
    seen = Map(
        shape=(9, 9), values=dict.fromkeys(values, 4), background=True, pieces=0,
        whole=1, dots=False,
    )  # fmt: skip
    said = Said(labels=None, ignore=ignore, ask=lambda *_: answer)
    return DescribeLabels().of_maps([seen], Path("a.png"), void, said)["labels"]


def test_values_are_classes_by_their_numbers():
    assert labels_of([1, 7]) == {"background": 0, "class 1": 1, "class 7": 7}


def test_255_is_ignored_if_the_user_says_so():
    ignored = {"background": 0, "class 1": 1, "class 2": 2, "ignore": 255}
    assert labels_of([1, 2, 255], 255, answer="255") == ignored
    assert labels_of([1, 2, 255], 255, ignore=255) == ignored
    assert labels_of([1, 2, 255], 255, answer="-1")["class 255"] == 255
