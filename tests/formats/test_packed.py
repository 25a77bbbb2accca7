"""Packed files take no more memory than they promise, and promise what they have."""

import bz2
import gzip
import zlib

import nibabel
import numpy as np
import pytest

from autoseg.errors import FormatError
from autoseg.fingerprint.check.stage import check
from autoseg.formats._in_files import packed, stored
from autoseg.formats._in_files.packed import unpacked
from autoseg.formats._in_files.stored import Stored
from autoseg.formats.base import find_format
from tests import toy

VOXELS = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)


def nifti(path, behind=b"", size=None):
    """Write a NIfTI file with bytes behind its voxels, or another size in it."""
    plain = nibabel.Nifti1Image(VOXELS, np.eye(4)).to_bytes()
    head = bytearray(plain)
    if size is not None:
        head[42:48] = np.array(size, "<i2").tobytes()
    path.write_bytes(gzip.compress(bytes(head) + behind))
    return path


def read(path):
    return find_format(path).read_image([path]).array[0]


def test_a_few_bytes_behind_the_voxels_mean_nothing(tmp_path):
    path = nifti(tmp_path / "a.nii.gz", behind=b"more" * 100)

    assert np.array_equal(read(path), VOXELS.T)


@pytest.mark.parametrize("cut", [2, 1])
def test_what_unpacks_to_far_more_than_it_promises_is_refused(
    tmp_path, monkeypatch, cut
):
    monkeypatch.setattr(packed, "BEHIND", 1000)
    path = nifti(tmp_path / "a.nii.gz", behind=bytes(1_001 * cut))

    with pytest.raises(FormatError, match=r"a.nii.gz unpacks to over .* promises"):
        read(path)


def test_a_header_that_promises_more_than_the_file_can_hold_is_refused(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(packed, "BEHIND", 1000)
    path = nifti(tmp_path / "a.nii.gz", size=(32_000, 32_000, 32_000))

    with pytest.raises(FormatError, match="cannot hold"):
        read(path)


def test_without_the_memory_nothing_is_unpacked_and_no_file_is_blamed(
    tmp_path, monkeypatch, capsys
):
    folder = toy.volumes(tmp_path / "Toy", cases=2, test=0, shape=(4, 8, 8))
    monkeypatch.setattr(packed, "LARGE", 100)
    monkeypatch.setattr(packed, "free_memory", lambda: 200)

    with pytest.raises(OSError, match="GB are free") as caught:
        check(folder, workers=1)

    assert str(caught.value.filename).endswith(".nii.gz")


def test_streams_one_behind_the_other_are_one_file(tmp_path):
    data = b"".join(gzip.compress(part) for part in (b"abc", b"", b"defg")) + bytes(9)

    assert unpacked(data, 7, tmp_path) == b"abcdefg"


@pytest.mark.parametrize("where", [-1, -6, 14])
def test_damage_is_found_by_the_checksum(tmp_path, where):
    data = bytearray(gzip.compress(VOXELS.tobytes()))
    data[where] ^= 0xFF

    with pytest.raises(FormatError, match="damaged"):
        unpacked(bytes(data), VOXELS.nbytes, tmp_path)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, bz2.compress])
@pytest.mark.parametrize("piece", [16, 1 << 20])
def test_voxels_that_stay_in_a_file_are_unpacked_piece_by_piece(
    tmp_path, monkeypatch, pack, piece
):
    monkeypatch.setattr(stored, "PIECE", piece)
    path = tmp_path / "voxels"
    path.write_bytes(pack(b"head" + VOXELS.tobytes() + b"tail"))
    kind = stored.BZIP2 if pack is bz2.compress else stored.ZLIB

    kinds = {"dtype": VOXELS.dtype, "shape": VOXELS.shape, "packing": kind}
    found = Stored(path=path, offset=4, **kinds).open()

    assert np.array_equal(found, VOXELS)
    parts = stored._bounded(zlib.decompressobj(31), gzip.compress(bytes(999)))
    assert max(map(len, parts)) <= piece


def test_voxels_that_stay_in_a_file_are_no_more_than_promised(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "BEHIND", 100)
    path = tmp_path / "voxels"
    path.write_bytes(gzip.compress(VOXELS.tobytes() + bytes(101)))

    with pytest.raises(FormatError, match="unpacks to over"):
        Stored(
            path=path, dtype=VOXELS.dtype, shape=VOXELS.shape, packing=stored.ZLIB
        ).open()
