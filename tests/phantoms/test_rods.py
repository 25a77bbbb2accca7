import numpy as np

from autoseg.datasets.annotations import read_annotation
from autoseg.datasets.read import load_dataset
from autoseg.phantoms.rods import make_dataset, make_rods
from autoseg.tasks.instance import InstanceTask


def test_the_same_seed_makes_the_same_pixels_and_another_one_others():
    first, again, other = make_rods(3, 1, 64), make_rods(3, 1, 64), make_rods(4, 1, 64)

    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.masks, again.masks)
    assert (other.image != first.image).any()


def test_about_a_quarter_of_the_rods_cross_another_one():
    made = [make_rods(0, number) for number in range(6)]

    crossing = sum(len(one.instances.masks) for one in made)
    count = sum(len(one.masks) for one in made)
    assert 0.18 < crossing / count < 0.32
    assert count / 6 > 15


def test_the_annotation_on_disk_keeps_every_rod_whole(tmp_path):
    folder = make_dataset(tmp_path / "Rods", 1, 1, seed=0, size=64, workers=1)

    dataset = load_dataset(folder)
    (case,) = dataset.training
    found, _ = read_annotation(case.annotation, dataset, InstanceTask({"rod": 1}))

    truth = make_rods(0, 0, 64).masks
    assert found.ids == list(range(1, len(truth) + 1))
    for i, mask in enumerate(truth, 1):
        whole = np.zeros(mask.shape, bool)
        whole[found.mask_of(i).box] = found.mask_of(i).inside
        np.testing.assert_array_equal(whole, mask)
    assert len(found.masks) >= 2
