"""Curves are in TensorBoard's files, once for each iteration."""

import pytest

from autoseg.testing.logger import _subject
from autoseg.train.loggers import LOGGERS


def test_iterations_that_are_done_again_after_a_stop_are_there_once(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    known = None
    for start, losses in ((0, {50: 0.5, 100: 0.4}), (50, {100: 0.25, 150: 0.125})):
        logger = LOGGERS["tensorboard"]()
        known = logger.begin(_subject(tmp_path, start), known)
        for iteration, loss in losses.items():
            logger.log(iteration, {"loss": loss})
        logger.close(finished=start > 0)

    found = EventAccumulator(str(tmp_path / known)).Reload().Scalars("loss")
    assert [(e.step, e.value) for e in found] == [(50, 0.5), (100, 0.25), (150, 0.125)]
