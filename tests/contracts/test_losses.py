"""Every loss keeps the rules that are shipped for losses."""

import pytest

from autoseg.losses import LOSSES
from autoseg.testing import loss


@pytest.mark.parametrize("rule", loss.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", LOSSES.names())
def test_it_keeps_the_rule(name, rule):
    assert rule(LOSSES[name]) is None  # what is broken is raised
