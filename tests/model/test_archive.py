"""Files of a model never lead outside of it."""

import stat
import zipfile

import pytest

from autoseg.errors import ModelError
from autoseg.model.archive import Archive


def _zip(path, members, mode=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", mode) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "name", ["../evil.json", "/etc/evil", "a/../../evil", "C:/evil", "a\\..\\evil"]
)
def test_a_name_that_leads_outside_is_refused(tmp_path, name):
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("x")
        info.filename = name
        archive.writestr(info, "{}")

    with pytest.raises(ModelError, match="leads outside"):
        Archive(path)


def test_a_link_is_refused(tmp_path):
    info = zipfile.ZipInfo("plan.json")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = _zip(tmp_path / "model.zip", {info: "/etc/passwd"})

    with pytest.raises(ModelError, match="is a link"):
        Archive(path)


def test_a_zip_bomb_is_refused(tmp_path):
    path = _zip(tmp_path / "model.zip", {"plan.json": b"0" * 2**25})
    with zipfile.ZipFile(path) as archive:
        info = archive.infolist()[0]
    assert (
        info.file_size / info.compress_size < 2000
    )  # deflate alone cannot exceed this

    packed = _zip(tmp_path / "bz.zip", {"plan.json": b"0" * 2**25}, zipfile.ZIP_BZIP2)

    with pytest.raises(ModelError, match="unpacks to"):
        Archive(packed)


def test_a_file_that_is_no_zip_is_called_so(tmp_path):
    path = tmp_path / "model.zip"
    path.write_text("hello")

    with pytest.raises(ModelError, match="no zip"):
        Archive(path)


def test_a_folder_and_a_zip_of_it_hold_the_same(tmp_path):
    (tmp_path / "m" / "fold_0").mkdir(parents=True)
    (tmp_path / "m" / "plan.json").write_text('{"a": 1}')
    (tmp_path / "m" / "fold_0" / "x.bin").write_bytes(b"12")
    path = _zip(tmp_path / "m.zip", {"plan.json": '{"a": 1}', "fold_0/x.bin": b"12"})

    with Archive(tmp_path / "m") as folder, Archive(path) as archive:
        assert folder.names == archive.names == ["fold_0/x.bin", "plan.json"]
        assert folder.read_json("plan.json") == archive.read_json("plan.json")
        assert folder.read("fold_0/x.bin") == archive.read("fold_0/x.bin") == b"12"


def test_a_damaged_member_is_named(tmp_path):
    path = _zip(tmp_path / "m.zip", {"plan.json": b"x" * 100}, zipfile.ZIP_STORED)
    raw = bytearray(path.read_bytes())
    raw[50] ^= 1  # inside of the stored content

    path.write_bytes(raw)

    with Archive(path) as archive, pytest.raises(ModelError, match=r"plan\.json"):
        archive.read("plan.json")
