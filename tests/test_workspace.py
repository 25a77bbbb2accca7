"""Where everything is."""

import os
from pathlib import Path

import pytest

from autoseg.errors import UsageError
from autoseg.workspace import Workspace, find_dataset, find_root, stamps_of


def _dataset(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text("{}")
    return folder


def test_the_root_is_what_is_given_else_the_variable_else_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_root() == tmp_path / "autoseg_root"

    monkeypatch.setenv("AUTOSEG_ROOT", str(tmp_path / "from_variable"))
    assert find_root() == tmp_path / "from_variable"
    assert find_root(tmp_path / "given") == tmp_path / "given"


def test_a_data_set_is_found_by_path_name_and_number(tmp_path):
    folder = _dataset(tmp_path / "raw" / "Dataset004_Hippocampus")

    for given in (folder, str(folder), "Dataset004_Hippocampus", "4", "004"):
        assert find_dataset(given, tmp_path) == folder


def test_a_relative_path_is_found(tmp_path, monkeypatch):
    folder = _dataset(tmp_path / "data" / "cells")
    monkeypatch.chdir(tmp_path)

    assert find_dataset("data/cells", tmp_path / "root") == folder


def test_a_number_does_not_fit_a_longer_number(tmp_path):
    _dataset(tmp_path / "raw" / "Dataset040_Other")

    with pytest.raises(UsageError, match="Dataset040_Other"):
        find_dataset("4", tmp_path)


def test_a_number_that_fits_two_data_sets_is_refused(tmp_path):
    _dataset(tmp_path / "raw" / "Dataset004_One")
    _dataset(tmp_path / "raw" / "Dataset004_Two")

    with pytest.raises(UsageError, match="Dataset004_One, Dataset004_Two"):
        find_dataset("4", tmp_path)


def test_a_missing_data_set_is_answered_with_those_that_are_there(tmp_path):
    _dataset(tmp_path / "raw" / "cells")

    with pytest.raises(UsageError, match="cells"):
        find_dataset("cell", tmp_path)


def test_a_folder_without_description_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "images").mkdir()

    with pytest.raises(UsageError, match="without dataset.json.*autoseg init"):
        find_dataset(tmp_path / "images", tmp_path)


def test_all_files_of_a_data_set_have_their_place(tmp_path):
    place = Workspace(root=tmp_path, dataset="cells")
    prepared, results = tmp_path / "preprocessed/cells", tmp_path / "results/cells"

    assert place.fingerprint == prepared / "fingerprint.json"
    assert place.fingerprint_sources == prepared / "fingerprint.sources.json"
    assert place.fingerprint_partial == prepared / "fingerprint.partial"
    assert place.description == prepared / "dataset.json"
    assert place.splits == prepared / "splits.json"
    assert place.plan("unet") == prepared / "plans/unet.json"
    assert place.data("3d_abc") == prepared / "3d_abc"
    assert place.model("unet", "2d") == results / "unet/2d"
    assert place.fold("unet", "2d", 3) == results / "unet/2d/fold_3"
    assert place.fold("unet", "2d", "all") == results / "unet/2d/fold_all"


def test_a_stamp_is_name_size_and_time_of_the_last_change(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(b"12345")
    os.utime(file, ns=(0, 1_700_000_000_000_000_001))

    assert stamps_of([file]) == [["a.png", 5, 1_700_000_000_000_000_001]]


def test_the_stamp_of_a_missing_file_is_none_and_no_error(tmp_path):
    assert stamps_of([tmp_path / "none.png"]) == [["none.png", None, None]]
