import numpy as np
import pytest

from autoseg.errors import FormatError
from autoseg.pointfiles.base import read_points


def test_rows_are_landmarks_in_order(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[1, 2, 3], [-1, -1, -1], [4, 5, 6.5]]))

    found = read_points(tmp_path / "a.npy", ["tip", "root", "end"])["a"]

    assert found.names == ("tip", "end")  # -1 throughout is missing
    assert found.coordinates.tolist() == [[3, 2, 1], [6.5, 5, 4]]


@pytest.mark.parametrize(
    "array", [np.zeros(3), np.zeros((2, 4)), np.zeros((2, 2), dtype=bool)]
)
def test_other_arrays_are_refused(tmp_path, array):
    np.save(tmp_path / "a.npy", array)

    with pytest.raises(FormatError, match="it must be numbers of shape"):
        read_points(tmp_path / "a.npy")
