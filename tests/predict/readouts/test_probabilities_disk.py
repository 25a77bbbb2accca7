"""A disk that fills up while probabilities are written is called so, once."""

import errno
import os
import shutil
from collections import namedtuple

import blosc2
import numpy as np
import pytest

from autoseg.cli.main import main
from autoseg.errors import CaseErrors
from autoseg.predict.readouts import probabilities
from autoseg.predict.readouts.kept import _Sink
from autoseg.predict.stage import predict
from tests.predict import toy_model as toy
from tests.predict.test_stage import write

Usage = namedtuple("Usage", "total used free")
Cropped = namedtuple("Cropped", "cropped_shape")


def _fails(*args, **kwargs):
    raise RuntimeError("Error while creating the NDArray")  # blosc2 on a full disk


@pytest.fixture
def full(monkeypatch):
    monkeypatch.setattr(blosc2, "asarray", _fails)
    monkeypatch.setattr(blosc2, "zeros", _fails)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9, 100))


def _images(folder, cases=3):
    for number in range(cases):
        labels = toy.blobs((12, 11, 10), seed=number)
        write(folder / f"c{number}_0000.nii.gz", labels)
    return folder


@pytest.mark.parametrize("in_memory", [0, 2**30])
@pytest.mark.parametrize("threads", [0, 2])
def test_a_full_disk_stops_prediction_with_one_error(
    tmp_path, full, monkeypatch, in_memory, threads
):
    monkeypatch.setattr(probabilities, "IN_MEMORY", in_memory)
    predictor = toy.knowing(toy.plan(mirror=False))

    with pytest.raises(OSError, match="No space left on device") as raised:
        predict(
            predictor,
            _images(tmp_path / "in"),
            tmp_path / "out",
            save_probabilities=True,
            readers=threads,
            writers=threads,
        )

    assert raised.value.errno == errno.ENOSPC
    assert not [name for name in os.listdir(tmp_path / "out") if ".tmp" in name]


def test_the_command_says_one_sentence(tmp_path, full, capsys):
    model = toy.saved(tmp_path / "model", toy.plan(mirror=False))
    words = ["-m", str(model), "-i", str(_images(tmp_path / "in"))]
    words += ["-o", str(tmp_path / "out"), "--save_probabilities", "-device", "cpu"]

    assert main(["predict", *words]) == 2

    said = capsys.readouterr().err
    assert said.count("No space left on device") == 1
    assert "Traceback" not in said and "NDArray" not in said


def test_what_fails_with_room_on_the_disk_is_that_case_own(tmp_path, monkeypatch):
    monkeypatch.setattr(blosc2, "asarray", _fails)
    predictor = toy.knowing(toy.plan(mirror=False))

    with pytest.raises(CaseErrors, match="3 of 3 cases failed"):
        predict(
            predictor,
            _images(tmp_path / "in"),
            tmp_path / "out",
            save_probabilities=True,
        )


@pytest.mark.parametrize("writers", [0, 2])
def test_a_disk_that_is_full_when_masks_are_written_is_said_once(
    tmp_path, monkeypatch, writers
):
    predictor = toy.knowing(toy.plan(mirror=False))

    def full_disk(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(predictor.readout, "write", full_disk)

    with pytest.raises(OSError, match="No space left on device"):
        predict(
            predictor,
            _images(tmp_path / "in"),
            tmp_path / "out",
            readers=writers,
            writers=writers,
        )
    assert not np.any([p.suffix == ".gz" for p in (tmp_path / "out").glob("*")])


def test_room_for_an_archive_is_taken_before_anything_is_written(tmp_path, monkeypatch):
    asked = []

    def no_room(file, start, size):
        asked.append(size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", no_room)
    predictor = toy.knowing(toy.plan(mirror=False))

    with pytest.raises(OSError, match="No space left on device") as raised:
        predict(
            predictor,
            _images(tmp_path / "in"),
            tmp_path / "out",
            save_probabilities="npz",
        )

    assert ".c0.npz." in str(raised.value.filename)
    assert asked[0] >= 4 * 2 * 12 * 11 * 10  # background and one class in float32
    assert not [name for name in os.listdir(tmp_path / "out") if "npz" in name]


def test_outputs_that_are_kept_for_a_search_say_that_the_disk_is_full(
    tmp_path, monkeypatch
):
    class Full:
        def __setitem__(self, place, rows):
            raise RuntimeError("Error while setting the slice")  # blosc2 4 on tmpfs

    monkeypatch.setattr(blosc2, "empty", lambda *args, **kwargs: Full())
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9, 100))
    sink = _Sink(tmp_path / "kept.b2nd", 2)
    sink.open(Cropped((6, 8)))

    with pytest.raises(OSError, match="No space left on device"):
        sink.put(np.zeros((2, 6, 8), np.float32), 0, 0)
