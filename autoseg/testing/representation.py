"""What every representation of instances must do, however new its file is."""

from __future__ import annotations

from typing import Any

import numpy as np

from autoseg.losses import LOSSES
from autoseg.representations.base import Representation
from autoseg.testing._contract import Contract, require
from autoseg.testing.shapes import balls, cells, lopsided, same_objects

RULES = Contract("representation")
FLAT = (1.0, 1.0)
FAR = 0.25  # from the output of the image as it is
FEW = 0.02  # of all voxels, at borders
NOISES = (0.15, 0.25)  # of outputs


def check_representation(kind: type[Representation]) -> None:
    """Raise PluginError unless a class keeps the rules of a representation.

    Parameters
    ----------
    kind : type
        The class; it is made with 2 and with 3 axes.
    """
    RULES.check(kind.__name__, [(kind,)])


@RULES.add
def touching_squares_come_back_from_the_perfect_output(kind: Any) -> None:
    """With a score from 0 to 1 for each."""
    labels = cells()
    made = kind(2)
    found, scores = made.decode(made.encode(labels, FLAT), FLAT)
    require(same_objects(found, labels, threshold=0.75), "the objects are others")
    require(scores.keys() == set(range(1, len(np.unique(labels)))), "scores")
    require(all(0 <= score <= 1 for score in scores.values()), "scores")


@RULES.add
def balls_in_an_anisotropic_volume_come_back(kind: Any) -> None:
    """Planes are twice as far apart as voxels."""
    spacing = (2.0, 1.0, 1.0)
    centers = [(14, 12, 12), (14, 25, 14), (14, 20, 32)]
    labels = balls((14, 40, 44), spacing, 7.0, centers)
    made = kind(3)
    found, _ = made.decode(made.encode(labels, spacing), spacing)
    require(same_objects(found, labels, threshold=0.75))


@RULES.add
def outputs_of_a_mirrored_image_can_be_turned_back(kind: Any) -> None:
    """Prediction averages over mirrored copies: all of them must mean the same."""
    for axes in (2, 3):
        spacing = (1.0,) * axes
        labels = lopsided(axes)
        made = kind(axes)
        plain = made.encode(labels, spacing)
        pairs = [(h, a) for h in made.heads for a in range(axes) if h.mirrors_along(a)]
        for head, axis in pairs:
            mirrored = made.encode(np.flip(labels, axis).copy(), spacing)[head.name]
            back = np.flip(mirrored, axis + 1)
            if head.mirrors:
                turn = head.mirrors[axis]
                signs = np.reshape(turn.signs, (-1, *(1,) * axes))
                back = back[list(turn.sources)] * signs
            wrong = np.abs(back - plain[head.name]) > FAR
            require(wrong.mean() < FEW, f"head {head.name} along axis {axis}")


@RULES.add
def an_empty_map_stays_empty(kind: Any) -> None:
    """No objects, no scores."""
    made = kind(2)
    outputs = made.encode(np.zeros((16, 16), np.int32), FLAT)
    found, scores = made.decode(outputs, FLAT)
    require(not found.any() and scores == {})


@RULES.add
def outputs_that_say_nothing_can_be_decoded(kind: Any) -> None:
    """As a network gives them before it has learnt."""
    made = kind(2)
    random = np.random.default_rng(0)
    outputs = {
        head.name: random.normal(0.5, 0.5, (head.channels, 24, 24)).astype(np.float32)
        for head in made.heads
    }
    found, scores = made.decode(outputs, FLAT)
    require(found.shape == (24, 24), f"the shape is {found.shape}")
    require(set(np.unique(found)) - {0} == scores.keys(), "scores")


@RULES.add
def ids_may_be_any_and_edges_may_cut(kind: Any) -> None:
    """Ids beyond 16 bits, objects at the edge of the image."""
    labels = np.zeros((20, 20), np.int32)
    labels[:8, :8] = 70_000
    labels[12:, 4:16] = 3
    made = kind(2)
    found, _ = made.decode(made.encode(labels, (0.5, 0.5)), (0.5, 0.5))
    require(same_objects(found, labels, threshold=0.7))


@RULES.add
def targets_fit_heads_and_losses(kind: Any) -> None:
    """Labels for a loss that takes labels, else one map for each channel."""
    made = kind(2)
    targets, encoded = made.targets(cells(), FLAT), made.encode(cells(), FLAT)
    for head in made.heads:
        loss = LOSSES[head.loss.name](**head.loss.options)
        output = encoded[head.name]
        require(output.shape == (head.channels, 48, 56), f"shape {output.shape}")
        require(output.dtype == np.float32, f"{output.dtype}")
        shape = (48, 56) if loss.takes_labels else (head.channels, 48, 56)
        if loss.takes_layers:
            shape = (len(targets[head.name]), 48, 56)
        require(targets[head.name].shape == shape, f"{targets[head.name].shape}")


@RULES.add
def what_can_be_tuned_are_options(kind: Any) -> None:
    """With the values that are tried."""
    for name, values in kind.tunable.items():
        for value in values:
            require(getattr(kind(2, **{name: value}), name) == value, name)


@RULES.add
def filters_drop_in_the_end_what_has_too_little(kind: Any) -> None:
    """So that one decoding serves all values that are tried."""
    made = kind(2)
    for noise in NOISES:  # until objects differ in what is filtered
        random = np.random.default_rng(1)
        outputs = {
            name: (output + random.normal(0, noise, output.shape)).astype(np.float32)
            for name, output in made.encode(cells(), FLAT).items()
        }
        whole, _ = kind(2, **made.filters).decode(outputs, FLAT)
        amounts = made.amounts(whole, outputs, FLAT)
        if all((a[1:] < np.median(a[1:])).any() for a in amounts.values()):
            break
    same = amounts.keys() == made.filters.keys() <= made.tunable.keys()
    require(same, f"amounts of {list(amounts)}, filters {list(made.filters)}")
    for name, amount in amounts.items():
        require(len(amount) == whole.max() + 1, name)
        bar = float(np.median(amount[1:]))
        found, _ = kind(2, **{**made.filters, name: bar}).decode(outputs, FLAT)
        left = np.flatnonzero(amount >= bar)
        require(0 < len(np.unique(found)) - 1 < whole.max(), name)
        require(np.array_equal(found > 0, np.isin(whole, left[left > 0])), name)
