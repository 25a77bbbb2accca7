"""Every logger whose package is there keeps the rules that are shipped for loggers."""

import pytest

from autoseg.testing import logger
from autoseg.train.loggers import LOGGERS


@pytest.mark.parametrize("rule", logger.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", LOGGERS.names())
def test_it_keeps_the_rule(name, rule, monkeypatch):
    pytest.importorskip(LOGGERS[name].package)
    monkeypatch.setenv("nnUNet_wandb_mode", "offline")  # nothing leaves this machine
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    assert rule(LOGGERS[name]) is None  # what is broken is raised
