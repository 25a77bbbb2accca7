import sys

import numpy as np
import pytest

from autoseg.errors import FormatError
from autoseg.pointfiles.base import read_points


def write(path, tracks, names=(b"tip", b"root"), **more):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["tracks"] = np.asarray(tracks, float)
        file["node_names"] = list(names)
        for key, value in more.items():
            file[key] = value


def tracks(count=1, frames=4):
    return np.full((count, 2, 2, frames), np.nan)


def test_one_frame_is_the_case_of_the_file(tmp_path):
    places = tracks()
    places[0, :, 0, 2] = 30.5, 5.25
    write(tmp_path / "c0.h5", places)

    found = read_points(tmp_path / "c0.h5", ["tip", "root"])

    assert found["c0"].names == ("tip",)
    assert found["c0"].coordinates.tolist() == [[5.25, 30.5]]


def test_several_frames_are_cases_by_number(tmp_path):
    places = tracks(count=2)
    places[0, :, :, 1] = [[1, 3], [2, 4]]
    places[1, :, :, 3] = [[5, 7], [6, 8]]
    write(tmp_path / "c0.hdf5", places)

    found = read_points(tmp_path / "c0.hdf5", ["tip", "root"])

    assert list(found) == ["1", "3"]
    assert found["3"].coordinates.tolist() == [[6, 5], [8, 7]]


def test_two_instances_in_a_frame_are_an_error(tmp_path):
    write(tmp_path / "c0.h5", np.ones((2, 2, 2, 1)))

    with pytest.raises(FormatError, match="frame 0 has 2 instances"):
        read_points(tmp_path / "c0.h5")


@pytest.mark.parametrize(
    "name, key, words",
    [
        ("c0.h5", "df_with_missing", "DeepLabCut writes a .csv of the same name"),
        ("c0.slp", "metadata", "Export Analysis HDF5"),
    ],
)
def test_other_files_say_how_to_export(tmp_path, name, key, words):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / name, "w") as file:
        file[key] = [1]

    with pytest.raises(FormatError, match=words):
        read_points(tmp_path / name)


def test_the_package_that_is_missing_is_named(tmp_path, monkeypatch):
    (tmp_path / "c0.h5").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "h5py", None)

    with pytest.raises(FormatError, match="pip install h5py"):
        read_points(tmp_path / "c0.h5")
