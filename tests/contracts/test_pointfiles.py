"""Every file of points keeps the rules that are shipped for them."""

import pytest

from autoseg.pointfiles import POINTFILES
from autoseg.testing import pointfile


@pytest.mark.parametrize("rule", pointfile.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", POINTFILES.names())
def test_it_keeps_the_rule(name, rule):
    assert rule(POINTFILES[name]) is None  # what is broken is raised
