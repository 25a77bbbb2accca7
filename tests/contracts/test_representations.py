"""Every representation keeps the rules that are shipped for them."""

import pytest

from autoseg.representations import REPRESENTATIONS
from autoseg.testing import representation
from tests.each import assert_each


@pytest.mark.parametrize("name", REPRESENTATIONS.names())
def test_it_keeps_each_rule(name):
    assert_each(lambda rule: rule(REPRESENTATIONS[name]), representation.RULES)
