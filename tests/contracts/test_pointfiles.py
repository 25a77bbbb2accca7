"""Every file of points keeps the rules that are shipped for them."""

import pytest

from autoseg.pointfiles import POINTFILES
from autoseg.testing import pointfile
from tests.each import assert_each


@pytest.mark.parametrize("name", POINTFILES.names())
def test_it_keeps_each_rule(name):
    assert_each(lambda rule: rule(POINTFILES[name]), pointfile.RULES)
