"""Parameters of decoding are chosen by cases, and confirmed on others."""

import numpy as np
import pytest

from autoseg.datasets.read import load_dataset
from autoseg.tasks import TASKS
from autoseg.train.after.kinds.tuning import (
    Sample,
    cases_to_tune,
    halves,
    middle,
    read_sample,
    tune,
)

from ... import cells

DEFAULTS = {"foreground": 0.5, "core": 0.5, "least": 1}


@pytest.fixture
def task():
    return TASKS["instance"](**cells.TASK.options)


def sample(of, core):
    labels, weak = of()
    values = cells.outputs(labels, weak, core).astype(np.float16)
    return Sample(outputs=values, reference=labels, spacing=(1.0, 1.0), cut=False)


def test_a_threshold_that_parts_what_touches_is_found(task):
    samples = {f"c{i}": sample(cells.pair, 0.55) for i in range(4)}

    found = tune(task, samples, halves(samples), workers=1)

    # One piece over two equal cells has an IoU of 1/2 with each, which is not over it.
    assert found.before == 0
    assert found.after == found.held_out == 1
    assert found.kept and found.parameters == {**DEFAULTS, "core": 0.6}
    assert found.objects == 8 and found.cases == 4
    assert [part.cases for part in found.parts] == [("c0", "c2"), ("c1", "c3")]
    assert dict(map(tuple, found.tried["core"]))[0.5] == 0
    assert "core" in found.text() and "the best are used" in found.text()


def test_what_does_not_show_on_other_cases_is_not_kept(task):
    samples = {
        # Three pairs to be parted and two whole cells that a higher core would part.
        "a0": sample(cells.pair, 0.55),
        "a1": sample(cells.pair, 0.55),
        "a2": sample(cells.pair, 0.55),
        "b0": sample(cells.one, 0.55),
        "b1": sample(cells.one, 0.55),
    }
    parts = [["a0", "a1", "a2"], ["b0", "b1"]]

    found = tune(task, samples, parts, workers=1)

    # Defaults: 2 of 8 objects right, 5 predicted: 2 / (8 + 5 - 2). Parted: 6 of 8
    # right, 10 predicted: 6 / 12, and the cells are cut in halves.
    assert found.before == pytest.approx(2 / 11)
    assert found.after == pytest.approx(6 / 12)
    assert found.held_out == 0  # pairs by the choice of cells, and the other way round
    assert not found.kept
    assert found.parameters == DEFAULTS == found.parts[0].parameters
    assert found.best["core"] == 0.6
    assert "the defaults stay" in found.verdict()


def test_one_case_decides_nothing(task):
    found = tune(task, {"c": sample(cells.pair, 0.55)}, [["c"]], workers=1)

    assert found.held_out is None and not found.kept
    assert found.parameters == DEFAULTS
    assert "one case cannot confirm" in found.verdict()


def test_cases_without_objects_do_no_harm(task):
    empty = Sample(
        outputs=cells.outputs(np.zeros(cells.SHAPE), (0, 0), 0).astype(np.float16),
        reference=np.zeros(cells.SHAPE, np.int32),
        spacing=(1.0, 1.0),
        cut=False,
    )

    found = tune(task, {"a": empty, "b": empty}, halves("ab"), workers=1)

    assert (found.before, found.after, found.kept) == (1, 1, False)


def test_cases_are_spread_over_all_and_halved():
    ids = [f"{i:03d}" for i in range(120)]

    chosen = cases_to_tune(ids)

    assert len(set(chosen)) == 50 and chosen[0] == "000" and chosen[-1] >= "117"
    assert cases_to_tune(["b", "a"]) == ["a", "b"]
    one, other = halves(chosen)
    assert sorted(one + other) == chosen and len(one) == len(other) == 25
    assert halves(["a"]) == [["a"]]


def test_of_a_large_case_the_middle_is_looked_at(tmp_path, task):
    labels, weak = cells.pair()
    folder = cells.write_dataset(tmp_path / "raw", {"a": labels})
    dataset = load_dataset(folder)
    values = cells.outputs(labels, weak, 0.55)
    kept = cells.keep(tmp_path / "kept", task, "a", values)

    whole = read_sample(kept, dataset.case("a"), dataset, task, most=10_000)
    part = read_sample(kept, dataset.case("a"), dataset, task, most=300)

    assert not whole.cut and np.array_equal(whole.reference, labels)
    assert np.array_equal(whole.outputs, values.astype(np.float16))
    assert part.cut and part.reference.shape == (20, 13)
    assert np.array_equal(part.reference, labels[:, 6:19])
    assert np.array_equal(part.outputs, whole.outputs[:, :, 6:19])
    assert middle((3, 8, 8), 48) == (slice(0, 3), slice(2, 6), slice(2, 6))
