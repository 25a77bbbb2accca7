"""Every normalizer keeps the rules that are shipped for normalizers."""

import pytest

from autoseg.normalizers import NORMALIZERS
from autoseg.testing import normalizer

OPTIONS = {
    "ct": {"mean": 40.0, "std": 12.0, "percentile_00_5": 3.0, "percentile_99_5": 90.0}
}


@pytest.mark.parametrize("rule", normalizer.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", NORMALIZERS.names())
def test_it_keeps_the_rule(name, rule):
    assert (
        rule(NORMALIZERS[name], OPTIONS.get(name, {})) is None
    )  # what is broken is raised
