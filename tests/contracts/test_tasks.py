"""What every task must do, however new its file in autoseg/tasks is."""

import json

import numpy as np
import pytest

from autoseg.losses import LOSSES
from autoseg.tasks import TASKS


@pytest.fixture(params=TASKS.names())
def example(request):
    """One tiny case of each kind: task, annotation, spacing."""
    return TASKS[request.param].example()


def test_targets_have_the_channels_their_heads_declare(example):
    task, annotation, spacing = example

    targets = task.encode(annotation, spacing)

    assert {head.name: head.channels for head in task.heads} == {
        name: len(target) for name, target in targets.items()
    }


def test_decoding_a_perfect_output_gives_the_annotation_back(example):
    task, annotation, spacing = example

    decoded = task.decode(task.encode(annotation, spacing), spacing)

    np.testing.assert_allclose(decoded, annotation, atol=1e-3, equal_nan=True)


def test_what_is_written_is_read_again(example):
    task, annotation, _ = example

    again = task.read(task.write(annotation))

    np.testing.assert_allclose(again, annotation, equal_nan=True)


def test_measurements_are_json_and_can_be_pooled(example):
    task, annotation, spacing = example
    measured = task.measure(annotation, spacing)

    pooled = task.pool([measured, json.loads(json.dumps(measured))])

    assert json.loads(json.dumps(pooled)) == pooled


def test_a_perfect_and_an_empty_prediction_score_differently(example):
    task, annotation, spacing = example
    targets = task.encode(annotation, spacing)
    empty = task.decode({name: 0 * target for name, target in targets.items()}, spacing)

    perfect = task.score(annotation, annotation, spacing)
    nothing = task.score(empty, annotation, spacing)

    assert perfect.keys() == nothing.keys()
    assert any(perfect[name] != nothing[name] for name in perfect)


def test_every_loss_a_task_names_exists_and_takes_its_options(example):
    task = example[0]

    for head in task.heads:
        assert callable(LOSSES[head.loss.name](**head.loss.options))


def test_foreground_indices_are_sorted_and_inside(example):
    task, annotation, _ = example

    size = np.prod(getattr(annotation, "shape", None) or np.asarray(annotation).shape)
    for places in task.foreground(annotation).values():
        assert (np.diff(places.astype(np.int64)) > 0).all()
        assert not len(places) or places[-1] < size
