"""The second stage of a cascade learns from what the first said about unseen cases."""

import dataclasses
import shutil

import nibabel
import numpy as np
import pytest
import torch

from autoseg.errors import UsageError
from autoseg.spec.plan import Plan
from autoseg.train.assemble import make_loader
from autoseg.train.begin import new_run
from autoseg.train.data.cascade import (
    ensure_previous,
    previous_files,
    store_of_previous,
)
from autoseg.train.data.open_cases import OpenCases
from autoseg.train.data.sampler import TRAINING
from autoseg.train.setup.hardware import choose_hardware
from autoseg.train.setup.job import ensure_preprocessed, find_job
from autoseg.train.setup.options import Options
from autoseg.train.stage import train
from tests import toy

SECOND = "3d_cascade_fullres"
CPU = choose_hardware("cpu", precision="fp32", threads=1, loader_threads=0)


@pytest.fixture
def cascade(toy_root):
    """The toy data with a plan of two stages; nothing is trained yet."""
    path = toy_root.workspace.plan("unet")
    plan = Plan.load(path)
    full = plan.configuration("3d_fullres")
    low = dataclasses.replace(full, spacing=(4.0, 2.0, 1.5), patch_size=(4, 8, 8))
    second = dataclasses.replace(full, previous="3d_lowres")
    configurations = {**plan.configurations, "3d_lowres": low, SECOND: second}
    dataclasses.replace(plan, configurations=configurations).save(path)
    return toy_root


def pretend_first_stage(toy, folds=range(5)):
    """Put the truth where the first stage's validation predictions belong."""
    for fold in folds:
        job = find(toy, fold)
        folder = toy.workspace.fold("unet", "3d_lowres", fold) / "validation"
        folder.mkdir(parents=True)
        for case in job.validation:
            name = f"{case}.nii.gz"
            shutil.copyfile(toy.dataset / "labelsTr" / name, folder / name)


def find(toy, fold=0):
    return find_job(toy.dataset, SECOND, fold, toy.root, "unet", Options())


def test_without_the_first_stage_the_commands_that_train_it_are_named(cascade):
    pretend_first_stage(cascade, folds=range(2))

    with pytest.raises(UsageError, match="3d_lowres 2 --plan unet") as caught:
        train(cascade.dataset, SECOND, 0, cascade.root)

    assert "3d_lowres 4" in str(caught.value)
    assert "3d_lowres 0" not in str(caught.value)


def test_each_case_comes_from_the_fold_that_held_it_back(cascade):
    pretend_first_stage(cascade)

    files = previous_files(find(cascade))

    for fold in range(5):
        for case in find(cascade, fold).validation:
            assert files[case].parts[-3] == f"fold_{fold}"


def test_the_first_stages_labels_become_channels_of_the_patch(cascade):
    pretend_first_stage(cascade)
    asked = Options(
        iterations=4, recipe="fast", settings={"train.augmentation": "none"}
    )
    job = find(cascade)
    ensure_previous(job)
    run = new_run(job, asked, CPU)

    cases = OpenCases(job.store.open)
    loader = make_loader(job, run, CPU, cases, job.training, TRAINING)
    batch = next(loader.batches(0, 1))

    # What was predicted is the truth, on the same grid: channels say what labels say.
    masks = torch.stack([batch.labels == 1, batch.labels == 2], 1).float()
    assert batch.images.shape[1] == 3
    assert masks.sum() > 0 and torch.equal(batch.images[:, 1:], masks)


def test_predictions_that_change_are_prepared_again(cascade):
    pretend_first_stage(cascade)
    job = find(cascade)
    ensure_previous(job)
    store = store_of_previous(job)
    case = job.validation[0]
    before = np.asarray(store.open(case).annotation[:])
    stamp = (store.folder / f"{case}.json").stat().st_mtime_ns
    ensure_previous(job)
    assert (store.folder / f"{case}.json").stat().st_mtime_ns == stamp

    other = next(c for c in job.training)
    target = previous_files(job)[case]
    shutil.copyfile(previous_files(job)[other], target)
    ensure_previous(job)

    assert not np.array_equal(store.open(case).annotation[:], before)


def test_what_was_predicted_lies_as_a_case_that_changed(cascade):
    """Its image now lies upside down in the file, and has nothing but 0 on one side."""
    pretend_first_stage(cascade)
    job = find(cascade)
    ensure_previous(job)
    case = job.training[0]
    images, truth = cascade.dataset / "imagesTr", cascade.dataset / "labelsTr"
    image = np.asarray(nibabel.load(images / f"{case}_0000.nii.gz").dataobj).T.copy()
    labels = np.asarray(nibabel.load(truth / f"{case}.nii.gz").dataobj).T
    image[..., :2] = 0
    for place, array in (
        (images / f"{case}_0000.nii.gz", image),
        (truth / f"{case}.nii.gz", labels),
        (previous_files(job)[case], labels),
    ):
        toy.write_nifti(place, array[::-1], axes="LPI")

    job = find(cascade)
    ensure_preprocessed(job)
    ensure_previous(job)

    own = np.asarray(job.store.open(case).annotation[:])
    seen = np.asarray(store_of_previous(job).open(case).annotation[:])
    assert own.shape[-1] == image.shape[-1] - 2
    np.testing.assert_array_equal(seen, own)

    image[..., 2] = 0  # another box, and the same prediction
    toy.write_nifti(images / f"{case}_0000.nii.gz", image[::-1], axes="LPI")
    job = find(cascade)
    ensure_preprocessed(job)
    ensure_previous(job)
    assert store_of_previous(job).open(case).shape[-1] == image.shape[-1] - 3


def test_the_second_stage_trains_and_is_scored(cascade):
    options = {"recipe": "fast", "iterations": 2, "device": "cpu", "threads": 1}
    train(cascade.dataset, "3d_lowres", 0, cascade.root, **options)
    pretend_first_stage(cascade, folds=range(1, 5))

    folder = train(cascade.dataset, SECOND, 0, cascade.root, **options)

    assert (folder / "validation" / "summary.json").is_file()
