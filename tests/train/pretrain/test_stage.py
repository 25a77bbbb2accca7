"""A start from images alone: learned, stopped, taken up, and trained from."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from autoseg.errors import CaseErrors, TrainingError, UsageError
from autoseg.networks.build import build_network
from autoseg.train.loop import trainer as loop
from autoseg.train.pretrain.images import find_images
from autoseg.train.pretrain.stage import pretrain
from autoseg.train.setup.job import find_job
from autoseg.train.setup.options import Options
from autoseg.train.start.adopt import adopt_network
from autoseg.train.start.initialize import initialize
from autoseg.train.start.origin import read_origin
from tests import toy

HOW = {
    "recipe": "fast",
    "device": "cpu",
    "precision": "fp32",
    "threads": 1,
    "workers": 1,
    "seed": 3,
    "settings": {"network.features": [4, 4, 4]},
}


def go(place, **options):
    images = place.dataset / "imagesTr"
    return pretrain(
        images,
        place.dataset,
        "3d_fullres",
        place.root,
        **{"iterations": 3, **HOW, **options},
    )


def weights(file):
    return torch.load(file, weights_only=True)["weights"]


def test_what_was_learned_is_a_start_for_training(toy_root):
    whole = go(toy_root)
    learned = weights(whole)
    run = json.loads((whole.parent / "run.json").read_text())
    go(toy_root)  # is there already
    again = weights(go(toy_root, overwrite=True))

    assert whole == toy_root.fold().parent / "pretrained" / "checkpoint_final.pt"
    assert run["fold"] == "pretrained" and run["training_cases"] == 5
    assert all(torch.equal(learned[name], again[name]) for name in learned)
    assert not any("seg_layers" in name for name in learned)
    assert any(name.startswith("decoder") for name in learned)

    # Training takes the network that was pretrained, though another one is planned.
    asked = Options(init_from=str(whole))
    job = find_job(toy_root.dataset, "3d_fullres", 0, toy_root.root, "unet", asked)
    fit = adopt_network(job, asked)
    assert list(fit.changes["network.features"]) == [4, 4, 4]
    job = fit.applied(job)
    network = build_network(job.plan, "3d_fullres")
    report = initialize(network, read_origin(whole), "it")
    assert {*report["new"]} == {n for n in network.state_dict() if "seg_layers" in n}
    assert all(
        torch.equal(network.state_dict()[n], learned[n]) for n in report["copied"]
    )


def test_one_that_was_stopped_ends_as_one_that_was_not(toy_root, monkeypatch):
    stopped, agree = [], loop.Trainer._agree

    def agreed(self, asked, saver):
        if self.clock.iteration != 2 or stopped:
            return agree(self, asked, saver)
        stopped.append(True)
        return loop._Agreed(stop=True, look=True, save=True)

    whole = weights(go(toy_root))
    monkeypatch.setattr(loop.Trainer, "_agree", agreed)
    with pytest.raises(KeyboardInterrupt):
        go(toy_root, overwrite=True)
    found = weights(go(toy_root))

    assert stopped and all(torch.equal(whole[name], found[name]) for name in whole)


def test_what_cannot_be_is_said_before_anything_is_written(toy_root):
    with pytest.raises(UsageError, match="say how long"):
        go(toy_root, iterations=None)
    with pytest.raises(UsageError, match="share between 0 and 1"):
        go(toy_root, hidden=1.0)
    with pytest.raises(UsageError, match="no folder of images"):
        pretrain(toy_root.root / "no", toy_root.dataset, "3d_fullres", toy_root.root)
    with pytest.raises(UsageError, match=r"no image that ends in \.nii\.gz"):
        pretrain(toy_root.root, toy_root.dataset, "3d_fullres", toy_root.root)

    assert not (toy_root.fold().parent / "pretrained").exists()


def test_nothing_is_thrown_away_before_all_that_is_needed_is_there(toy_root, caplog):
    whole = go(toy_root)
    before = whole.read_bytes()
    image = sorted((toy_root.dataset / "imagesTr").iterdir())[0]
    content = image.read_bytes()

    image.write_bytes(b"broken")
    with pytest.raises(CaseErrors, match="1 of 5 cases failed"):
        go(toy_root, overwrite=True)
    with pytest.raises(UsageError, match="say how long"):
        go(toy_root, overwrite=True, iterations=None)
    assert whole.read_bytes() == before

    assert go(toy_root) == whole
    assert "has learned from other images: case_00 changed, went or came" in caplog.text
    caplog.clear()
    image.write_bytes(content)
    assert go(toy_root) == whole and "other images" not in caplog.text
    (whole.parent / "checkpoint_final.pt").unlink()
    toy.write_nifti(image, np.ones(toy.SHAPE, np.float32))
    with pytest.raises(TrainingError, match="other images: case_00"):
        go(toy_root)


def test_images_of_one_value_are_told_and_refused_if_all_are(toy_root, caplog):
    images = sorted((toy_root.dataset / "imagesTr").iterdir())
    toy.write_nifti(images[0], np.zeros(toy.SHAPE, np.float32))
    go(toy_root)
    assert "1 image of one value everywhere" in caplog.text

    for image in images:
        toy.write_nifti(image, np.full(toy.SHAPE, 7, np.float32))
    with pytest.raises(UsageError, match="Each image has one value everywhere"):
        go(toy_root, overwrite=True)


def test_images_that_folds_hold_out_are_told_and_left_out_of_a_bids_data_set(
    toy_root, tmp_path, caplog
):
    """Five cases in three subjects, two of which have another session."""
    job = find_job(toy_root.dataset, "3d_fullres", 0, toy_root.root, "unet", Options())
    images = sorted((toy_root.dataset / "imagesTr").iterdir())
    caplog.set_level("INFO", logger="autoseg")

    assert len(find_images(toy_root.dataset / "imagesTr", job)) == 5
    assert "5 images of 5 are of cases of Toy" in caplog.text
    caplog.clear()

    study = tmp_path / "study"
    for subject, session in ((1, 1), (1, 2), (2, 1), (3, 1)):
        name = f"sub-{subject}_ses-{session}"
        place = study / f"sub-{subject}" / f"ses-{session}" / "anat"
        place.mkdir(parents=True)
        shutil.copy(images[subject], place / f"{name}_MR.nii.gz")
    (case, *_) = job.dataset.training
    case = replace(case, id="sub-1_ses-1", group="sub-1")
    raw = {**job.dataset.raw, "groups": {"sub-1_ses-1": "sub-1"}}
    job = replace(job, dataset=replace(job.dataset, training=(case,), raw=raw))

    assert [c.id for c in find_images(study, job)] == ["sub-2_ses-1", "sub-3_ses-1"]
    assert "2 images of 4 left out" in caplog.text
    for subject in (2, 3):
        shutil.rmtree(study / f"sub-{subject}")
    with pytest.raises(UsageError, match="All images of .* are of annotated subjects"):
        find_images(study, job)
