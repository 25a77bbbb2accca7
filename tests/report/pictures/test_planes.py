import numpy as np

from autoseg.report.pictures.planes import best_slices, planes_of


def test_the_slice_that_shows_most_is_chosen():
    labels = np.zeros((9, 10, 11), dtype=np.uint8)
    labels[3:6, 2:8, 4:7] = 1
    labels[4, 1:9, 5] = 1  # slice 4 and column 5 have the largest cross-sections

    # Rows 2 to 7 have the same: the middle one of them.
    assert best_slices(labels) == (4, 5, 5)


def test_small_structures_count_as_much_as_large_ones():
    labels = np.zeros((20, 30, 30), dtype=np.uint8)
    labels[2:10, 2:28, 2:28] = 1
    labels[8:12, 14:16, 14:16] = 2  # where both are: slices 8 and 9

    labels[9, 14:16, 14:16] = 2

    assert best_slices(labels)[0] in (8, 9)


def test_the_middle_is_shown_where_nothing_is_labeled():
    assert best_slices(np.zeros((9, 10, 11), dtype=np.uint8)) == (4, 5, 5)


def test_planes_have_physical_size_and_one_is_upright():
    labels = np.zeros((10, 20, 30), dtype=np.uint8)
    labels[1:9, 2:18, 3:27] = 1

    axial, coronal, sagittal = planes_of(labels, (4.0, 1.0, 2.0))

    assert (axial.height, axial.width) == (20 * 1.0, 30 * 2.0)
    assert (coronal.height, coronal.width) == (10 * 4.0, 30 * 2.0)
    assert (sagittal.height, sagittal.width) == (10 * 4.0, 20 * 1.0)
    assert (axial.flipped, coronal.flipped, sagittal.flipped) == (False, True, True)


def test_a_plane_cuts_the_same_place_out_of_image_and_labels():
    labels = np.zeros((10, 20, 30), dtype=np.uint8)
    labels[4, 8:12, 10:20] = 1
    image = np.arange(6000, dtype=np.float32).reshape(10, 20, 30)

    axial, coronal, _ = planes_of(labels, (1.0, 1.0, 1.0))
    rows, columns = axial.index[1:]

    np.testing.assert_array_equal(axial.cut(image), image[4, rows, columns])
    np.testing.assert_array_equal(axial.cut(image[None]), image[4, rows, columns])
    assert coronal.cut(labels).sum() == labels[:, coronal.index[1]].sum()
    # Upward: the first row is the highest slice.
    np.testing.assert_array_equal(
        coronal.cut(image)[0],
        image[coronal.index[0].stop - 1, coronal.index[1], columns],
    )


def test_small_objects_are_looked_at_from_near():
    labels = np.zeros((100, 100), dtype=np.uint8)
    labels[40:44, 60:64] = 1

    (plane,) = planes_of(labels, (1.0, 1.0))

    # 35 pixels, from 24.5 to 59.5 along the rows, rounded outward.
    assert plane.shape == (36, 36)
    assert plane.cut(labels).sum() == labels.sum()


def test_colors_come_last():
    labels = np.ones((8, 9), dtype=np.uint8)
    colors = np.arange(4 * 72).reshape(4, 8, 9)

    (plane,) = planes_of(labels, (1.0, 1.0))

    np.testing.assert_array_equal(plane.cut(colors), np.moveaxis(colors[:3], 0, -1))
