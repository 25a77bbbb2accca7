"""Points get the names that files have, or numbers."""

from pathlib import Path

from autoseg.describing.drawn import Map
from autoseg.describing.kinds.base import Said
from autoseg.describing.kinds.points import DescribePoints

SAID = Said(labels=None, ignore=None, ask=lambda *_: "")


def test_names_of_all_files_are_landmarks_in_their_order(tmp_path):
    one, other = tmp_path / "a.csv", tmp_path / "b.csv"
    one.write_text("landmark,x,y\ntip,1,2\n", encoding="utf-8")
    other.write_text("landmark,x,y\nroot,1,2\ntip,3,4\n", encoding="utf-8")
    _, keys = DescribePoints().of_files([one, other], SAID)
    assert keys == {"landmarks": ["tip", "root"]}


def test_values_of_a_map_are_numbers_up_to_the_largest():
    spots = Map(
        shape=(9, 9), values={1: 4, 3: 4}, background=True, pieces=0, whole=1, dots=True
    )
    keys = DescribePoints().of_maps([spots], Path("a.png"), None, SAID)
    assert keys == {"landmarks": ["1", "2", "3"]}
