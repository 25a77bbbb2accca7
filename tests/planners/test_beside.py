"""A plan of another network beside one that is there."""

import pytest

from autoseg.errors import PluginError, UsageError
from autoseg.spec.plan import Plan
from planners.beside import plan_beside
from planners.stage import plan

from .conftest import make_place


@pytest.fixture
def place(tmp_path):
    folder, space = make_place(tmp_path)
    return folder, tmp_path, space


def test_it_has_memory_and_settings_of_the_plan_beside_it(place):
    folder, root, space = place
    settings = {
        "network.features": [8, 16, 32],
        "batch_size": 3,
        "network.norm": "batch",
    }
    plan(folder, root, name="small", gpu_memory=4, settings=settings, gpus=3)

    name = plan_beside(folder, root, "small", "mednext")

    made = Plan.load(space.plan(name))
    chosen = made.configuration("3d_fullres")
    assert (name, chosen.network.name, chosen.batch_size) == (
        "small_mednext",
        "mednext",
        3,
    )
    assert chosen.network.options["features"] == [8, 16, 32]
    assert "norm" not in chosen.network.options  # MedNeXt has no such option
    assert made.budget.options["memory_gb"] == 4
    assert made.budget.options["gpus"] == 3
    before = space.plan(name).read_text()
    assert plan_beside(folder, root, "small", "mednext") == name
    assert space.plan(name).read_text() == before


def test_without_a_network_it_is_the_plan_itself(place):
    folder, root, _ = place

    assert plan_beside(folder, root, "small", None) == "small"


def test_what_cannot_be_is_told(place):
    folder, root, space = place
    with pytest.raises(UsageError, match="plan_and_preprocess"):
        plan_beside(folder, root, "unet", "segnet")
    plan(folder, root)
    with pytest.raises(PluginError, match="Did you mean 'segnet'"):
        plan_beside(folder, root, "unet", "segnett")
    plan(folder, root, name="segnet")
    with pytest.raises(UsageError, match="is of plain_unet, not of segnet"):
        plan_beside(folder, root, "unet", "segnet")
