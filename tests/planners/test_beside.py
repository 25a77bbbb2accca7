"""A plan of another network beside one that is there."""

import pytest

from autoseg.errors import PluginError, UsageError
from autoseg.spec.plan import Plan
from autoseg.workspace import Workspace
from planners.beside import plan_beside
from planners.stage import plan

from .conftest import make_fingerprint


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "raw" / "Dataset001_Test"
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text(
        '{"channel_names": {"0": "MRI"}, "labels": {"background": 0, "a": 1}, '
        '"file_ending": ".nii.gz", "numTraining": 0}'
    )
    space = Workspace(root=tmp_path, dataset="Dataset001_Test")
    space.preprocessed.mkdir(parents=True)
    from .conftest import make_task

    make_fingerprint((40, 60, 50), (1.0, 1.0, 1.0), task=make_task()).save(
        space.fingerprint
    )
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
