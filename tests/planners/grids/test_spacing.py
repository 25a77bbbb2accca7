"""The target grid and the order of the axes."""

import pytest

from planners.grids.spacing import choose_grid, coarser


def test_the_spacing_is_the_median_of_each_axis(fingerprint):
    found = choose_grid(
        fingerprint(
            (0, 0, 0),
            (1, 1, 1),
            cases=3,
            shapes=((50, 60, 70),) * 3,
            spacings=((1.0, 2.0, 0.9), (1.2, 1.8, 0.8), (1.1, 1.0, 0.7)),
        )
    )

    assert found.spacing == pytest.approx((1.1, 1.8, 0.8))
    assert not found.thick


def test_the_coarsest_axis_comes_first(fingerprint):
    grid = choose_grid(fingerprint((50, 60, 70), (0.5, 0.6, 1.4)))

    assert grid.transpose == (2, 0, 1)
    assert grid.ordered(grid.spacing) == (1.4, 0.5, 0.6)


def test_of_equally_coarse_axes_the_first_comes_first(fingerprint):
    assert choose_grid(fingerprint((50, 60, 70), (1, 2, 2))).transpose == (1, 0, 2)


def _thick(fingerprint, slices, spacings):
    rows = tuple((step, 1.0, 1.0) for step in spacings)
    shapes = ((slices, 200, 200),) * len(rows)
    return choose_grid(
        fingerprint((0, 0, 0), (1, 1, 1), cases=len(rows), shapes=shapes, spacings=rows)
    )


def test_a_thick_axis_gets_its_tenth_percentile(fingerprint):
    # Of 2, 4, 5, 6, 7 the 10th percentile is 2 + 0.4 * (4 - 2) = 2.8.
    grid = _thick(fingerprint, 30, [2.0, 4.0, 5.0, 6.0, 7.0])

    assert grid.spacing == pytest.approx((2.8, 1.0, 1.0))
    assert grid.thick


def test_a_coarse_axis_with_many_slices_is_not_thick(fingerprint):
    grid = _thick(fingerprint, 67, [2.0, 4.0, 5.0, 6.0, 7.0])  # 67 * 3 > 200

    assert grid.spacing == pytest.approx((5.0, 1.0, 1.0))


def test_a_thick_axis_stays_the_coarsest(fingerprint):
    grid = _thick(fingerprint, 30, [0.5, 4.0, 5.0, 6.0, 7.0])  # 10th percentile 1.9
    finer = _thick(fingerprint, 30, [0.5, 0.6, 5.0, 6.0, 7.0])  # 0.54: below the others

    assert grid.spacing[0] == pytest.approx(1.9)
    assert finer.spacing[0] == 1.0 + 1e-5


def test_median_shapes_are_those_after_resampling(fingerprint):
    grid = choose_grid(
        fingerprint(
            (0, 0, 0),
            (1, 1, 1),
            cases=2,
            shapes=((100, 80, 60), (51, 40, 30)),
            spacings=((0.5, 1.0, 1.0), (1.5, 1.0, 1.0)),
        )
    )

    # target 1.0: 100 * 0.5 = 50 and 51 * 1.5 = 76.5, rounded to even
    assert grid.spacing[0] == 1.0
    assert grid.median_shape == ((50 + 76) / 2, 60.0, 45.0)


def test_two_dimensional_images_keep_their_axes(fingerprint):
    grid = choose_grid(fingerprint((300, 400), (0.5, 2.0)))

    assert grid.transpose == (0, 1)


def test_a_grid_becomes_coarser_along_its_fine_axes_first():
    assert coarser((5.0, 1.0, 2.0)) == pytest.approx((5.0, 1.03, 2.06))
    assert coarser((5.0, 2.5, 3.0)) == pytest.approx((5.15, 2.575, 3.09))


def test_a_spacing_can_be_fixed(fingerprint):
    grid = choose_grid(fingerprint((50, 60, 70), (1, 1, 3)), fixed=(2.0, 1.0, 1.0))

    assert grid.spacing == (2.0, 1.0, 1.0)
    assert grid.median_shape == (25.0, 60.0, 210.0)
