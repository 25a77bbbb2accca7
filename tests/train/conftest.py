"""A tiny data set with a tiny plan, preprocessed once for all tests of training."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from autoseg.preprocess.stage import preprocess
from autoseg.spec.choice import Choice
from autoseg.spec.configuration import Configuration
from autoseg.spec.plan import Channel, Plan, as_options
from autoseg.workspace import Workspace
from tests import toy


@dataclass(frozen=True)
class Toy:
    """Where everything is."""

    root: Path
    dataset: Path
    workspace: Workspace

    def fold(self, fold: int | str = 0, plan: str = "unet") -> Path:
        return self.workspace.fold(plan, "3d_fullres", fold)


def tiny_plan(mirror_axes: tuple[int, ...] = (2,)) -> Plan:
    network = Choice(
        name="plain_unet",
        options=as_options(
            dim=3,
            features=[4, 8, 8],
            kernels=[[3, 3, 3]] * 3,
            strides=[[1, 1, 1], [2, 2, 2], [2, 2, 2]],
            convs_encoder=[1, 1, 1],
            convs_decoder=[1, 1],
        ),
    )
    volume = Configuration(
        spacing=toy.SPACING,
        patch_size=(8, 16, 16),
        batch_size=2,
        median_shape=toy.SHAPE,
        network=network,
        mirror_axes=mirror_axes,
    )
    return Plan(
        name="unet",
        dataset="Toy",
        planner="unet",
        task=Choice(
            name="semantic", options={"labels": {"background": 0, "one": 1, "two": 2}}
        ),
        unit="mm",
        transpose=(0, 1, 2),
        channels=(Channel(name="MR", normalizer=Choice(name="zscore")),),
        configurations={"3d_fullres": volume},
    )


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> Toy:
    """The data set, planned and preprocessed; nobody may write to it."""
    root = tmp_path_factory.mktemp("toy")
    dataset = toy.volumes(root / "raw" / "Toy", cases=5, test=0)
    workspace = Workspace(root=root, dataset="Toy")
    tiny_plan().save(workspace.plan("unet"))
    preprocess(dataset, root, configurations=("3d_fullres",), workers=1)
    return Toy(root=root, dataset=dataset, workspace=workspace)


@pytest.fixture
def toy_root(prepared, tmp_path) -> Toy:
    """A copy of the prepared data set that a test may train on and damage."""
    shutil.copytree(prepared.root, tmp_path / "root")
    root = tmp_path / "root"
    return Toy(
        root=root,
        dataset=root / "raw" / "Toy",
        workspace=Workspace(root=root, dataset="Toy"),
    )
