"""Files and folders that may not be read are named, and never left out.

Whoever runs the tests may be allowed everything, so that the system's answer is made.
"""

import errno
import os

import pytest

from autoseg.datasets.layouts.names import images_in
from autoseg.describing.layout import list_tree
from autoseg.errors import CaseErrors, FormatError
from autoseg.fingerprint.check.stage import examine
from autoseg.formats.base import find_format
from autoseg.parallel import map_cases
from autoseg.spec.foreign.archive import Archive
from autoseg.spec.foreign.place import files_at, fitting
from tests import toy


@pytest.fixture
def denied(monkeypatch):
    """Return a function after which a path may not be read any more."""
    scandir, access, opened = os.scandir, os.access, open

    def refuse(wanted):
        def is_meant(path):
            return os.fspath(path) == str(wanted)

        def fail(path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

        def no_open(path, *rest, **more):
            meant = isinstance(path, (str, os.PathLike)) and is_meant(path)
            return fail(path) if meant else opened(path, *rest, **more)

        monkeypatch.setattr(
            os, "scandir", lambda p=".": fail(p) if is_meant(p) else scandir(p)
        )
        monkeypatch.setattr(
            os, "access", lambda p, *r, **m: not is_meant(p) and access(p, *r, **m)
        )
        monkeypatch.setattr("io.open", no_open)
        return wanted

    return refuse


@pytest.fixture
def tree(tmp_path):
    """Return a folder with a file in each of two folders below it."""
    for name in ("a", "b"):
        place = tmp_path / "sub-1" / name
        place.mkdir(parents=True)
        (place / "sub-1_T1w.nii.gz").write_bytes(b"x")
    return tmp_path


def test_a_folder_that_may_not_be_read_is_no_empty_one(tree, denied):
    assert len(files_at(tree)) == len(list_tree(tree)) == len(images_in(tree)) == 2
    assert len(fitting(tree, "*/*/*.nii.gz")) == 2
    denied(tree / "sub-1" / "a")

    for look in (
        files_at,
        list_tree,
        images_in,
        lambda place: fitting(place, "*/*/*.nii.gz"),
        lambda place: Archive(place, FormatError, "study"),
    ):
        with pytest.raises(PermissionError, match="sub-1/a"):
            look(tree)


def test_one_image_that_may_not_be_read_is_named_beside_the_others(tmp_path, denied):
    folder = toy.volumes(tmp_path / "Toy", cases=4, test=1)
    image = denied(folder / "imagesTr" / "case_02_0000.nii.gz")

    with pytest.raises(FormatError, match="may not be read: permission denied"):
        find_format(image).read_image([image])
    found = examine(folder, workers=1)

    (error,) = (p for p in found.problems if p.severity == "error")
    assert error.file == image and "may not be read" in error.found
    assert len(found.cases) == 4 and found.classes == {"one": 4, "two": 4}


def test_a_case_without_rights_has_no_traceback(tmp_path, denied, caplog):
    path = denied(tmp_path / "x")

    with pytest.raises(CaseErrors) as caught:
        map_cases(lambda one: one.read_bytes(), [path], stage="fingerprint", workers=1)

    assert f"{path} may not be read or written (Permission denied)" in str(caught.value)
    assert "Traceback" not in caplog.text
