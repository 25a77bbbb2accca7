"""A user's way through all commands, each in a process of its own.

The training begins as a user's does, once; all others are forked, undrawn.
"""

import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from autoseg.cli.main import main
from tests import toy
from tests.forked import Forked

TRAIN = (
    "train Toy 3d_fullres 0 --iterations 120 --device cpu --threads 1 --set "
    "network.features=[8,16,32] batch_size=1 mirror_axes=[] train.augmentation=none "
    "train.iterations_per_epoch=60 train.validation_batches=1"
).split()


class Home:
    """A ROOT with a toy data set, and the commands run on it."""

    def __init__(self, folder):
        self.folder = folder
        self.raw = toy.volumes(folder / "raw" / "Toy", cases=5, test=2)
        self.fold = folder / "results" / "Toy" / "unet" / "3d_fullres" / "fold_0"
        self.environment = {"AUTOSEG_ROOT": str(folder), "OMP_NUM_THREADS": "1"}
        self.started = 0

    def run(self, *words):
        done = subprocess.run(
            [sys.executable, "-m", "autoseg", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | self.environment,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def start(self, *words):
        self.started += 1
        said = self.folder / f"said_{self.started}.txt"
        return Forked(said, main, (list(map(str, words)),), self.environment)

    def go_on(self, *words):
        code, said = self.start(*words).wait(300)
        assert code == 0, said
        return said

    def predict(self, output):
        return (
            *("predict", "-i", self.raw / "imagesTs", "-o", output, "-d", "Toy"),
            *("-c", "3d_fullres", "-f", "0", "--continue_prediction"),
        )


def _kill_when(process, ready, seconds=120):
    """Kill a process as soon as something is there; False if it ended before."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        if ready():
            process.kill()
            process.wait(60)
            return True
        time.sleep(0.005)
    process.kill()
    process.wait(60)
    return False


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Everything done once, from the raw folder to the scores."""
    home = Home(tmp_path_factory.mktemp("root"))
    home.said = {
        "check": home.go_on("check", "Toy"),
        "prepare": home.go_on("plan_and_preprocess", "Toy", "-c", "3d_fullres"),
        "train": home.run(*TRAIN),
    }
    home.predictions = home.folder / "predictions"
    home.said["predict"] = home.go_on(*home.predict(home.predictions))
    home.said["evaluate"] = home.go_on(
        *("evaluate", "-g", home.raw / "labelsTs", "-p", home.predictions, "-d", "Toy")
    )
    return home


def _voxels(path):
    import nibabel

    return np.asarray(nibabel.load(path).dataobj)


def test_the_unseen_images_are_segmented_well(home):
    summary = json.loads((home.predictions / "summary.json").read_text())

    assert sorted(summary["cases"]) == ["case_05", "case_06"]
    # The images are bright where the labels are: anything that learns finds them.
    assert summary["foreground"]["dice"]["mean"] > 0.8
    assert "mean over classes" in home.said["evaluate"]


def test_predictions_lie_where_their_images_are(home):
    import SimpleITK

    for path in sorted((home.raw / "imagesTs").iterdir()):
        image = SimpleITK.ReadImage(str(path))
        name = path.name.replace("_0000", "")
        prediction = SimpleITK.ReadImage(str(home.predictions / name))

        for of in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
            assert getattr(prediction, of)() == getattr(image, of)()


def test_the_fold_holds_what_is_promised(home):
    names = {path.name for path in home.fold.iterdir()}

    assert {
        "checkpoint_final.pt", "checkpoint_best.pt", "run.json", "log.jsonl",
        "progress.png", "validation",
    } <= names  # fmt: skip
    run = json.loads((home.fold / "run.json").read_text())
    assert run["iterations"] == 120
    assert run["overrides"]["network.features"] == [8, 16, 32]
    assert (home.fold / "validation" / "summary.json").is_file()


def test_what_is_done_is_not_done_again(home):
    files = [path for path in home.folder.rglob("*") if path.is_file()]
    kept = [path for path in files if path.suffix in (".b2nd", ".pt", ".gz")]
    before = {path: path.stat().st_mtime_ns for path in kept}

    home.go_on("plan_and_preprocess", "Toy", "-c", "3d_fullres")
    home.go_on(*TRAIN)
    home.go_on(*home.predict(home.predictions))

    assert {path: path.stat().st_mtime_ns for path in kept} == before
    assert len(before) > 10


def test_preparing_goes_on_after_a_kill_and_ends_the_same(home, tmp_path):
    other = Home(tmp_path / "root")
    process = other.start("plan_and_preprocess", "Toy", "-c", "3d_fullres", "-np", 1)
    folder = other.folder / "preprocessed"

    killed = _kill_when(process, lambda: any(folder.rglob("*.b2nd")))
    other.go_on("plan_and_preprocess", "Toy", "-c", "3d_fullres")

    assert killed
    expected = home.folder / "preprocessed" / "Toy"
    same = [p.relative_to(expected) for p in expected.rglob("*") if p.is_file()]
    found = [p for p in (folder / "Toy").rglob("*") if p.is_file()]
    assert sorted(p.relative_to(folder / "Toy") for p in found) == sorted(same)
    for name in ("fingerprint.json", "plans/unet.json", "splits.json"):
        if name in map(str, same):
            text = (folder / "Toy" / name).read_text()
            assert text == (expected / name).read_text()


def test_training_goes_on_after_a_kill_and_ends_with_the_same_weights(home, tmp_path):
    torch = pytest.importorskip("torch")
    other = Home(tmp_path / "root")
    shutil.copytree(home.folder / "preprocessed", other.folder / "preprocessed")
    process = other.start(*TRAIN, "--no-validation")

    killed = _kill_when(process, lambda: (other.fold / "log.jsonl").is_file())
    other.go_on(*TRAIN, "--no-validation")

    assert killed
    weights = [
        torch.load(at.fold / "checkpoint_final.pt", weights_only=True)["weights"]
        for at in (home, other)
    ]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_predicting_goes_on_after_a_kill_and_ends_the_same(home, tmp_path):
    output = tmp_path / "predictions"
    process = home.start(*home.predict(output))

    _kill_when(process, lambda: any(output.glob("*.nii.gz")))
    # As a kill leaves it that comes when the first file has just been moved in place.
    (output / ".case_05.nii.gz.ab12cd34").mkdir(exist_ok=True)
    home.go_on(*home.predict(output))

    for path in sorted(home.predictions.glob("*.nii.gz")):
        np.testing.assert_array_equal(_voxels(path), _voxels(output / path.name))
    assert not list(output.glob(".*"))
