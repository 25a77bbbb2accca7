import numpy as np

from autoseg.landmarks.radius import fit_radius


def test_from_few_errors_no_radius_is_learnt():
    assert fit_radius(np.full((3, 6), 1.0), np.ones((3, 6)), np.ones((3, 6))) is None


def test_a_landmark_that_is_found_badly_has_larger_radii():
    rng = np.random.default_rng(0)
    errors = rng.rayleigh(1, (100, 2)) * (1, 3)
    same = np.ones((100, 2))

    found = fit_radius(errors, same, 0.9 * same)

    # Its errors are three times the other's; each leans towards the mean a little.
    ratio = found.scale[1] / found.scale[0]
    assert 2.2 < ratio <= 3.2
    # Quantiles of a Rayleigh distribution, sqrt(2 ln 2) and sqrt(2 ln 20), by its
    # geometric mean, sqrt(2) exp(-gamma / 2) = 1.0597
    np.testing.assert_allclose(found.p50, 1.111, atol=0.12)
    np.testing.assert_allclose(found.p95, 2.310, atol=0.25)


def test_one_point_that_is_far_off_does_not_set_the_radius_of_all_doubtful_ones():
    rng = np.random.default_rng(0)
    score = np.linspace(0.2, 0.95, 200).reshape(50, 4)
    errors = rng.rayleigh(1, (50, 4)) / score
    same = np.ones((50, 4))
    usual = fit_radius(errors, same, score)
    errors[0, 0] = 300.0  # that of the lowest score

    found = fit_radius(errors, same, score)

    doubtful = [of.expected(same[0], score[0])[1] * of.p95 for of in (usual, found)]
    assert doubtful[1] < 2 * doubtful[0]
