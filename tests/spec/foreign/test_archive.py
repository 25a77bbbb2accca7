"""Files of a model never lead outside of it."""

import stat
import zipfile

import pytest

from autoseg.errors import ModelError
from autoseg.spec.foreign.archive import Archive


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


def test_no_more_of_a_zip_is_unpacked_than_such_a_file_can_have(tmp_path):
    zeros = {"plan.json": b"0" * 2**20}  # deflate makes about 1,000 bytes of them
    path = _zip(tmp_path / "model.zip", zeros)

    with Archive(path) as archive:
        assert archive.read("plan.json", 2**20) == zeros["plan.json"]
        with pytest.raises(
            ModelError, match=r"plan\.json unpacks to 1048576 bytes; 983040"
        ):
            archive.read("plan.json", 2**20 - 2**16)


def test_what_is_read_of_a_zip_may_not_grow_beyond_what_weights_can(
    tmp_path, monkeypatch
):
    zeros = {f"{name}.bin": b"0" * 2**20 for name in "abc"}
    path = _zip(tmp_path / "model.zip", zeros)  # about 3,300 bytes
    honest = _zip(tmp_path / "honest.zip", zeros, zipfile.ZIP_STORED)
    monkeypatch.setattr("autoseg.spec.foreign.archive.ANY_BYTES", 2**21)

    with Archive(path) as archive:
        archive.read("a.bin")
        archive.read("b.bin")
        # 20 times 3,300 bytes are less than the third megabyte.
        with pytest.raises(ModelError, match=r"c\.bin: what is read of \d{4} bytes"):
            archive.read("c.bin")
    with Archive(honest) as archive:
        assert all(archive.read(name) == zeros[name] for name in archive.names)


def test_a_member_that_states_a_smaller_size_than_it_has_is_damaged(tmp_path):
    path = _zip(tmp_path / "model.zip", {"plan.json": b"0" * 2**20})
    raw = path.read_bytes()
    stated = (2**20).to_bytes(4, "little")
    assert raw.count(stated) == 2  # before the member, and in the directory
    path.write_bytes(raw.replace(stated, (2**10).to_bytes(4, "little")))

    with Archive(path) as archive, pytest.raises(ModelError, match="damaged"):
        archive.read("plan.json", 2**11)


@pytest.mark.parametrize(
    "content, word",
    [
        (b"[" * 100_000, "brackets without end"),
        (b'{"a": 1' + b"0" * 10_000 + b"}", "no JSON"),
        (b"[1]", "holds a list"),
        (b'{"a": "\xfc"}', "not UTF-8"),
    ],
    ids=["brackets", "number", "list", "latin1"],
)
def test_what_is_no_json_object_is_named_with_its_fault(tmp_path, content, word):
    path = _zip(tmp_path / "model.zip", {"plan.json": content})

    with (
        Archive(path) as archive,
        pytest.raises(ModelError, match=rf"model\.zip!/plan\.json .*{word}"),
    ):
        archive.read_json("plan.json")


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
