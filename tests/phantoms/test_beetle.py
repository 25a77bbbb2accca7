import numpy as np
import pytest

from autoseg.datasets.points import read_points
from autoseg.datasets.read import load_dataset
from autoseg.formats.base import read_image
from autoseg.phantoms import beetle
from autoseg.phantoms.beetle import LANDMARKS, make_beetle, make_dataset


@pytest.fixture(scope="module")
def beetles():
    return [make_beetle(0, number) for number in range(16)]


def test_the_same_seed_makes_the_same_voxels_and_another_one_others():
    first, again = make_beetle(3, 1, size=24), make_beetle(3, 1, size=24)

    np.testing.assert_array_equal(first.image, again.image)
    for name in LANDMARKS:
        np.testing.assert_array_equal(first.points[name], again.points[name])
    for other in (make_beetle(4, 1, size=24), make_beetle(3, 2, size=24)):
        assert (other.points["heart"] != first.points["heart"]).all()


def _middle(image, place):
    """Return the center of the bright ball around a place."""
    start = np.round(place).astype(int) - 2
    box = image[tuple(slice(s, s + 5) for s in start)].astype(float)
    weight = np.clip(box - 0.6 * box.max(), 0, None)  # without what it sits on
    grid = np.stack(np.meshgrid(*[np.arange(5)] * 3, indexing="ij"))
    return start + (grid * weight).sum(axis=(1, 2, 3)) / weight.sum()


@pytest.mark.parametrize("name", ["stone", "feeler_left", "feeler_right"])
def test_points_are_in_the_middle_of_what_they_name(beetles, name):
    # Noise moves the center of one of them; a point that is off by half a voxel, or
    # axes in another order, would move all of them alike.
    off = [
        _middle(made.image, place) - place
        for made in beetles
        for place in [made.points[name]]
        if place is not None
    ]

    assert len(off) > 5
    assert np.abs(np.mean(off, axis=0)).max() < 0.25  # voxels


def test_knobs_are_bright(beetles):
    for name in ("feeler_left", "feeler_right"):
        for made in beetles:
            place = made.points[name]
            if place is not None:
                voxel = tuple(np.round(place).astype(int))
                assert made.image[voxel] > 3 * np.median(made.image)


def test_left_is_left(beetles):
    # x grows towards the left of a patient in ITK's axes, and files are written so.
    for made in beetles:
        points = made.points
        assert points["eye_left"][2] > points["eye_right"][2]
        if points["feeler_left"] is not None and points["feeler_right"] is not None:
            assert points["feeler_left"][2] > points["feeler_right"][2]


def test_some_are_absent_and_the_others_are_in_the_image(beetles):
    for made in beetles:
        there = [place for place in made.points.values() if place is not None]
        shape = np.array(made.image.shape)
        assert all((p > 1).all() and (p < shape - 2).all() for p in there)
    absent = {n: sum(b.points[n] is None for b in beetles) for n in LANDMARKS}

    for name in ("stone", "feeler_left", "feeler_right"):
        assert 0 < absent[name] < len(beetles)
    assert all(absent[n] == 0 for n in ("heart", "tail", "eye_left", "eye_right"))


@pytest.mark.parametrize(
    "chance, never, always, name",
    [("LOST", 1.0, 0.0, "feeler_left"), ("STONES", 0.0, 1.0, "stone")],
)
def test_what_is_absent_is_not_in_the_image(monkeypatch, chance, never, always, name):
    monkeypatch.setattr(beetle, chance, always)
    full = [make_beetle(0, number, size=32) for number in range(7)]
    monkeypatch.setattr(beetle, chance, never)
    without = [make_beetle(0, number, size=32) for number in range(7)]

    assert all(made.points[name] is None for made in without)
    # Beside the heart's 0.75, knobs and stones have 1.0; tissue has 0.5, air 0.1.
    ratios: list[list[float]] = [[], []]
    for pair in zip(full, without, strict=True):
        heart, there = (
            tuple(np.round(pair[0].points[part]).astype(int))
            for part in ("heart", name)
        )
        for found, made in zip(ratios, pair, strict=True):
            found.append(made.image[there] / made.image[heart])
    assert np.median(ratios[1]) < 0.75 * np.median(ratios[0])


def test_there_are_balls_that_are_no_landmark(beetles):
    for made in beetles:
        # Away from the axis that the beetle lies along there is something bright.
        far = made.image.copy()
        far[:, 5:-5, 5:-5] = 0
        assert far.max() > 0.5 * made.image.max()


def test_the_data_set_is_read_and_its_truth_is_not_looked_at(tmp_path):
    folder = make_dataset(tmp_path / "Beetles", training=3, test=1, size=24)

    dataset = load_dataset(folder)
    assert dataset.task == "landmark"
    assert (len(dataset.training), len(dataset.test)) == (3, 1)
    assert all(case.annotation is None for case in dataset.test)
    assert len(list((folder / "labelsTs").iterdir())) == 1
    for number, case in enumerate(dataset.training):
        image = read_image(case, dataset)
        points, _ = read_points(case.annotation, dataset, image.geometry, case.id)
        made = make_beetle(0, number, size=24)
        np.testing.assert_array_equal(image.array[0], made.image)
        for name, place, status in zip(
            points.names, points.coordinates, points.status, strict=True
        ):
            true = made.points[name]
            assert status == (0 if true is None else 1)  # absent, present
            if true is not None:
                np.testing.assert_allclose(place, true, atol=1e-4)
