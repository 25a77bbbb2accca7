"""Every normalizer keeps the rules that are shipped for normalizers."""

import pytest

from autoseg.normalizers import NORMALIZERS
from autoseg.testing import normalizer
from tests.each import assert_each

OPTIONS = {
    "ct": {"mean": 40.0, "std": 12.0, "percentile_00_5": 3.0, "percentile_99_5": 90.0}
}


@pytest.mark.parametrize("name", NORMALIZERS.names())
def test_it_keeps_each_rule(name):
    given = NORMALIZERS[name], OPTIONS.get(name, {})

    assert_each(lambda rule: rule(*given), normalizer.RULES)
