"""Every network keeps the rules that are shipped for networks."""

import pytest

from autoseg.networks import NETWORKS
from autoseg.testing import network


@pytest.mark.parametrize("rule", network.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("name", NETWORKS.names())
def test_it_keeps_the_rule(name, dim, rule):
    assert rule(NETWORKS[name], dim) is None  # what is broken is raised
