import numpy as np

from autoseg.landmarks.presence import presence_thresholds


def test_a_landmark_that_is_never_absent_in_training_is_always_given():
    score = np.array([[0.1, 0.9]] * 10)
    present = np.ones((10, 2), bool)

    assert presence_thresholds(score, present, present, (0, 0)) == [0.0, 0.0]


def test_a_threshold_of_the_users_own_stays():
    score = np.array([[0.1], [0.2], [0.3], [0.2], [0.1]] + [[0.7], [0.8], [0.9]] * 2)
    present = score > 0.5

    assert presence_thresholds(score, present, present | True, (0.65,)) == [0.65]


def test_a_threshold_lies_between_absent_and_present():
    score = np.array([[0.1], [0.2], [0.4], [0.2], [0.1]] + [[0.7], [0.8], [0.9]] * 2)
    present = score > 0.5

    # halfway from 0.4 to 0.7
    (found,) = presence_thresholds(score, present, np.ones_like(present), (0.5,))
    np.testing.assert_allclose(found, 0.55)


def test_with_few_absent_cases_all_landmarks_decide_together():
    rng = np.random.default_rng(0)
    present = np.ones((40, 3), bool)
    present[:20, 0] = present[:1, 1] = False
    score = np.where(
        present, rng.uniform(0.8, 1, (40, 3)), rng.uniform(0, 0.2, (40, 3))
    )

    known = np.ones_like(present)
    first, second, third = presence_thresholds(score, present, known, (0.5, 0.5, 0))

    assert 0.2 < first < 0.8 and 0.2 < second < 0.8
    assert third == 0.0


def test_with_hardly_any_absent_point_nothing_is_learnt():
    score = np.full((40, 1), 0.9)
    present = np.ones((40, 1), bool)
    present[0], score[0] = False, 0.8

    known = np.ones_like(present)
    assert presence_thresholds(score, present, known, (0.5,)) == [0.5]


def test_the_threshold_has_the_best_f1_there_is():
    rng = np.random.default_rng(0)
    present = rng.random((60, 1)) < 0.6
    score = np.clip(0.3 * present + rng.uniform(0, 0.7, (60, 1)), 0, 1)

    def f1(threshold):
        said = score >= threshold
        return 2 * (said & present).sum() / (said.sum() + present.sum())

    (found,) = presence_thresholds(score, present, np.ones_like(present), (0.5,))

    assert f1(found) == max(f1(t) for t in [0, *score[:, 0], 1])
    assert found != 0.5


def test_unknown_points_teach_nothing_about_presence():
    score = np.concatenate([np.full((10, 1), 0.2), np.full((10, 1), 0.8)])
    present = score > 0.9  # all absent, if anybody had looked
    known = np.zeros_like(present)

    assert presence_thresholds(score, present, known, (0.5,)) == [0.5]
