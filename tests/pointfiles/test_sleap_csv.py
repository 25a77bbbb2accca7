import pytest

from autoseg.errors import FormatError
from autoseg.pointfiles.base import read_points

HEADER = (
    "track,frame_idx,instance.score,tip.x,tip.y,tip.score,root.x,root.y,root.score\n"
)


def read(tmp_path, rows):
    (tmp_path / "c0.csv").write_text(HEADER + rows)
    return read_points(tmp_path / "c0.csv", ["tip", "root"])


def test_one_frame_is_the_case_of_the_file(tmp_path):
    found = read(tmp_path, ",17,0.9,30.5,5.25,0.75,,,\n")

    assert found["c0"].names == ("tip",)
    assert found["c0"].coordinates.tolist() == [[5.25, 30.5]]
    assert found["c0"].details["score"].tolist() == [0.75]


def test_several_frames_are_cases_by_number(tmp_path):
    found = read(tmp_path, "a,0,0.9,1,2,1,3,4,1\na,5,0.9,5,6,1,7,8,1\n")

    assert list(found) == ["0", "5"]
    assert found["5"].coordinates.tolist() == [[6, 5], [8, 7]]


def test_two_instances_in_a_frame_are_an_error(tmp_path):
    with pytest.raises(FormatError, match="frame 0 has 2 instances"):
        read(tmp_path, "a,0,0.9,1,2,1,3,4,1\nb,0,0.9,5,6,1,7,8,1\n")
