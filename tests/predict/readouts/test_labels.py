"""Label maps are the same however their outputs come."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from autoseg.metrics.calibration import Calibration
from autoseg.model.postprocessing import Postprocessing, Rule
from autoseg.predict.options import Options
from autoseg.predict.readouts import READOUTS
from autoseg.predict.readouts.lookup import save
from autoseg.predict.readouts.sight import Sight
from autoseg.predict.windows.window import Block, Windows
from autoseg.preprocess.case import Prepared
from autoseg.preprocess.placement import Placement
from autoseg.spec.configuration import Resampling
from autoseg.spec.image import Geometry
from autoseg.tasks import make_task
from tests.predict import toy_model as toy

# In the plan's order the image is transposed, and a border of 2 and 3 was cut off.
GEOMETRY = Geometry(shape=(24, 18), spacing=(1.0, 1.0), unit="px")
PLACEMENT = Placement(
    geometry=GEOMETRY,
    orientation=None,
    transpose=(1, 0),
    box=((2, 16), (3, 24)),
    shape_before_crop=(18, 24),
    cropped_shape=(14, 21),
    shape=(14, 21),
    cropped_spacing=(1.0, 1.0),
    spacing=(1.0, 1.0),
)


class Outputs:
    """Takes what is activated."""

    alone = False

    def open(self, placement):
        self.outputs = np.full((3, *placement.cropped_shape), np.nan, np.float32)

    def put(self, outputs, axis, start):
        place = [slice(None)] * 3
        place[1 + axis] = slice(start, start + outputs.shape[1 + axis])
        self.outputs[tuple(place)] = outputs


def readout(**options):
    plan = toy.plan(2, labels={"background": 0, "one": 7, "two": 3})
    model = toy.model(plan)
    return READOUTS["labels"](model, make_task(plan.task), Options(**options))


def logits():
    generator = torch.Generator().manual_seed(0)
    return torch.randn((3, 14, 21), generator=generator)


def blocks(axis, rows):
    """Yield outputs as prediction does: what was handed out is overwritten."""
    whole, size = logits(), (14, 21)[axis]
    for start in range(0, size, rows):
        stop = min(size, start + rows)
        part = whole.narrow(axis + 1, start, stop - start).clone()
        yield Block(axis=axis, start=start, stop=stop, logits=part)
        part.fill_(np.nan)


def read(reads, axis=0, rows=4, sink=None):
    array = np.zeros((1, 14, 21), np.float32)
    prepared = Prepared(array=array, annotation=None, placement=PLACEMENT)
    windows = Windows(patch=(8, 8))
    sight = Sight(prepared=prepared, networks=(), windows=windows, sink=sink)
    reader = reads.reader(sight)
    for block in blocks(axis, rows):
        reader.take(block)
    return reader.result()


def expected():
    """Return the values in files of the largest output, in the image's grid."""
    inner = logits().argmax(0).numpy()
    # Inner labels follow the order of the values: 3 is 1, and 7 is 2.
    there = np.zeros((18, 24), np.uint8)
    there[2:16, 3:24] = np.array([0, 3, 7])[inner]
    return there.T


@pytest.mark.parametrize("axis, rows", [(0, 4), (0, 14), (1, 5), (1, 1)])
def test_the_largest_output_wins_whichever_way_rows_come(axis, rows):
    assert np.array_equal(read(readout(), axis, rows), expected())


def test_a_task_that_looks_around_gives_the_same_from_all_outputs(monkeypatch):
    reads = readout()
    monkeypatch.setattr(type(reads.task), "pointwise", None)

    assert np.array_equal(read(reads), expected())
    assert not reads.can_doubt and not reads.doubted
    assert reads.new_doubt() is None


@pytest.mark.parametrize("axis", [0, 1])
def test_who_wants_probabilities_gets_those_that_decided(axis):
    sink = Outputs()

    read(readout(), axis, sink=sink)

    wanted = torch.softmax(logits(), dim=0).numpy()
    np.testing.assert_allclose(sink.outputs, wanted, atol=1e-6)


def test_with_a_temperature_probabilities_are_softer_and_labels_the_same():
    sink, reads = Outputs(), readout()
    reads.model = replace(
        reads.model, calibration=Calibration(temperatures={"classes": 2.0})
    )

    found = read(reads, sink=reads.calibrated(sink))

    wanted = torch.softmax(logits() / 2, dim=0).numpy()
    np.testing.assert_allclose(sink.outputs, wanted, atol=1e-6)
    assert np.array_equal(found, expected())


@pytest.mark.parametrize("axis, rows", [(0, 4), (1, 5)])
@pytest.mark.parametrize("order", [1, 3], ids=["by rows", "by heads"])
def test_who_wants_few_rows_gets_those_alone(axis, rows, order):
    sink, reads = Outputs(), readout()
    sink.every = 3
    settings = reads.model.settings
    settings = replace(settings, resampling=Resampling(output_order=order))
    plan = replace(reads.model.plan, configurations={"net": settings})
    reads.model = replace(reads.model, plan=plan)

    found = read(reads, axis, rows, sink=sink)

    along = axis if order == 1 else 0
    wanted = np.moveaxis(torch.softmax(logits(), dim=0).numpy(), 1 + along, 0)
    given = np.moveaxis(sink.outputs, 1 + along, 0)
    np.testing.assert_allclose(given[::3], wanted[::3], atol=1e-6)
    assert np.isnan(np.delete(given, slice(None, None, 3), axis=0)).all()
    assert np.array_equal(found, expected())


def test_doubt_is_about_all_classes_and_counted_in_the_memory():
    assert readout().doubted == ()
    doubting = readout(uncertainty=True)
    assert [head.channels for head in doubting.doubted] == [3]
    assert (readout().outputs, doubting.outputs) == (3, 4)


@pytest.mark.parametrize("folds, mirrored", [(1, True), (1, False), (2, False)])
def test_each_voxel_can_be_doubted_by_folds_mirrors_or_probabilities(folds, mirrored):
    plan = toy.plan(2, mirror=mirrored)
    model = toy.model(plan, folds)

    assert READOUTS["labels"](model, make_task(plan.task), Options()).can_doubt


def test_rules_for_the_end_are_applied_to_values_of_files():
    plan = toy.plan(2, labels={"background": 0, "one": 7})
    rules = Postprocessing(classes={"one": Rule(largest_component=True)})
    model = toy.model(plan, postprocessing=rules)
    reads = READOUTS["labels"](model, make_task(plan.task), Options())
    found = np.array([[7, 7, 0, 0, 7]], np.uint8)

    kept = reads.finish(found, GEOMETRY, None)

    assert kept.tolist() == [[7, 7, 0, 0, 0]]


def test_what_is_of_no_known_kind_is_not_saved(tmp_path):
    from autoseg.errors import UsageError

    with pytest.raises(UsageError, match="a str is none of instances, labels, points"):
        save(tmp_path / "a.nii.gz", "text", GEOMETRY)

    assert not list(tmp_path.iterdir())
