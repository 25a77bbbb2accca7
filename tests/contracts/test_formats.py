"""Every format keeps the rules that are shipped for formats."""

import pytest

from autoseg.formats import FORMATS
from autoseg.testing import format as _format
from tests.each import assert_each


@pytest.mark.parametrize("name", FORMATS.names())
def test_it_keeps_each_rule(name):
    assert_each(lambda rule: rule(FORMATS[name]), _format.RULES)
