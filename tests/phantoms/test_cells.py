import numpy as np
import pytest
from scipy import ndimage

from autoseg.datasets.read import load_dataset
from autoseg.formats.base import read_image, read_labels
from autoseg.phantoms.cells import make_cells, make_dataset


@pytest.fixture(scope="module")
def images():
    return [make_cells(0, number, size=96) for number in range(3)]


def test_the_same_seed_makes_the_same_pixels_and_another_one_others():
    first, again = make_cells(3, 1, size=48), make_cells(3, 1, size=48)

    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.ids, again.ids)
    for other in (make_cells(4, 1, size=48), make_cells(3, 2, size=48)):
        assert (other.image != first.image).any()


def test_every_cell_is_one_piece_with_an_id_of_its_own(images):
    for made in images:
        ids = np.unique(made.ids)

        np.testing.assert_array_equal(ids, np.arange(len(ids)))  # 0, 1, 2, ...
        assert len(ids) > 8
        for number in ids[1:]:
            cell = made.ids == number
            assert ndimage.label(cell)[1] == 1
            assert cell.sum() >= 30


def _touching(ids):
    """Return the share of cells with a pixel beside one of another cell."""
    found = set()
    for one, other in ((ids[1:], ids[:-1]), (ids[:, 1:], ids[:, :-1])):
        beside = (one != other) & (one > 0) & (other > 0)
        found |= set(one[beside]) | set(other[beside])
    return len(found) / ids.max()


def test_they_are_crowded(images):
    assert np.mean([_touching(made.ids) for made in images]) > 0.4
    assert np.mean([(made.ids > 0).mean() for made in images]) > 0.3


def test_some_are_long_and_some_are_round(images):
    from skimage.measure import regionprops

    found = [part for made in images for part in regionprops(made.ids)]
    shape = np.array([p.axis_major_length / p.axis_minor_length for p in found])

    assert (shape > 2.0).mean() > 0.1
    assert (shape < 1.5).mean() > 0.3


def test_ids_lie_where_the_light_is(images):
    for made in images:
        dark = np.median(made.image[made.ids == 0])
        bright = ndimage.mean(made.image, made.ids, np.arange(1, made.ids.max() + 1))
        assert (bright > dark).all()

        # Shifted by a cell's radius, ids fit the light less well.
        inside = made.ids > 0
        shifted = np.roll(inside, 8, axis=1)
        assert made.image[inside].mean() > made.image[shifted].mean() + 50


def test_a_threshold_does_not_tell_them_apart(images):
    # Of the cells at most half are the only ones in their bright spot, at the threshold
    # that is best for this.
    for made in images:
        best = 0
        for share in np.linspace(0.3, 0.9, 13):
            spots = ndimage.label(made.image > np.quantile(made.image, share))[0]
            there = {(s, i) for s, i in zip(spots.flat, made.ids.flat, strict=True)}
            cells_of = [s for s, i in there if s > 0 and i > 0]
            spots_of = [i for s, i in there if s > 0 and i > 0]
            alone = sum(
                cells_of.count(s) == 1 and spots_of.count(i) == 1
                for s, i in there
                if s > 0 and i > 0
            )
            best = max(best, alone)
        assert best < 0.6 * made.ids.max()


def test_the_data_set_is_read_and_its_truth_is_not_looked_at(tmp_path):
    folder = make_dataset(tmp_path / "Cells", training=2, test=1, size=48)

    dataset = load_dataset(folder)
    case = dataset.training[0]
    image = read_image(case, dataset)
    ids, geometry = read_labels(case.annotation, dataset)
    made = make_cells(0, 0, size=48)

    assert dataset.task == "instance"
    assert (len(dataset.training), len(dataset.test)) == (2, 1)
    assert all(case.annotation is None for case in dataset.test)
    assert len(list((folder / "labelsTs").glob("*.tif"))) == 1
    np.testing.assert_array_equal(image.array[0], made.image)
    np.testing.assert_array_equal(ids, made.ids)
    assert geometry.spacing == pytest.approx((0.5, 0.5))
    assert geometry.unit == "um"
