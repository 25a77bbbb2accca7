"""Landmarks: what is decided from them, and what they are on a grid."""

import numpy as np
import pytest

from autoseg.errors import DatasetError
from autoseg.spec.dataset import Dataset
from autoseg.spec.points import ABSENT, PRESENT, UNKNOWN, Points
from autoseg.tasks.landmark import LandmarkTask
from autoseg.tasks.landmark.options import options_from_dataset, pairs_in_names


def dataset(tmp_path, **raw):
    return Dataset(
        name="x",
        folder=tmp_path,
        task="landmark",
        channel_names=("a",),
        image_ending=".png",
        annotation_ending=".json",
        raw=raw,
    )


def measured(task, cases):
    """Return the pooled numbers of cases given as lists of places."""
    entries = []
    for places in cases:
        status = [PRESENT if p is not None else ABSENT for p in places]
        rows = [[np.nan, np.nan] if p is None else p for p in places]
        points = Points(task.classes, np.array(rows), np.array(status), shape=(50, 50))
        entries.append(task.measure(points, (1.0, 2.0)))
    return task.pool(entries)


def faces(count, seed=0):
    """Return cases with two eyes on both sides of a nose; axis 1 is the mirror axis."""
    rng = np.random.default_rng(seed)
    return [
        [[10, 25 + d], [10.5, 25 - d], [20, 25.2]]
        for d in rng.uniform(5, 9, size=count)
    ]


def test_everything_wrong_with_the_keys_is_said_at_once(tmp_path):
    with pytest.raises(DatasetError) as caught:
        options_from_dataset(
            dataset(
                tmp_path,
                landmarks=["a", "b", "a"],
                mirror_pairs=[["a", "c"]],
                missing_means="gone",
            )
        )
    for word in ("a more than once", "'c'", "'gone'"):
        assert word in str(caught.value)


def test_names_and_pairs_may_stand_together(tmp_path):
    given = {"names": ["l", "r"], "pairs": [["l", "r"]]}
    options = options_from_dataset(dataset(tmp_path, landmarks=given))
    assert LandmarkTask(**options).swapped == (1, 0)


def test_pairs_are_found_in_names_of_several_conventions():
    names = ["LeftEye", "RightEye", "nose", "ear_l", "ear_r", "orbitale sin", "left"]
    assert pairs_in_names(names) == [("LeftEye", "RightEye"), ("ear_l", "ear_r")]


def test_mirroring_is_on_along_the_axis_across_which_pairs_stand():
    task = LandmarkTask(["eye_left", "eye_right", "nose"])
    numbers = measured(task, faces(20))
    options, _ = task.configure({"landmarks": list(task.classes)}, numbers)
    assert options["mirror_axes"] == [1]


def test_mirroring_is_off_where_pairs_change_sides_and_the_plan_says_why():
    task = LandmarkTask(["eye_left", "eye_right", "nose"])
    mixed = faces(10) + [[b, a, c] for a, b, c in faces(10)]
    options, decisions = task.configure(
        {"landmarks": list(task.classes)}, measured(task, mixed)
    )
    assert options["mirror_axes"] == []
    reasons = {d.field: d.because for d in decisions}
    assert "along another axis" in reasons["task.options.mirror_axes"] or (
        "change sides" in reasons["task.options.mirror_axes"]
    )


def test_mirroring_is_off_where_a_single_landmark_is_on_one_side():
    task = LandmarkTask(["eye_left", "eye_right", "liver"])
    aside = [[a, b, [20, 32]] for a, b, _ in faces(20)]
    numbers = measured(task, aside)
    assert "liver" in numbers["mirror"][1]


def test_the_fingerprint_counts_status_and_measures_in_units_of_length():
    task = LandmarkTask(["a", "b"])
    numbers = measured(task, [[[0, 0], [3, 2]], [[0, 0], None]])
    assert numbers["status"]["b"] == {"absent": 1, "present": 1, "unknown": 0}
    assert numbers["neighbor"] == {"a": 5.0, "b": 5.0}  # 3 by 4: spacing is (1, 2)
    assert numbers["extent"]["median"] == [1.5, 2.0]


def test_what_was_never_absent_is_always_given_a_place():
    task = LandmarkTask(["a", "b"])
    numbers = measured(task, [[[0, 0], [3, 2]], [[0, 0], None]])
    options, _ = task.configure({"landmarks": ["a", "b"]}, numbers)
    assert LandmarkTask(**options).thresholds.tolist() == [0.0, 0.5]
    given = {"landmarks": ["a", "b"], "thresholds": {"b": 0.3}}
    options, _ = task.configure(given, numbers)
    assert LandmarkTask(**options).thresholds.tolist() == [0.0, 0.3]


def test_sigma_is_the_same_length_along_all_axes_but_no_less_than_a_voxel_can_show():
    task = LandmarkTask(["a"], sigma_voxels=1.5)
    assert task.sigma_on((5.0, 1.0, 1.0)) == (0.7, 1.5, 1.5)
    assert LandmarkTask(["a"], sigma=[4.0, 2.0]).sigma_on((1.0, 0.5)) == (4.0, 4.0)
    assert task.at_spacing((2.0, 1.0)).heads[0].loss.options["sigma"] == [0.75, 1.5]


def test_foreground_is_the_voxel_that_a_present_point_is_in():
    coordinates = np.array([[1.5, 2.4], [9.6, 0.0], [np.nan, np.nan]])
    points = Points(
        ("a", "out", "gone"),
        coordinates,
        np.array([PRESENT, PRESENT, UNKNOWN]),
        shape=(10, 5),
    )
    found = LandmarkTask(points.names).foreground(points)
    assert found["a"].tolist() == [2 * 5 + 2]
    assert not len(found["out"]) and not len(found["gone"])


def test_points_are_scored_by_distance_and_by_whether_they_were_found():
    task = LandmarkTask(["a", "b", "c"])
    reference = Points.of({"a": (0, 0), "b": (5, 5), "c": None}, dim=2)
    predicted = Points.of({"a": (3, 2), "b": None, "c": (1, 1)}, dim=2)
    scores = task.score(predicted, reference, (1.0, 2.0))
    assert scores["a"]["mre"] == 5.0
    assert (scores["a"]["sdr_4"], scores["a"]["sdr_10"]) == (0.0, 1.0)
    assert scores["b"]["fn"] == 1 and scores["b"]["sdr_10"] == 0
    assert np.isnan(scores["b"]["mre"]) and scores["c"]["fp"] == 1


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["eyeL", "eyeR"], [("eyeL", "eyeR")]),
        (["LEye", "REye"], [("LEye", "REye")]),
        (["L_eye", "R_eye"], [("L_eye", "R_eye")]),
        (["condyle dex", "condyle sin"], [("condyle sin", "condyle dex")]),
        (["a.left.1", "a.right.1"], [("a.left.1", "a.right.1")]),
        # Quarters 1 and 2 are up, 4 and 3 down, 5 to 8 the same of milk teeth.
        (["11", "21", "38", "48"], [("11", "21"), ("48", "38")]),
        (["T55 tip", "T65 tip"], [("T55 tip", "T65 tip")]),
        (["tooth85", "tooth75", "chin"], [("tooth85", "tooth75")]),
        # 59 is no milk tooth, and 1 to 30 are no teeth: just numbers.
        (["59", "69"], []),
        ([str(n) for n in range(1, 31)], []),
        (["L1", "L2", "S1", "Sella", "N"], []),
    ],
    ids=str,
)
def test_names_say_which_landmarks_are_pairs(names, pairs):
    assert pairs_in_names(names) == pairs


def test_mirroring_twice_changes_nothing():
    quarters = [f"tooth {q}{n}" for q in "12345678" for n in range(1, 6)]
    task = LandmarkTask([*quarters, "chin", "eye_left", "eye_right", "nose"])
    swapped = np.array(task.swapped)
    assert len(task.pairs) == 4 * 5 + 1
    np.testing.assert_array_equal(swapped[swapped], np.arange(len(swapped)))
    # What is in no pair stays.
    alone = [i for i, name in enumerate(task.classes) if name in ("chin", "nose")]
    assert swapped[alone].tolist() == alone


def test_a_patch_mirrored_twice_is_the_patch_with_its_landmarks():
    import torch

    from autoseg.augmentations.pipeline import Pipeline, Sample
    from autoseg.train.data.sample import target_of_points

    task = LandmarkTask(["eye_left", "eye_right", "nose"])
    pipeline = Pipeline("none,+mirror,mirror.probability=1", (9, 8), (1,), channels=1)
    drawn = pipeline.draw(np.random.default_rng(0))
    image = torch.from_numpy(np.random.default_rng(1).normal(size=(1, 9, 8))).float()
    places = torch.tensor([[2.0, 6.25], [2.5, 1.0], [5.0, 3.5]])
    status = np.array([1, 1, 0])
    seen, target, found = image, places, []
    for _ in range(2):
        sample = Sample(image=seen, labels=None, draw=drawn, points=target)
        found.append(target_of_points(pipeline, sample, status, task.swapped))
        (seen,), _ = pipeline.apply([sample], torch.device("cpu"))
        target = found[-1][:, :2]
    # Once: the left eye is what looked like the right one, at 7 - 1.
    assert found[0][0].tolist() == [2.5, 6.0, 1.0]
    torch.testing.assert_close(seen, image)
    torch.testing.assert_close(target, places)
