"""A file is either complete or not there."""

import pytest

from autoseg.atomic import atomically, sweep
from autoseg.errors import FormatError


def test_the_file_appears_when_everything_is_written(tmp_path):
    path = tmp_path / "new" / "case.mhd"

    with atomically(path) as temporary:
        temporary.write_text("header")
        temporary.with_suffix(".raw").write_text("voxels")
        assert not path.exists()

    assert path.read_text() == "header"
    assert path.with_suffix(".raw").read_text() == "voxels"
    assert sorted(p.name for p in path.parent.iterdir()) == ["case.mhd", "case.raw"]


def test_what_was_there_stays_when_writing_fails(tmp_path):
    path = tmp_path / "case.nii"
    path.write_text("old")

    with pytest.raises(RuntimeError, match="disk"), atomically(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("disk full")

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_written_is_an_error(tmp_path):
    with pytest.raises(FormatError, match="was not written"):
        with atomically(tmp_path / "case.nii"):
            pass


def test_what_a_killed_run_left_of_a_file_is_swept_and_nothing_else(tmp_path):
    (tmp_path / ".case_1.nii.gz.ab12cd34").mkdir()
    (tmp_path / ".case_1.nii.gz.ab12cd34" / "case_1.nii.gz").write_text("half")
    kept = [tmp_path / ".case_2.nii.gz.ab12cd34", tmp_path / "case_1.nii.gz.folder"]
    for folder in kept:
        folder.mkdir()
    (tmp_path / "case_1.nii.gz").write_text("whole")

    sweep([tmp_path / "case_1.nii.gz", tmp_path / "nowhere" / "case_1.nii.gz"])

    assert sorted(tmp_path.iterdir()) == sorted([*kept, tmp_path / "case_1.nii.gz"])
