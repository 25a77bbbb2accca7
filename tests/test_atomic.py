"""A file is either complete or not there."""

import os
import subprocess
import sys

import pytest

from autoseg.atomic import atomically, sweep, sweep_temporaries, temporary_of
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


def _dead():
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    return process.pid


def test_what_dead_processes_left_is_swept_and_what_live_ones_write_is_not(tmp_path):
    mine = temporary_of(tmp_path / "model.zip")
    machine = mine.name.rpartition("-")[2]  # with the ending
    dead = _dead()
    left = [f".model.zip.{dead}-{machine}", f".model.zip.{dead}.tmp"]
    stay = [f".model.zip.{dead}-0123abcd.tmp", f".model.zip.{os.getppid()}.tmp"]
    for name in (mine.name, *left, *stay, ".other", "model.zip"):
        (tmp_path / name).write_text("x")

    sweep_temporaries(tmp_path)

    there = {path.name for path in tmp_path.iterdir()}
    assert there == {mine.name, *stay, ".other", "model.zip"}


def test_what_is_older_than_a_day_is_left_over_whoever_wrote_it(tmp_path):
    old = tmp_path / ".model.zip.1-0123abcd.tmp"
    old.write_text("x")
    os.utime(old, (1.0, 1.0))

    sweep_temporaries(tmp_path)

    assert not old.exists()


def test_only_files_of_the_names_asked_for_are_swept(tmp_path):
    dead = _dead()
    for name in ("model.zip", "other.zip"):
        (tmp_path / f".{name}.{dead}.tmp").write_text("x")

    sweep_temporaries(tmp_path, ("model.zip",))
    sweep_temporaries(tmp_path / "nowhere")

    assert [p.name for p in tmp_path.iterdir()] == [f".other.zip.{dead}.tmp"]


def test_where_nobody_else_writes_all_that_is_unfinished_is_swept(tmp_path):
    for name in (f".progress.png.{os.getpid()}.140001.tmp", ".a.b.1-0123abcd.tmp"):
        (tmp_path / name).write_text("x")

    sweep_temporaries(tmp_path, alone=True)

    assert not list(tmp_path.iterdir())
