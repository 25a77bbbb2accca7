import pytest

from autoseg.errors import FormatError
from autoseg.pointfiles.base import read_points

NAMES = ["tip", "root"]
OLD = (
    "scorer,me,me,me,me\n"
    "bodyparts,tip,tip,root,root\n"
    "coords,x,y,x,y\n"
    "labeled-data/v/c0.png,30.5,5.25,,\n"
    "labeled-data/v/c1.png,1,2,3,4\n"
)
NEW = (
    "scorer,,,me,me,me,me\n"
    "bodyparts,,,tip,tip,root,root\n"
    "coords,,,x,y,x,y\n"
    "labeled-data,v,c0.png,30.5,5.25,,\n"
    "labeled-data,v,c1.png,1,2,3,4\n"
)
ANIMALS = (
    "scorer,,,me,me,me,me,me,me\n"
    "individuals,,,one,one,one,one,two,two\n"
    "bodyparts,,,tip,tip,root,root,tip,tip\n"
    "coords,,,x,y,x,y,x,y\n"
    "labeled-data,v,c0.png,30.5,5.25,,,,\n"
    "labeled-data,v,c1.png,,,,,1,2\n"
)


def read(tmp_path, text):
    (tmp_path / "CollectedData_me.csv").write_text(text)
    return read_points(tmp_path / "CollectedData_me.csv", NAMES)


@pytest.mark.parametrize("text", [OLD, NEW])
def test_paths_in_one_cell_or_in_several_tell_the_case(tmp_path, text):
    found = read(tmp_path, text)

    assert list(found) == ["c0", "c1"]
    assert found["c0"].names == ("tip",)
    assert found["c0"].coordinates.tolist() == [[5.25, 30.5]]
    assert found["c1"].coordinates.tolist() == [[2, 1], [4, 3]]


def test_likelihoods_of_predictions_are_scores(tmp_path):
    text = (
        "scorer,net,net,net\nbodyparts,tip,tip,tip\ncoords,x,y,likelihood\n"
        "0,1,2,0.9\n1,3,4,0.25\n"
    )

    found = read(tmp_path, text)

    assert found["1"].coordinates.tolist() == [[4, 3]]
    assert found["1"].details["score"].tolist() == [0.25]


def test_one_individual_may_have_points_in_an_image(tmp_path):
    found = read(tmp_path, ANIMALS)

    assert found["c0"].coordinates.tolist() == [[5.25, 30.5]]
    assert found["c1"].coordinates.tolist() == [[2, 1]]
    with pytest.raises(FormatError, match="c1.png' has points of one, two"):
        read(tmp_path, ANIMALS.replace("c1.png,,,,,1", "c1.png,8,9,,,1"))


def test_what_is_no_table_of_points_is_said(tmp_path):
    with pytest.raises(FormatError, match="scorer, bodyparts and coords"):
        read(tmp_path, "scorer,me\nbodyparts,tip\n1,2\n")
