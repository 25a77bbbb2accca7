import json

import numpy as np
import pytest

from autoseg.datasets.read import load_dataset
from autoseg.errors import UsageError
from autoseg.formats.base import read_image, read_labels
from autoseg.phantoms.heart import LABELS, make_dataset, make_phantom


def test_the_same_seed_makes_the_same_voxels_and_another_one_others():
    first, again = make_phantom(3, 1, size=24), make_phantom(3, 1, size=24)
    others = make_phantom(4, 1, size=24), make_phantom(3, 2, size=24)

    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.labels, again.labels)
    for other in others:
        same_shape = other.image.shape == first.image.shape
        assert not same_shape or (other.image != first.image).any()


@pytest.mark.parametrize("number", range(6))
def test_each_case_has_every_structure_in_its_place(number):
    from scipy.ndimage import binary_dilation

    phantom = make_phantom(0, number, size=48)
    masks = {name: phantom.labels == value for name, value in LABELS.items()}

    assert all(mask.sum() > 150 for mask in masks.values())
    # The chamber lies in the muscle: nearly all around it is muscle, or the vessel.
    ring = binary_dilation(masks["chamber"]) & ~masks["chamber"]
    assert masks["background"][ring].mean() < 0.02


def test_brightness_alone_does_not_tell_the_structures():
    # At the best of all thresholds, "bright" overlaps with the blood only in part.
    phantom = make_phantom(0, 0, size=48)
    blood = np.isin(phantom.labels, (LABELS["chamber"], LABELS["vessel"]))

    dice = [
        2 * (bright & blood).sum() / (bright.sum() + blood.sum())
        for threshold in np.quantile(phantom.image, np.linspace(0.5, 0.995, 60))
        for bright in [phantom.image > threshold]
    ]

    assert max(dice) < 0.85


def test_the_same_blood_is_brighter_here_than_there():
    # Chamber and vessel hold the same blood; the bias field makes them differ.
    differences = []
    for number in range(8):
        phantom = make_phantom(0, number, size=48)
        bright = [
            np.quantile(phantom.image[phantom.labels == LABELS[name]], 0.7)
            for name in ("chamber", "vessel")
        ]
        differences.append(abs(np.log(bright[0] / bright[1])))

    assert np.mean(differences) > 0.05


def test_images_have_noise_and_thick_slices():
    phantom = make_phantom(0, 0, size=48)
    chamber = phantom.image[phantom.labels == LABELS["chamber"]]

    assert chamber.std() / chamber.mean() > 0.05
    assert phantom.spacing[0] > 1.3 * phantom.spacing[1]
    assert phantom.image.min() >= 0


def test_the_data_set_is_read_and_its_truth_is_not_looked_at(tmp_path):
    folder = make_dataset(tmp_path / "Phantom", training=3, test=2, size=24)

    dataset = load_dataset(folder)
    case = dataset.training[0]
    image, (labels, geometry) = (
        read_image(case, dataset), read_labels(case.annotation, dataset)
    )  # fmt: skip
    phantom = make_phantom(0, 0, size=24)

    assert (len(dataset.training), len(dataset.test)) == (3, 2)
    assert all(case.annotation is None for case in dataset.test)
    assert len(list((folder / "labelsTs").iterdir())) == 2
    np.testing.assert_array_equal(image.array[0], phantom.image)
    np.testing.assert_array_equal(labels, phantom.labels)
    assert geometry.spacing == pytest.approx(phantom.spacing)


def test_what_is_there_is_not_made_again(tmp_path):
    folder = make_dataset(tmp_path / "Phantom", training=2, test=1, size=24)
    first = folder / "imagesTr" / "phantom_001_0000.nii.gz"
    second = folder / "imagesTr" / "phantom_002_0000.nii.gz"
    before, voxels = first.stat().st_mtime_ns, second.read_bytes()
    (folder / "dataset.json").unlink()  # as if killed before the end
    second.unlink()

    make_dataset(folder, training=2, test=1, size=24)

    assert first.stat().st_mtime_ns == before
    assert second.read_bytes() == voxels
    assert json.loads((folder / "dataset.json").read_text())["numTraining"] == 2


def test_another_data_set_is_not_overwritten(tmp_path):
    make_dataset(tmp_path, training=1, test=1, size=24)

    with pytest.raises(UsageError, match="another data set .*--folder"):
        make_dataset(tmp_path, training=2, test=1, size=24)
    (tmp_path / "dataset.json").write_text("{}")
    with pytest.raises(UsageError, match="not ours"):
        make_dataset(tmp_path, training=1, test=1, size=24)


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    mine = tmp_path / "Phantom" / "imagesTr" / "patient.nii.gz"
    mine.parent.mkdir(parents=True)
    mine.write_text("a scan")

    with pytest.raises(UsageError, match=r"patient\.nii\.gz.*--folder"):
        make_dataset(tmp_path / "Phantom", training=2, test=1)

    assert mine.read_text() == "a scan"
    assert list(mine.parent.iterdir()) == [mine]
