"""Every loss keeps the rules that are shipped for losses."""

import pytest

from autoseg.losses import LOSSES
from autoseg.testing import loss
from tests.each import assert_each


@pytest.mark.parametrize("name", LOSSES.names())
def test_it_keeps_each_rule(name):
    assert_each(lambda rule: rule(LOSSES[name]), loss.RULES)
