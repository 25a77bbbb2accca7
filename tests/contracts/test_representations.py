"""Every representation keeps the rules that are shipped for them."""

import pytest

from autoseg.representations import REPRESENTATIONS
from autoseg.testing import representation


@pytest.mark.parametrize("rule", representation.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", REPRESENTATIONS.names())
def test_it_keeps_the_rule(name, rule):
    assert rule(REPRESENTATIONS[name]) is None  # what is broken is raised
