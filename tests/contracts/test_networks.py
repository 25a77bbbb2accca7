"""Every network keeps the rules that are shipped for networks."""

import pytest

from autoseg.networks import NETWORKS
from autoseg.testing import network
from tests.each import assert_each


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("name", NETWORKS.names())
def test_it_keeps_each_rule(name, dim):
    assert_each(lambda rule: rule(NETWORKS[name], dim), network.RULES)
