"""Resampling: the library's values, and the fast way's nearness to them."""

from itertools import product

import numpy as np
import pytest
from scipy import ndimage
from skimage.transform import resize

from autoseg.errors import PlanError, UsageError
from autoseg.geometry.resample import (
    resample_image,
    resample_labels,
    resample_outputs,
    resampled_shape,
    separate_axis,
)
from autoseg.spec.configuration import Resampling
from tests.each import each

CUBE = (1.0, 1.0, 1.0)
# Shape before and after, spacing before; the spacing after follows from them.
GRIDS = [
    ((9, 11, 13), (14, 8, 20), CUBE),  # up and down
    ((20, 18, 70), (10, 36, 140), CUBE),  # integer factors: exact ties
    ((70, 5, 90), (93, 7, 41), CUBE),
    ((6, 17, 19), (6, 23, 12), (6.0, 1.0, 1.0)),  # thick slices, their number stays
    ((6, 17, 19), (13, 23, 12), (6.0, 1.0, 1.0)),  # ... grows
    ((13, 17, 9), (5, 23, 12), (6.0, 1.0, 1.0)),  # ... shrinks
    ((17, 6, 19), (23, 13, 12), (1.0, 6.0, 1.0)),  # thick along the second axis
    ((17, 19, 7), (23, 19, 3), (1.0, 1.0, 6.0)),  # and the third
    ((1, 20, 20), (1, 13, 31), CUBE),
    ((1, 1, 1), (3, 2, 4), CUBE),
    ((4, 1, 2), (1, 5, 1), CUBE),
    ((31, 40), (50, 23), (1.0, 1.0)),  # a photograph
    ((1, 7), (5, 7), (1.0, 9.0)),
]


def _new_spacing(shape, new_shape, spacing):
    return tuple(s * a / b for a, b, s in zip(shape, new_shape, spacing, strict=True))


def _blobs(shape, labels, seed=0):
    """Return a label map with smooth borders where many labels meet."""
    rng = np.random.default_rng(seed)
    fields = [ndimage.gaussian_filter(rng.normal(size=shape), 1.5) for _ in labels]
    return np.asarray(labels, np.int16)[np.argmax(fields, axis=0)]


@pytest.mark.parametrize(
    ("shape", "spacing", "new_spacing", "expected"),
    [
        ((10, 20), (3.0, 1.0), (1.5, 2.0), (20, 10)),
        ((5, 7), (1.0, 1.0), (2.0, 2.0), (2, 4)),  # 2.5 -> 2 and 3.5 -> 4: half to even
        ((1, 3), (1.0, 1.0), (5.0, 10.0), (1, 1)),  # never nothing
    ],
)
def test_new_shape(shape, spacing, new_spacing, expected):
    assert resampled_shape(shape, spacing, new_spacing) == expected


def test_shape_and_spacings_of_different_length_are_refused():
    with pytest.raises(UsageError, match="as many axes"):
        resampled_shape((3, 3), (1.0, 1.0, 1.0), (1.0, 1.0))


@pytest.mark.parametrize(
    ("spacing", "new_spacing", "separate", "expected"),
    [
        ((5.0, 1.0, 1.0), (1.0, 1.0, 1.0), None, 0),  # thick before
        ((1.0, 1.0, 1.0), (1.0, 1.0, 5.0), None, 2),  # thick after
        ((1.0, 4.0, 1.0), (5.0, 1.0, 1.0), None, 1),  # before decides first
        ((3.0, 1.0, 1.0), (3.0, 1.0, 1.0), None, None),  # more than three times only
        ((5.0, 5.0, 1.0), (9.0, 1.0, 1.0), None, None),  # two axes share the largest
        ((1.0, 1.0, 1.0), (9.0, 9.0, 1.0), None, None),
        ((5.0, 1.0, 1.0), (1.0, 1.0, 1.0), False, None),
        ((2.0, 1.0, 1.0), (1.0, 1.0, 9.0), True, 0),
        ((1.0, 1.0, 1.0), (9.0, 1.0, 1.0), True, None),
        ((9.0, 1.0), (9.0, 1.0), None, None),  # no thick axis in 2-D
    ],
)
def test_thick_axis(spacing, new_spacing, separate, expected):
    rule = Resampling(separate_thick=separate)

    assert separate_axis(spacing, new_spacing, rule) == expected


def test_the_exact_way_is_scikit_images_resize():
    image = np.random.default_rng(0).normal(size=(2, 9, 11, 13)).astype(np.float32)

    resampled = resample_image(image, (14, 8, 20), CUBE, CUBE, Resampling(), exact=True)

    wanted = [
        resize(c.astype(float), (14, 8, 20), 3, mode="edge", anti_aliasing=False)
        for c in image
    ]
    assert resampled.dtype == np.float32
    np.testing.assert_array_equal(resampled, np.stack(wanted).astype(np.float32))


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("order", [1, 3])
def test_thick_slices_are_resized_each_alone_and_then_repeated(order, exact):
    image = np.random.default_rng(1).normal(size=(1, 2, 8, 8)).astype(np.float32)
    rule = Resampling(image_order=order)

    resampled = resample_image(
        image, (4, 12, 5), (8.0, 1.0, 1.0), (4.0, 0.6, 1.6), rule, exact
    )

    first, second = (
        resize(z.astype(float), (12, 5), order, mode="edge", anti_aliasing=False)
        for z in image[0]
    )
    # Centers of the four new slices lie at -0.25, 0.25, 0.75, 1.25 of the old two.
    wanted = np.stack([first, first, second, second])
    np.testing.assert_allclose(resampled[0], wanted, atol=2e-6)


@each("order", [0, 1, 2, 3])
@each("shape, new_shape, spacing", GRIDS)
def test_the_fast_way_is_within_rounding_of_the_library(
    shape, new_shape, spacing, order
):
    image = np.random.default_rng(2).normal(size=(2, *shape)).astype(np.float32)
    grids = (new_shape, spacing, _new_spacing(shape, new_shape, spacing))
    rule = Resampling(image_order=order)

    fast = resample_image(image, *grids, rule)
    exact = resample_image(image, *grids, rule, exact=True)

    assert fast.shape == exact.shape == (2, *new_shape)
    assert fast.dtype == np.float32
    np.testing.assert_allclose(fast, exact, atol=1e-6 * max(1e-6, np.ptp(image)))


@each("shape, new_shape, spacing", GRIDS)
def test_the_fast_way_is_within_rounding_of_torchs_interpolation(
    shape, new_shape, spacing
):
    image = np.random.default_rng(2).normal(size=(2, *shape)).astype(np.float32)
    grids = (new_shape, spacing, _new_spacing(shape, new_shape, spacing))
    rule = Resampling(method="linear")

    fast = resample_image(image, *grids, rule)
    exact = resample_image(image, *grids, rule, exact=True)

    # torch finds positions in float32: to 1e-5 of a voxel on an axis of a hundred.
    np.testing.assert_allclose(fast, exact, atol=1e-5 * max(1e-6, np.ptp(image)))


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize(("size", "new_size"), [(300, 211), (190, 400), (65, 1000)])
def test_long_axes_too(size, new_size, order):
    line = np.random.default_rng(3).normal(size=(1, size, 2)).astype(np.float32)
    rule = Resampling(image_order=order)

    fast = resample_image(line, (new_size, 2), (1, 1), (1, 1), rule)
    exact = resample_image(line, (new_size, 2), (1, 1), (1, 1), rule, exact=True)

    np.testing.assert_allclose(fast, exact, atol=1e-6 * np.ptp(line))


def test_thick_slices_can_be_interpolated_linearly():
    image = np.random.default_rng(4).normal(size=(1, 5, 6, 7)).astype(np.float32)
    grids = ((8, 9, 7), (9.0, 1.0, 1.0), (5.0, 0.7, 1.0))
    rule = Resampling(thick_order=1)

    fast = resample_image(image, *grids, rule)

    exact = resample_image(image, *grids, rule, exact=True)
    np.testing.assert_allclose(fast, exact, atol=1e-5)
    # Slice 0 lies before the first center: its in-plane values go on unchanged.
    in_plane = resize(
        image[0, 0].astype(float), (9, 7), 3, mode="edge", anti_aliasing=False
    )
    np.testing.assert_allclose(fast[0, 0], in_plane, atol=1e-5)


@pytest.mark.parametrize("exact", [True, False])
def test_cubic_splines_never_leave_the_range_of_their_channel(exact):
    steps = np.zeros((2, 12, 12, 12), np.float32)
    steps[0, 6:] = 1
    steps[1, :, :5] = -3

    resampled = resample_image(steps, (31, 31, 31), CUBE, CUBE, Resampling(), exact)

    assert resampled[0].min() == 0
    assert resampled[0].max() == 1
    assert resampled[1].min() == -3
    assert resampled[1].max() == 0


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("method", ["spline", "linear"])
def test_a_constant_stays_constant(method, exact):
    image = np.full((1, 5, 6, 7), 2.5, np.float32)

    rule = Resampling(method=method)
    resampled = resample_image(image, (9, 4, 7), CUBE, CUBE, rule, exact)

    np.testing.assert_allclose(resampled, 2.5, rtol=1e-6)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("method", ["spline", "linear"])
def test_a_straight_line_stays_straight_between_voxel_centers(method, exact):
    line = np.arange(8.0, dtype=np.float32).reshape(1, 8, 1)
    rule = Resampling(method=method, image_order=1)

    doubled = resample_image(line, (16, 1), (1, 1), (0.5, 1), rule, exact)

    # New centers are at -0.25, 0.25, 0.75 ...; beyond the first and last it goes on.
    wanted = np.clip(np.arange(16) / 2 - 0.25, 0, 7)
    np.testing.assert_allclose(doubled[0, :, 0], wanted, atol=1e-6)


def test_an_array_of_the_right_shape_and_the_method_none_change_nothing():
    image = np.random.default_rng(0).normal(size=(1, 4, 5)).astype(np.float32)
    labels = np.arange(20).reshape(4, 5)
    none = Resampling(method="none")

    assert resample_image(image, (4, 5), (1, 1), (1, 1), Resampling()) is image
    assert resample_outputs(image, (8, 8), (1, 1), (1, 1), none) is image
    assert resample_labels(labels, (8, 8), (1, 1), (1, 1), none) is labels


@pytest.mark.parametrize("exact", [True, False])
def test_each_kind_of_array_can_have_a_method_of_its_own(exact):
    array = np.random.default_rng(0).normal(size=(1, 6, 6)).astype(np.float32)
    labels = _blobs((6, 6), [0, 1, 2])
    rule = Resampling(method="none", output_method="linear", annotation_method="spline")
    grids = ((9, 9), (1, 1), (1, 1), rule, exact)

    assert resample_image(array, *grids).shape == (1, 6, 6)
    assert resample_outputs(array, *grids).shape == (1, 9, 9)
    assert resample_labels(labels, *grids).shape == (9, 9)


def test_an_unknown_method_is_refused():
    image = np.zeros((1, 2, 2), np.float32)

    with pytest.raises(PlanError, match="'cubic' is none of spline, linear, none"):
        resample_image(image, (3, 3), (1, 1), (1, 1), Resampling(method="cubic"))


def test_a_shape_of_other_axes_is_refused():
    image = np.zeros((1, 2, 2), np.float32)

    with pytest.raises(UsageError, match="cannot become"):
        resample_image(image, (3, 3, 3), CUBE, CUBE, Resampling())


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_outputs_keep_their_type_but_for_torchs_interpolation(kind):
    outputs = np.random.default_rng(0).normal(size=(3, 6, 6, 6)).astype(kind)

    for exact in (True, False):
        grids = ((7, 7, 7), CUBE, CUBE)
        spline = resample_outputs(outputs, *grids, Resampling(), exact)
        linear = resample_outputs(outputs, *grids, Resampling(method="linear"), exact)

        assert spline.dtype == kind
        assert linear.dtype == np.float32


@each("exact", [True, False])
@each("method", ["spline", "linear"])
@each("writeable", [True, False])
@each("shape", [(7, 8, 9), (1, 8, 1), (1, 1, 1)])
def test_a_flipped_or_read_only_view_is_resampled_as_its_copy_is(
    shape, writeable, method, exact
):
    image = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    view = image[:, ::-1, ::-1, ::-1].transpose(0, 3, 1, 2)
    view.flags.writeable = writeable
    grids = ((5, 9, 11), CUBE, CUBE, Resampling(method=method), exact)

    resampled = resample_image(view, *grids)

    np.testing.assert_array_equal(resampled, resample_image(view.copy(), *grids))


def test_the_input_is_left_as_it_was():
    image = np.random.default_rng(0).normal(size=(1, 7, 8, 9)).astype(np.float32)
    before = image.copy()

    for shape, rule in product(
        [(7, 8, 12), (9, 8, 9), (3, 8, 9)], [Resampling(), Resampling(method="linear")]
    ):
        resample_image(image, shape, (9.0, 1.0, 1.0), CUBE, rule)

    np.testing.assert_array_equal(image, before)


@each("method", ["spline", "linear"])
@each("shape, new_shape, spacing", GRIDS)
def test_fast_labels_are_those_of_the_library(shape, new_shape, spacing, method):
    labels = _blobs(shape, [-1, 0, 2, 7, 300])
    grids = (new_shape, spacing, _new_spacing(shape, new_shape, spacing))
    rule = Resampling(method=method)

    fast = resample_labels(labels, *grids, rule)
    exact = resample_labels(labels, *grids, rule, exact=True)

    assert fast.dtype == exact.dtype == np.int16
    if method == "spline":
        np.testing.assert_array_equal(fast, exact)
    else:  # weights are compared as float16, which rounds float32 and float64 apart
        assert (fast != exact).mean() < 1e-3


@pytest.mark.parametrize("exact", [True, False])
def test_the_label_of_the_largest_indicator_wins_not_that_in_the_middle(exact):
    labels = np.array([[0, 0, 2, 2]], dtype=np.int16)

    grown = resample_labels(labels, (1, 8), (1, 1), (1, 0.5), Resampling(), exact)

    assert grown.tolist() == [[0, 0, 0, 0, 2, 2, 2, 2]]


@pytest.mark.parametrize("exact", [True, False])
def test_among_equal_indicators_the_nearest_voxels_label_wins(exact):
    # One new voxel in the middle of two: half of each. The library's nearest of
    # coordinate 0.5 is voxel 1, whichever label is the larger.
    for pair in ([5, 3], [3, 5]):
        labels = np.array([pair], dtype=np.int16)
        halved = resample_labels(labels, (1, 1), (1, 1), (1, 2), Resampling(), exact)
        assert halved.tolist() == [[pair[1]]]


@pytest.mark.parametrize("exact", [True, False])
def test_where_the_nearest_label_is_beaten_the_smallest_of_equals_wins(exact):
    # In the middle of eight voxels 1 and 2 have 3/8 each, 3 has 2/8 and is nearest.
    labels = np.array([3, 1, 1, 1, 2, 2, 2, 3], dtype=np.int16).reshape(2, 2, 2)

    shrunk = resample_labels(labels, (1, 1, 1), CUBE, (2, 2, 2), Resampling(), exact)

    assert shrunk.item() == 1


@pytest.mark.parametrize("order", [0, 3])
def test_labels_of_other_orders_are_found_as_well(order):
    labels = _blobs((9, 10), [0, 1, 4])
    rule = Resampling(annotation_order=order)

    resampled = resample_labels(labels, (14, 7), (1, 1), (1, 1), rule)

    assert set(np.unique(resampled)) <= {0, 1, 4}
    nearest = resize(labels.astype(float), (14, 7), 0, mode="edge", anti_aliasing=False)
    assert (resampled == nearest).mean() > (0.8 if order else 0.999)
