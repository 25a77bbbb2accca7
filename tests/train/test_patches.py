"""How small a patch may be made: an object with its surroundings stays in it."""

import dataclasses

import pytest

from autoseg.spec.choice import Choice
from autoseg.spec.plan import as_options
from autoseg.train import patches
from autoseg.train.fit import candidates
from autoseg.train.patches import Patch, smaller_patches
from autoseg.train.setup.job import Job
from autoseg.train.setup.options import Options
from autoseg.workspace import Workspace

from .conftest import tiny_plan


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A job of planned patches of 1024 x 1024 and eight stages."""
    plan = tiny_plan()
    settings = plan.configuration("3d_fullres")
    options = {
        "dim": 2,
        "features": [32, 64, 128, 256, 512, 512, 512, 512],
        "kernels": [[3, 3]] * 8,
        "strides": [[1, 1]] + [[2, 2]] * 7,
        "convs_encoder": [2] * 8,
        "convs_decoder": [2] * 7,
    }
    settings = dataclasses.replace(
        settings,
        spacing=(1.0, 1.0),
        patch_size=(1024, 1024),
        median_shape=(1000.0, 1000.0),
        mirror_axes=(0, 1),
        batch_size=2,
        network=Choice(name="plain_unet", options=as_options(**options)),
    )

    def made(**measured):
        monkeypatch.setattr(patches, "measured_of", lambda job: measured)
        return Job(
            dataset=None,
            workspace=Workspace(root=tmp_path, dataset="Toy"),
            plan=dataclasses.replace(plan, configurations={"2d": settings}),
            configuration="2d",
            fold="0",
            training=(),
            validation=(),
        )

    return made


def test_a_small_object_needs_a_small_patch_and_fewer_stages(large):
    # 4 x 30 voxels are fewer than 256; 256 / 2**6 are the 4 voxels of a bottleneck.
    job = large(diameter={"p50": 20.0, "p95": 30.0})
    assert smaller_patches(job, "features") == [
        Patch((256, 256), 7),
        Patch((512, 512), 8),
    ]


def test_a_large_object_keeps_its_surroundings(large):
    # 4 x 200 voxels, up to a multiple of 2**7.
    job = large(diameter={"p50": 90.0, "p95": 200.0})
    assert smaller_patches(job, "features") == [Patch((896, 896), 8)]


def test_where_no_sizes_are_known_half_of_the_patch_stays(large):
    assert smaller_patches(large(), "features") == [Patch((512, 512), 8)]


def test_a_patch_that_holds_all_landmarks_stays(large):
    assert smaller_patches(large(extent={"p95": [700.0, 700.0]}), "features") == []


def test_the_network_grows_on_the_smallest_patch_before_the_patch_does(large):
    job = large(diameter={"p95": 30.0})
    rows = candidates(job, Options(time_budget=60.0))
    tried = [
        (row.get("patch_size", [1024])[0], row["network.features"][4]) for row in rows
    ]
    widths = [(256, 64), (256, 128), (256, 256), (256, 512)]
    assert tried == [*widths, (512, 512), (1024, 512)]
    assert [len(row["network.features"]) for row in rows] == [7, 7, 7, 7, 8, 8]


def test_a_patch_that_is_given_by_hand_stays(large):
    job = large(diameter={"p95": 30.0})
    asked = Options(time_budget=60.0, settings={"patch_size": [512, 512]})
    assert all("patch_size" not in row for row in candidates(job, asked))


def test_a_smaller_patch_is_a_configuration_that_can_be_trained(large):
    from autoseg.networks.build import build_network
    from autoseg.train.fit import Fit

    job = large(diameter={"p95": 30.0})
    changed = Fit(candidates(job, Options(time_budget=60.0))[0]).applied(job)
    assert changed.settings.patch_size == (256, 256)
    import torch

    with torch.device("meta"):
        network = build_network(changed.plan, "2d")
    strides = changed.settings.network.options["strides"]
    assert len(strides) == 7 and sum(p.numel() for p in network.parameters()) > 0
