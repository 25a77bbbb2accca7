"""Every task keeps the rules that are shipped for tasks."""

import pytest

from autoseg.tasks import TASKS
from autoseg.testing import task
from tests.each import assert_each


@pytest.mark.parametrize("name", TASKS.names())
def test_it_keeps_each_rule(name):
    assert_each(lambda rule: rule(TASKS[name]), task.RULES)
