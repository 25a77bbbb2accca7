import pytest

from autoseg.errors import UsageError
from autoseg.evaluate.files import case_of, files_by_case, match


def test_case_ids_are_names_without_endings(tmp_path):
    names = ("b.nii.gz", "a.v2.png", "c.NRRD", "summary.json", ".hidden.png", "x.npz")
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()

    found = files_by_case(tmp_path)

    assert list(found) == ["a.v2", "b", "c"]
    assert found["b"] == tmp_path / "b.nii.gz"


def test_a_preview_is_no_case_unless_it_stands_alone(tmp_path):
    names = ("a.nii.gz", "a_preview.png", "b.png", "b_preview.png", "c_preview.png")
    for name in names:
        (tmp_path / name).touch()

    assert list(files_by_case(tmp_path)) == ["a", "b", "c_preview"]


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match="is no folder"):
        files_by_case(tmp_path / "nothing")


def test_a_file_that_is_all_ending_is_no_case():
    assert case_of(".nii.gz", (".nii.gz",)) is None
    assert case_of("notes.txt", (".nii.gz",)) is None


def test_files_belong_together_by_case(tmp_path):
    predictions = {"a": tmp_path / "a.png", "new": tmp_path / "new.png"}
    annotations = {"a": tmp_path / "a.nii.gz", "b": tmp_path / "b.nii.gz"}

    assert match(predictions, annotations) == (["a"], ["b"], ["new"])
