"""Every task keeps the rules that are shipped for tasks."""

import pytest

from autoseg.tasks import TASKS
from autoseg.testing import task


@pytest.mark.parametrize("rule", task.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", TASKS.names())
def test_it_keeps_the_rule(name, rule):
    assert rule(TASKS[name]) is None  # what is broken is raised
