"""What every task must do, however new its file is."""

from __future__ import annotations

import json

import numpy as np

from autoseg.losses import LOSSES
from autoseg.tasks.base import Task
from autoseg.testing._contract import Contract, require

RULES = Contract("task")


def check_task(kind: type[Task]) -> None:
    """Raise PluginError unless a class keeps the rules of a task.

    Parameters
    ----------
    kind : type
        The class; its ``example`` gives one tiny case.
    """
    RULES.check(kind.__name__, [(kind,)])


@RULES.add
def targets_have_the_channels_their_heads_declare(kind: type[Task]) -> None:
    """A map for each channel of each head."""
    task, annotation, spacing = kind.example()
    targets = {k: len(v) for k, v in task.encode(annotation, spacing).items()}
    heads = {head.name: head.channels for head in task.heads}
    require(targets == heads, f"targets {targets}, heads {heads}")


@RULES.add
def decoding_a_perfect_output_gives_the_annotation_back(kind: type[Task]) -> None:
    """What a network could learn is what a person drew."""
    task, annotation, spacing = kind.example()
    decoded = task.decode(task.encode(annotation, spacing), spacing)
    np.testing.assert_allclose(decoded, annotation, atol=1e-3, equal_nan=True)


@RULES.add
def what_is_written_is_read_again(kind: type[Task]) -> None:
    """From the inner form to the file's, and back."""
    task, annotation, _ = kind.example()
    again = task.read(task.write(annotation))
    np.testing.assert_allclose(again, annotation, equal_nan=True)


@RULES.add
def measurements_are_json_and_can_be_pooled(kind: type[Task]) -> None:
    """They stand in the fingerprint."""
    task, annotation, spacing = kind.example()
    measured = task.measure(annotation, spacing)
    pooled = task.pool([measured, json.loads(json.dumps(measured))])
    require(json.loads(json.dumps(pooled)) == pooled)


@RULES.add
def a_perfect_and_an_empty_prediction_score_differently(kind: type[Task]) -> None:
    """By the same measures."""
    task, annotation, spacing = kind.example()
    targets = task.encode(annotation, spacing)
    empty = task.decode({name: 0 * target for name, target in targets.items()}, spacing)
    perfect = task.score(annotation, annotation, spacing)
    nothing = task.score(empty, annotation, spacing)
    require(perfect.keys() == nothing.keys(), f"{list(perfect)}, {list(nothing)}")
    require(any(perfect[name] != nothing[name] for name in perfect), f"{perfect}")


@RULES.add
def every_loss_it_names_exists_and_takes_its_options(kind: type[Task]) -> None:
    """Of all heads."""
    task, _, _ = kind.example()
    for head in task.heads:
        require(callable(LOSSES[head.loss.name](**head.loss.options)), head.loss.name)


@RULES.add
def foreground_indices_are_sorted_and_inside(kind: type[Task]) -> None:
    """Flat indices of voxels, each once."""
    task, annotation, _ = kind.example()
    size = np.prod(getattr(annotation, "shape", None) or np.asarray(annotation).shape)
    for name, places in task.foreground(annotation).items():
        require((np.diff(places.astype(np.int64)) > 0).all(), f"{name}: the order")
        require(not len(places) or places[-1] < size, f"{name}: beyond the image")
