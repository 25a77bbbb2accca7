"""Values get names; 255 may be what nobody looked at."""

from pathlib import Path

from autoseg.describing.drawn import Map
from autoseg.describing.kinds.base import Said
from autoseg.describing.kinds.labels import DescribeLabels
from autoseg.formats.names import Segment
from autoseg.spec.foreign.looks import Look


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


def described(*files):
    """What is said of files of 3D Slicer's, each a name for each value."""
    look = Look(color=(255, 0, 16), kind=("SCT", "10200004", "Liver"))
    seen = [
        Map(
            shape=(9, 9), values=dict.fromkeys(names, 4), background=True, pieces=0,
            whole=1, dots=False,
            segments=tuple(
                Segment(name=name, value=v, stored=v, layer=0, look=look)
                for v, name in names.items()
            ),
        )
        for names in files
    ]  # fmt: skip
    said = Said(labels=None, ignore=None, ask=lambda *_: "")
    return DescribeLabels().of_maps(seen, Path("a.seg.nrrd"), None, said)


def test_segments_keep_names_values_colors_and_codes():
    found = described({1: "liver"}, {1: "liver", 4: "tumor"})

    assert found["labels"] == {"background": 0, "liver": 1, "tumor": 4}
    assert found["colors"] == {"liver": "#FF0010", "tumor": "#FF0010"}
    assert found["codes"]["tumor"] == {
        "type": ["SCT", "10200004", "Liver"],
        "category": ["SCT", "123037004", "Anatomical Structure"],
    }


def test_names_are_numbered_where_files_give_them_other_values():
    found = described({1: "liver", 2: "tumor"}, {1: "tumor", 2: "Liver"})

    assert found["labels"] == {"background": 0, "liver": 1, "tumor": 2}
    found = described({1: "Segment_1", 2: "Segment_2"}, {2: "Segment_1"})
    assert found["labels"] == {"background": 0, "Segment_1": 1, "Segment_2": 2}
