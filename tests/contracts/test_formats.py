"""Every format keeps the rules that are shipped for formats."""

import pytest

from autoseg.formats import FORMATS
from autoseg.testing import format as _format


@pytest.mark.parametrize("rule", _format.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", FORMATS.names())
def test_it_keeps_the_rule(name, rule):
    assert rule(FORMATS[name]) is None  # what is broken is raised
