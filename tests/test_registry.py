"""Parts are found by their names, also by those that they had before."""

import importlib.metadata
import logging
import sys
from importlib.metadata import EntryPoints

import pytest
import torch

from autoseg.losses import LOSSES
from autoseg.registry import Registry
from autoseg.spec.choice import Choice
from autoseg.spec.plan import Plan
from autoseg.tasks import make_task
from planners.base import Budget
from planners.memory.costs import heads_of
from planners.unet import unet
from tests.planners.test_landmarks import TASK, XRAY


def test_a_renamed_part_is_found_by_its_old_name_and_said_once(caplog):
    losses = Registry("loss", "autoseg.losses", renamed={"heat": "balanced_mse"})

    with caplog.at_level(logging.WARNING, logger="autoseg"):
        found = [losses.current("heat"), losses.current("heat")]

    assert found == ["balanced_mse", "balanced_mse"]
    assert "heat" in losses and "heat" not in losses.names()
    (record,) = caplog.records
    assert "'heat' is called 'balanced_mse' now" in record.getMessage()


def test_what_packages_declare_is_read_once_for_each_set_of_folders(monkeypatch):
    read = []

    def entry_points():
        read.append(1)
        return EntryPoints()

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    monkeypatch.setattr("sys.path", ["/nowhere", *sys.path])
    for _ in range(3):
        assert "dice_ce" in LOSSES.names()
    assert len(read) == 1
    monkeypatch.setattr("sys.path", ["/elsewhere", *sys.path])
    assert "dice_ce" in LOSSES.names()
    assert len(read) == 2


def test_every_old_name_leads_to_a_part_that_there_is():
    assert LOSSES.renamed  # the example of docs/contributing.md
    for present in LOSSES.renamed.values():
        assert present in LOSSES.names()


@pytest.fixture
def old_plan(tmp_path):
    """A plan in a file, of the time when `balanced_mse` was `weighted_mse`."""
    options = {**TASK.options, "loss": "weighted_mse"}
    made = unet(XRAY, Choice(name="landmark", options=options), Budget())
    made.save(tmp_path / "old.json")
    assert '"weighted_mse"' in (tmp_path / "old.json").read_text()
    return Plan.load(tmp_path / "old.json")


def test_a_plan_with_the_old_name_of_a_loss_trains_and_costs_the_same(old_plan):
    task = make_task(old_plan.task)
    (head,) = task.heads
    (cost,) = heads_of(task)

    loss = LOSSES[head.loss.name](**head.loss.options)

    assert type(loss) is LOSSES["balanced_mse"]
    assert isinstance(loss, torch.nn.Module)
    assert cost.loss == "balanced_mse"
