"""What is trained need not be one volume with classes that exclude each other."""

import dataclasses
import json

import numpy as np
import pytest

from autoseg.preprocess.stage import preprocess
from autoseg.spec.choice import Choice
from autoseg.spec.configuration import Configuration
from autoseg.spec.plan import Channel, as_options
from autoseg.train.stage import train
from autoseg.workspace import LOG, Workspace
from tests import toy

from .conftest import tiny_plan

OPTIONS = {
    "recipe": "fast",
    "iterations": 4,
    "device": "cpu",
    "threads": 2,
    "settings": {"train.iterations_per_epoch": 2, "train.validation_batches": 1},
}


def plane(spacing):
    network = as_options(
        dim=2,
        features=[4, 8],
        kernels=[[3, 3]] * 2,
        strides=[[1, 1], [2, 2]],
        convs_encoder=[1, 1],
        convs_decoder=[1],
    )
    return Configuration(
        spacing=spacing,
        patch_size=(16, 16),
        batch_size=4,
        median_shape=(20.0, 24.0),
        network=Choice(name="plain_unet", options=network),
        batch_dice=True,
        mirror_axes=(0, 1),
    )


def prepare(root, dataset, plan, configuration):
    workspace = Workspace(root=root, dataset=plan.dataset)
    plan.save(workspace.plan("unet"))
    preprocess(dataset, root, configurations=(configuration,), workers=1)


def scores_of(folder):
    summary = json.loads((folder / "validation" / "summary.json").read_text())
    rows = [json.loads(row) for row in (folder / LOG).read_text().splitlines()]
    assert all(np.isfinite(row["loss"]) for row in rows)
    return summary, rows


def test_volumes_are_trained_slice_by_slice(tmp_path):
    dataset = toy.volumes(tmp_path / "raw" / "Toy", cases=5, test=0)
    configurations = {"2d": plane(toy.SPACING[1:])}
    plan = dataclasses.replace(tiny_plan(), configurations=configurations)
    prepare(tmp_path, dataset, plan, "2d")

    folder = train(dataset, "2d", 0, tmp_path, **OPTIONS)

    summary, rows = scores_of(folder)
    assert list(summary["classes"]) == ["one", "two"]
    assert list(rows[0]["dice"]) == ["one", "two"]


def test_pictures_in_color_are_trained(tmp_path):
    dataset = toy.pictures(tmp_path / "raw" / "Cells", cases=5, test=0)
    labels = json.loads((dataset / "dataset.json").read_text())["labels"]
    color = Choice(name="rgb_to_0_1")
    plan = dataclasses.replace(
        tiny_plan(),
        dataset="Cells",
        unit="px",
        transpose=(0, 1),
        task=Choice(name="semantic", options={"labels": labels}),
        channels=tuple(Channel(name=n, normalizer=color) for n in ("R", "G", "B")),
        configurations={"2d": plane((1.0, 1.0))},
    )
    prepare(tmp_path, dataset, plan, "2d")

    folder = train(dataset, "2d", 0, tmp_path, **OPTIONS)

    summary, _ = scores_of(folder)
    assert summary["cases"]


@pytest.mark.parametrize(
    ("labels", "more"),
    [
        ({"background": 0, "both": [1, 2], "two": 2}, {"regions_class_order": [1, 2]}),
        ({"background": 0, "one": 1, "ignore": 2}, {}),
    ],
    ids=["regions", "ignore"],
)
def test_regions_and_ignored_voxels_are_trained(tmp_path, labels, more):
    dataset = toy.volumes(
        tmp_path / "raw" / "Toy", cases=5, test=0, labels=labels, **more
    )
    options = {"labels": {k: v for k, v in labels.items() if k != "ignore"}, **more}
    if "ignore" in labels:
        options["ignore"] = labels["ignore"]
    task = Choice(name="semantic", options=options)
    plan = dataclasses.replace(tiny_plan(), task=task)
    prepare(tmp_path, dataset, plan, "3d_fullres")

    folder = train(dataset, "3d_fullres", 0, tmp_path, **OPTIONS)

    summary, rows = scores_of(folder)
    names = [name for name in labels if name not in ("background", "ignore")]
    assert list(summary["classes"]) == names == list(rows[0]["dice"])


def test_a_residual_network_is_trained(tmp_path):
    dataset = toy.volumes(tmp_path / "raw" / "Toy", cases=5, test=0)
    plan = tiny_plan()
    settings = plan.configuration("3d_fullres")
    changed = dict(settings.network.options)
    changed["blocks"] = changed.pop("convs_encoder")
    network = Choice(name="residual_unet", options=changed)
    settings = dataclasses.replace(settings, network=network)
    plan = dataclasses.replace(plan, configurations={"3d_fullres": settings})
    prepare(tmp_path, dataset, plan, "3d_fullres")

    folder = train(dataset, "3d_fullres", 0, tmp_path, validation=False, **OPTIONS)

    assert (folder / "checkpoint_final.pt").is_file()
