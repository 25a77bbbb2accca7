"""Cases that workers of a Dask cluster predict, which load the model themselves."""

import json

import nibabel
import numpy as np
import pytest
import torch

from autoseg.errors import CaseErrors, UsageError
from autoseg.executors import elsewhere
from autoseg.outputs import JOURNAL
from autoseg.predict.elsewhere.order import Order
from autoseg.predict.stage import predict
from tests import workers
from tests.predict import toy_model as toy

pytest.importorskip("distributed", reason="the extra cluster is missing")

MODEL = "results/Toy/toy/net"

pytestmark = pytest.mark.filterwarnings("ignore")  # Dask's own, of ports and loops


@pytest.fixture(scope="module")
def word():
    """Two workers in this process, whose address is that of a cluster."""
    with workers.here(2) as made:
        yield made.scheduler_address


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a model and three images, named as only this process does."""
    monkeypatch.chdir(tmp_path)
    # The last digits of a network's outputs depend on how many threads compute them.
    monkeypatch.setattr("autoseg.executors.elsewhere.cores", torch.get_num_threads)
    toy.saved(tmp_path, toy.plan(patch=8, mirror=False), folds=(0, 1))
    (tmp_path / "images").mkdir()
    for number, shape in enumerate([(10, 9, 8), (8, 12, 9), (9, 8, 8)]):
        array = 100 * toy.blobs(shape, seed=number).astype(np.int16)
        image = nibabel.Nifti1Image(array, np.eye(4))
        nibabel.save(image, tmp_path / "images" / f"case_{number}_0000.nii.gz")
    return tmp_path


def _contents(folder):
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {p.name: p.read_bytes() for p in files if p.name != JOURNAL}


def test_predictions_are_those_of_one_process_and_the_model_goes_with_the_job(
    word, place, monkeypatch
):
    loaded = []
    load = Order.load
    monkeypatch.setattr(Order, "load", lambda order: loaded.append(1) or load(order))
    options = {"uncertainty": True, "save_probabilities": "npz", "device": "cpu"}

    predict(MODEL, "images", "here", **options)
    written = predict(MODEL, "images", "there", cluster=word, **options)

    assert [path.name for path in written] == [f"case_{n}.nii.gz" for n in range(3)]
    assert _contents(place / "here") == _contents(place / "there")
    sure = json.loads((place / "there" / "uncertainty.json").read_text())
    assert len(sure["quality"]) == 3
    assert len(loaded) == 1  # by two workers that share a process
    assert not elsewhere._kept


def test_the_model_goes_also_when_a_case_fails(word, place):
    (place / "images" / "case_1_0000.nii.gz").write_bytes(b"nothing")

    with pytest.raises(CaseErrors, match=r"1 of 3 cases failed[\s\S]*case_1"):
        predict(MODEL, "images", "there", cluster=word, device="cpu")

    assert (place / "there" / "case_2.nii.gz").is_file()
    assert not elsewhere._kept


def test_a_model_in_memory_is_not_sent(word, place):
    model = toy.knowing(toy.plan(patch=8))

    with pytest.raises(UsageError, match="give its path, not a Predictor"):
        predict(model, "images", "there", cluster=word)
