import pytest

from autoseg.errors import FormatError
from autoseg.pointfiles.base import read_points


def test_rows_of_one_number_behind_the_points_are_left_out(tmp_path):
    rows = [f"{10 * i},{7 * i}" for i in range(1, 20)] + ["1", "3", "2", "1"] * 2
    (tmp_path / "001.txt").write_text("\n".join(rows) + "\n")
    names = [f"L{i}" for i in range(1, 20)]

    found = read_points(tmp_path / "001.txt", names)["001"]

    assert found.names == tuple(names)
    assert found.coordinates.tolist() == [[7 * i, 10 * i] for i in range(1, 20)]


@pytest.mark.parametrize("text", ["1,2\n3\n4,5\n", "1,2\nthree\n", "1\n2\n"])
def test_other_rows_are_an_error(tmp_path, text):
    (tmp_path / "001.txt").write_text(text)

    with pytest.raises(FormatError, match="001.txt"):
        read_points(tmp_path / "001.txt", ["a"])
