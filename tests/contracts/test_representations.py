"""What every representation must do, however new its file is."""

import numpy as np
import pytest

from autoseg.losses import LOSSES
from autoseg.representations import REPRESENTATIONS
from tests.representations.maps import balls, cells, lopsided, same_objects


@pytest.fixture(params=REPRESENTATIONS.names())
def kind(request):
    return REPRESENTATIONS[request.param]


def test_touching_squares_come_back_from_the_perfect_output(kind):
    labels = cells()
    made = kind(2)

    found, scores = made.decode(made.encode(labels, (1.0, 1.0)), (1.0, 1.0))

    assert same_objects(found, labels, threshold=0.75)
    assert scores.keys() == set(range(1, len(np.unique(labels))))
    assert all(0 <= score <= 1 for score in scores.values())


def test_balls_in_an_anisotropic_volume_come_back(kind):
    spacing = (2.0, 1.0, 1.0)
    labels = balls(
        (14, 40, 44), spacing, 7.0, [(14, 12, 12), (14, 25, 14), (14, 20, 32)]
    )
    made = kind(3)

    found, _ = made.decode(made.encode(labels, spacing), spacing)

    assert same_objects(found, labels, threshold=0.75)


@pytest.mark.parametrize("axes", [2, 3])
def test_outputs_of_a_mirrored_image_can_be_turned_back(kind, axes):
    """Prediction averages over mirrored copies: all of them must mean the same."""
    spacing = (1.0,) * axes
    labels = lopsided(axes)
    made = kind(axes)
    plain = made.encode(labels, spacing)

    for head in made.heads:
        for axis in range(axes):
            if not head.mirrors_along(axis):
                continue
            mirrored = made.encode(np.flip(labels, axis).copy(), spacing)[head.name]
            back = np.flip(mirrored, axis + 1)
            if head.mirrors:
                turn = head.mirrors[axis]
                signs = np.reshape(turn.signs, (-1, *(1,) * axes))
                back = back[list(turn.sources)] * signs
            wrong = np.abs(back - plain[head.name]) > 0.25
            assert wrong.mean() < 0.02, (head.name, axis)


def test_an_empty_map_stays_empty(kind):
    made = kind(2)
    outputs = made.encode(np.zeros((16, 16), np.int32), (1.0, 1.0))

    found, scores = made.decode(outputs, (1.0, 1.0))

    assert not found.any()
    assert scores == {}


def test_outputs_that_say_nothing_can_be_decoded(kind):
    made = kind(2)
    random = np.random.default_rng(0)
    outputs = {
        head.name: random.normal(0.5, 0.5, (head.channels, 24, 24)).astype(np.float32)
        for head in made.heads
    }

    found, scores = made.decode(outputs, (1.0, 1.0))

    assert found.shape == (24, 24)
    assert set(np.unique(found)) - {0} == scores.keys()


def test_ids_may_be_any_and_edges_may_cut(kind):
    labels = np.zeros((20, 20), np.int32)
    labels[:8, :8] = 70_000
    labels[12:, 4:16] = 3
    made = kind(2)

    found, _ = made.decode(made.encode(labels, (0.5, 0.5)), (0.5, 0.5))

    assert same_objects(found, labels, threshold=0.7)


def test_targets_fit_heads_and_losses(kind):
    made = kind(2)
    targets = made.targets(cells(), (1.0, 1.0))
    encoded = made.encode(cells(), (1.0, 1.0))

    for head in made.heads:
        loss = LOSSES[head.loss.name](**head.loss.options)
        assert encoded[head.name].shape == (head.channels, 48, 56)
        assert encoded[head.name].dtype == np.float32
        shape = (48, 56) if loss.takes_labels else (head.channels, 48, 56)
        assert targets[head.name].shape == shape


def test_what_can_be_tuned_are_options(kind):
    for name, values in kind.tunable.items():
        for value in values:
            assert getattr(kind(2, **{name: value}), name) == value


def test_filters_drop_in_the_end_what_has_too_little(kind):
    random = np.random.default_rng(1)
    labels = cells()
    made = kind(2)
    outputs = {
        name: (output + random.normal(0, 0.15, output.shape)).astype(np.float32)
        for name, output in made.encode(labels, (1.0, 1.0)).items()
    }
    whole, _ = kind(2, **made.filters).decode(outputs, (1.0, 1.0))
    amounts = made.amounts(whole, outputs, (1.0, 1.0))

    assert amounts.keys() == made.filters.keys() <= made.tunable.keys()
    for name, amount in amounts.items():
        assert len(amount) == whole.max() + 1
        bar = float(np.median(amount[1:]))
        options = {**made.filters, name: bar}

        found, _ = kind(2, **options).decode(outputs, (1.0, 1.0))

        left = np.flatnonzero(amount >= bar)
        assert 0 < len(np.unique(found)) - 1 < whole.max()
        np.testing.assert_array_equal(found > 0, np.isin(whole, left[left > 0]))
