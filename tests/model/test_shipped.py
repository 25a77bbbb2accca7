"""The model that comes along: small, free, and right on pictures that are made up."""

import zipfile

import numpy as np
import pytest

import autoseg
from autoseg.model.library.shelf import shipped
from autoseg.model.load import load_model
from autoseg.spec.scale import Scale

MOST_BYTES = 5_000_000


def cells(edge, radius, seed=0):
    """Return a picture of bright disks on a noisy ground, and their ids."""
    random = np.random.default_rng(seed)
    rows, columns = np.indices((edge, edge))
    ids, number = np.zeros((edge, edge), np.int32), 0
    for _ in range(60):
        at = random.uniform(radius + 2, edge - radius - 2, 2)
        near = np.hypot(rows - at[0], columns - at[1])
        if not ids[near <= 1.5 * radius].any():
            number += 1
            ids[near <= radius] = number
    image = 40 + 120 * (ids > 0) + random.normal(0, 8, ids.shape)
    return np.clip(image, 0, 255).astype(np.uint8), ids


def found_share(found, ids):
    """Return the share of objects that one found object covers, and is covered by."""
    right = 0
    for number in range(1, ids.max() + 1):
        mask = ids == number
        value = np.bincount(found[mask].astype(int)).argmax()
        union = (mask | (found == value)).sum() if value else np.inf
        right += (mask & (found == value)).sum() / union > 0.5
    return right / ids.max()


@pytest.fixture(scope="module")
def predictor():
    return autoseg.Predictor.load("nuclei", device="cpu")


def test_it_is_small_and_holds_texts_and_tensors_only():
    file = shipped()["nuclei"]

    assert file.stat().st_size < MOST_BYTES
    with zipfile.ZipFile(file) as archive:
        endings = {name.rpartition(".")[2] for name in archive.namelist()}
    assert endings == {"json", "md", "safetensors"}


def test_it_says_what_it_is_and_under_which_terms(monkeypatch, tmp_path):
    monkeypatch.setenv("AUTOSEG_MODELS", str(tmp_path))
    (model,) = autoseg.models()

    assert (model.name, model.license, model.source) == ("nuclei", "CC0-1.0", "")
    assert "BBBC038" in model.card and "ap_50_pooled" in model.card
    assert "Trained on: 225 cases" in model.card
    loaded = load_model("nuclei")
    assert isinstance(loaded.scale, Scale) and loaded.settings.batch_size == 2


@pytest.mark.parametrize(("edge", "radius"), [(64, 4), (128, 10), (320, 40)])
def test_it_finds_objects_of_any_size(predictor, edge, radius):
    image, ids = cells(edge, radius)

    found = predictor.predict(image)

    assert found_share(found, ids) > 0.9
    assert abs(int(found.max()) - ids.max()) <= 1


def test_dark_objects_and_16_bits_are_as_good(predictor):
    image, ids = cells(128, 10)
    deep = (65535 - image.astype(np.uint16) * 200).astype(np.uint16)

    found = predictor.predict(deep)

    assert found_share(found, ids) > 0.9


def test_nothing_is_found_where_nothing_is(predictor):
    assert predictor.predict(np.full((64, 64), 7, np.uint8)).max() == 0


def test_what_is_packed_is_what_lies_in_the_folder():
    import configparser
    from pathlib import Path

    config = configparser.ConfigParser()
    config.read(Path(__file__).parents[2] / "setup.cfg")

    assert config["options.package_data"]["autoseg.model.library"].split() == [
        "files/*"
    ]
