import pytest

from autoseg.errors import FormatError
from autoseg.pointfiles.base import read_points


def read(tmp_path, text):
    (tmp_path / "a.pts").write_text(text)
    return read_points(tmp_path / "a.pts", ["tip", "root"])


def test_the_first_pixel_is_one(tmp_path):
    found = read(tmp_path, "version: 1\nn_points:  2\n{\n1 1\n11.5 21\n}\n")["a"]

    assert found.names == ("tip", "root")
    assert found.coordinates.tolist() == [[0, 0], [20, 10.5]]


@pytest.mark.parametrize("text", ["1 1\n", "{\n1\n}", "n_points: 3\n{\n1 1\n2 2\n}"])
def test_what_is_wrong_is_said(tmp_path, text):
    with pytest.raises(FormatError, match="it must hold|it says"):
        read(tmp_path, text)
