"""Landmarks in two stages: the fine one is trained about points, and scored after."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from autoseg.errors import UsageError
from autoseg.fingerprint.stage import fingerprint
from autoseg.model.load import load_model
from autoseg.predict.predictor import Predictor
from autoseg.train.after.duration import validation_seconds
from autoseg.train.after.final_validation import validate_fold
from autoseg.train.after.rehearsal import rehearse
from autoseg.train.data.sampler import Sampler
from autoseg.train.setup.job import find_job
from autoseg.train.setup.options import Options
from autoseg.train.stage import train
from autoseg.workspace import Workspace
from planners.base import Budget
from planners.stage import plan
from tests import toy

OPTIONS = {
    "recipe": "fast",
    "iterations": 4,
    "device": "cpu",
    "threads": 1,
    "settings": {"train.iterations_per_epoch": 2, "train.validation_batches": 1},
}
SMALL = {
    "spacing": [3.0, 3.0],
    "patch_size": [16, 16],
    "2d_fine.spacing": [1.0, 1.0],
    "batch_size": 2,
    "network.features": [4, 4],
}


@pytest.fixture(scope="module")
def spots(tmp_path_factory):
    """Pictures of 48 x 40 pixels with two spots, planned in two stages."""
    root = tmp_path_factory.mktemp("spots")
    folder = toy.describe(
        root / "raw" / "Spots",
        task="landmark",
        channel_names={"0": "gray"},
        landmarks=["one", "two"],
        spacing=[1.0, 1.0],
        file_ending=".png",
        label_ending=".json",
        numTraining=5,
    )
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir()
    rng = np.random.default_rng(3)
    for number in range(5):
        image = rng.normal(80, 5, (48, 40))
        points = {"one": rng.integers(8, 16, 2), "two": rng.integers(24, 32, 2)}
        for bright, (y, x) in zip((80, 160), points.values(), strict=True):
            image[y - 2 : y + 3, x - 2 : x + 3] += bright
        Image.fromarray(image.astype(np.uint8)).save(
            folder / "imagesTr" / f"s{number}_0000.png"
        )
        said = {"coordinate_system": "index", "points": {}}
        for name, place in points.items():
            said["points"][name] = {"status": "present", "coordinates": place.tolist()}
        (folder / "labelsTr" / f"s{number}.json").write_text(json.dumps(said))
    fingerprint(folder, root, workers=1)
    plan(folder, root, budget=Budget(overrides=SMALL))
    return root, folder


def test_the_fine_stage_is_not_trained_before_the_coarse_one(spots):
    root, folder = spots
    with pytest.raises(UsageError, match="autoseg train .*Spots 2d 0 --plan unet"):
        train(folder, "2d_fine", 0, root, **OPTIONS)


def test_both_stages_are_trained_scored_and_predict_together(spots):
    root, folder = spots
    train(folder, "2d", 0, root, **OPTIONS)
    fold = train(folder, "2d_fine", 0, root, **OPTIONS)

    summary = json.loads((fold / "validation" / "summary.json").read_text())
    assert np.isfinite(summary["foreground"]["mre"]["mean"])
    model = load_model(Workspace(root=root, dataset="Spots").model("unet", "2d_fine"))
    assert model.previous is not None and model.previous.folds == ("0",)
    windows = []
    predictor = Predictor(model)
    points = predictor.predict_image(
        _read(folder), None, lambda done, total: windows.append((done, total))
    )
    assert points.present.all() and points.shape == (48, 40)
    assert windows[-1][0] == windows[-1][1] <= 2


def test_a_fine_stage_keeps_time_for_the_windows_that_it_looks_at(spots):
    root, folder = spots
    job = find_job(folder, "2d_fine", 0, root, "unet", Options())
    fine, coarse = (job.plan.configuration(n) for n in ("2d_fine", "2d"))
    assert fine.patch_size == (16, 16) and len(job.validation) == 1
    assert coarse.patch_size == (16, 16) and not fine.mirror_axes
    # The picture of 48 x 40 has 16 x 13.3 coarse pixels: a window of the coarse stage,
    # and one for each of two landmarks, instead of 5 x 4; half a second for the case.
    assert validation_seconds(job, window=10.0) == pytest.approx(3 * 10 + 0.5)
    assert validation_seconds(
        find_job(folder, "2d", 0, root, "unet", Options()), window=10.0
    ) == pytest.approx(10 + 0.5)


def test_validation_of_a_fine_stage_is_rehearsed_before_it_is_trained_to_its_end(spots):
    root, folder = spots
    train(folder, "2d", 0, root, **OPTIONS)
    fold = train(folder, "2d_fine", 0, root, **OPTIONS)
    job = find_job(folder, "2d_fine", 0, root, "unet", Options())
    shutil.copy(fold / "checkpoint_final.pt", fold / "checkpoint_rehearsal.pt")
    try:
        assert rehearse(job, "cpu") > 0
    finally:
        (fold / "checkpoint_rehearsal.pt").unlink()


@pytest.mark.parametrize(("coarse", "told"), [(0.001, True), (1e6, False)])
def test_a_closer_look_that_is_further_off_is_told(spots, caplog, coarse, told):
    root, folder = spots
    found = [train(folder, name, 0, root, **OPTIONS) for name in ("2d", "2d_fine")]
    before, now = (fold / "validation" / "summary.json" for fold in found)
    said = json.loads(before.read_text())
    said["foreground"]["mre"]["mean"] = coarse
    before.write_text(json.dumps(said))
    shutil.rmtree(now.parent)

    validate_fold(find_job(folder, "2d_fine", 0, root, "unet", Options()), "cpu")

    assert ("2d alone is 0.001 mm off" in caplog.text) == told
    assert ("Predict with 2d." in caplog.text) == told


def _read(folder):
    from autoseg.datasets.read import load_dataset
    from autoseg.formats.base import read_image

    dataset = load_dataset(folder)
    return read_image(dataset.case("s0"), dataset)


class Stored:
    """A stored case of one point."""

    shape = (64, 64)

    def foreground_count(self, name):
        return int(name == "p")

    def foreground(self, name):
        return np.array([32 * 64 + 30])


def test_patches_have_their_landmark_anywhere_in_their_middle_half():
    sampler = Sampler(
        ["a"],
        lambda case: Stored(),
        classes=("p",),
        patch_size=(16, 16),
        batch_size=1,
        foreground=1.0,
        seed=0,
        spread=0.25,
    )
    corners = np.array([sampler.draw(i, 0).corner for i in range(300)])
    away = np.array([32, 30]) - corners - 8
    # A quarter of 16 voxels to each side, each as often.
    assert away.min() == -4 and away.max() == 4
    assert len(np.unique(away, axis=0)) == 81
