"""Ranks and correlations are those of SciPy."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from autoseg.evaluate.ranks import pearson, ranks, spearman

number = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda x: round(x, 2))
some = st.sampled_from([0.0, 1.0, -2.5]) | number  # often equal


@given(st.lists(some | st.just(np.inf), min_size=1, max_size=12))
def test_equal_numbers_share_their_ranks(values):
    from scipy.stats import rankdata

    np.testing.assert_array_equal(ranks(np.array(values)), rankdata(values))


@given(st.lists(st.tuples(some, some), min_size=3, max_size=12))
def test_correlations_are_those_of_scipy(pairs):
    from scipy.stats import pearsonr, spearmanr

    one, other = np.array(pairs).T
    assume(np.ptp(one) > 0 and np.ptp(other) > 0)

    assert pearson(one, other) == pytest.approx(pearsonr(one, other).statistic)
    expected = spearmanr(one, other).statistic
    assert spearman(one, other) == pytest.approx(expected, abs=1e-12)
