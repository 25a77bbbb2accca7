import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from autoseg.geometry import mapped
from autoseg.predict.readouts._instances import decode as decoding
from autoseg.predict.readouts._instances.decode import HeldOutputs, block_edges
from autoseg.predict.readouts._rows import Grids
from autoseg.predict.readouts.instances import InstanceReader
from autoseg.predict.windows.window import Block
from autoseg.preprocess.placement import Placement
from autoseg.representations import REPRESENTATIONS
from autoseg.spec.choice import Choice
from autoseg.spec.configuration import Resampling
from autoseg.spec.head import Head
from autoseg.spec.image import Geometry
from autoseg.spec.instances import Instances
from autoseg.tasks import TASKS

LOSS = Choice(name="dice_ce")


class Pieces:
    """A task whose instances are connected pieces, with a class and a score."""

    kind = "instances"
    pointwise = None
    decode_margin = 1
    one_segment = ()

    def presence(self, outputs):
        return None

    heads = (
        Head(
            name="mask", channels=1, activation="sigmoid", loss=Choice(name="dice_ce")
        ),
        Head(
            name="kind", channels=2, activation="identity", loss=Choice(name="dice_ce")
        ),
    )

    def decode(self, outputs, spacing):
        assert outputs["mask"].dtype == np.float32
        labels, count = ndimage.label(outputs["mask"][0] > 0.5)
        ids = np.arange(1, count + 1)
        kinds = ndimage.mean(outputs["kind"][1], labels, ids)
        sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        return Instances(
            labels.astype(np.int32),
            {int(i): int(k > 0.5) + 1 for i, k in zip(ids, kinds, strict=True)},
            {int(i): 1 / n for i, n in zip(ids, sizes, strict=True)},
        )


def _logits(seed, shape, share=0.3):
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=shape), 1.5)
    mask = noise - np.quantile(noise, 1 - share)
    return torch.from_numpy(np.stack([40 * mask, noise, noise]).astype(np.float32))


def _blocks(logits, axis, rows):
    size = logits.shape[axis + 1]
    for start in range(0, size, rows):
        stop = min(size, start + rows)
        part = logits.narrow(axis + 1, start, stop - start).clone()
        yield Block(axis=axis, start=start, stop=stop, logits=part)


def _placement(shape, new_shape=None, **change):
    dim = len(shape)
    new_shape = new_shape or shape
    spacing = tuple(a / b for a, b in zip(new_shape, shape, strict=True))
    plain = {
        "geometry": Geometry(shape=new_shape, spacing=(1.0,) * dim, unit="px"),
        "orientation": None,
        "transpose": tuple(range(dim)),
        "box": tuple((0, size) for size in new_shape),
        "shape_before_crop": new_shape,
        "cropped_shape": new_shape,
        "shape": shape,
        "cropped_spacing": (1.0,) * dim,
        "spacing": spacing,
    }
    return Placement(**plain | change)


def _read(blocks, placement, exact=False, sink=None):
    """Return the instances of finished outputs."""
    grids = Grids(
        heads=Pieces.heads, resampling=Resampling(), placement=placement, exact=exact
    )
    reader = InstanceReader(Pieces(), grids, sink, lambda: math.inf)
    for block in blocks:
        reader.take(block)
    return reader.result()


def _decoded(outputs, task, placement):
    """Return the instances of outputs that are all there."""
    held = HeldOutputs(task, placement)
    held.put(outputs, 0, 0)
    return held.decode()


def test_instances_come_back_in_the_grid_of_the_image():
    logits = _logits(0, (20, 30))

    found = _read(_blocks(logits, 0, 7), _placement((20, 30)))

    # float16 decides: the largest number below a half is still below it there.
    expected, count = ndimage.label(
        torch.sigmoid(logits[0]).numpy().astype(np.float16) > 0.5
    )
    assert np.array_equal(found.labels > 0, expected > 0)
    assert found.labels.max() == count > 3
    for i in range(1, count + 1):
        assert found.scores[i] == 1 / np.count_nonzero(found.labels == i)
    assert set(found.classes.values()) <= {1, 2}


@pytest.mark.parametrize(
    "axis, shape", [(0, (40, 50)), (1, (40, 50)), (0, (9, 30, 31))]
)
def test_an_image_in_blocks_and_files_is_the_same(monkeypatch, axis, shape):
    logits = _logits(1, shape, 0.3 if len(shape) == 2 else 0.1)
    once = _read(_blocks(logits, axis, 7), _placement(shape))

    monkeypatch.setattr(decoding, "AT_ONCE", 10)
    monkeypatch.setattr(decoding, "BLOCK", 200)
    monkeypatch.setattr(mapped, "IN_MEMORY", 10)
    found = _read(_blocks(logits, axis, 7), _placement(shape))

    assert once.labels.max() > 5
    assert np.array_equal(found.labels, once.labels)
    assert (found.classes, found.scores) == (once.classes, once.scores)


def test_rows_that_come_one_after_another_resample_as_all_do():
    logits = _logits(2, (20, 30))
    placement = _placement((20, 30), (40, 45))

    streamed = _read(_blocks(logits, 0, 3), placement)
    exact = _read(_blocks(logits, 0, 3), placement, exact=True)

    assert streamed.labels.shape == (40, 45)
    assert np.mean((streamed.labels > 0) != (exact.labels > 0)) < 0.002


def test_cropped_and_transposed_instances_go_back_to_their_place():
    logits = _logits(3, (20, 30))
    placement = _placement(
        (20, 30),
        geometry=Geometry(shape=(35, 28), spacing=(1.0, 1.0), unit="px"),
        transpose=(1, 0),
        box=((5, 25), (2, 32)),
        shape_before_crop=(28, 35),
    )

    plain = _read(_blocks(logits, 0, 7), _placement((20, 30)))
    found = _read(_blocks(logits, 0, 7), placement)

    expected = np.zeros((28, 35), np.int32)
    expected[5:25, 2:32] = plain.labels
    assert np.array_equal(found.labels, expected.T)
    assert found.classes == plain.classes


def test_somebody_who_wants_the_outputs_gets_them():
    class Sink:
        alone = False

        def open(self, placement):
            self.outputs = np.full((3, *placement.cropped_shape), np.nan, np.float32)

        def put(self, outputs, axis, start):
            stop = start + outputs.shape[axis + 1]
            self.outputs[:, start:stop] = outputs

    logits, sink = _logits(4, (20, 30)), Sink()

    _read(_blocks(logits, 0, 7), _placement((20, 30)), sink=sink)

    assert np.allclose(sink.outputs[0], torch.sigmoid(logits[0]).numpy())
    assert np.array_equal(sink.outputs[1:], logits[1:].numpy())


@pytest.mark.parametrize("shape", [(20000, 20000), (10, 4000, 4000), (300, 300, 300)])
def test_blocks_have_about_the_size_that_is_asked_for(shape):
    edges = block_edges(shape, 2**22)

    assert math.prod(edges) == pytest.approx(2**22, rel=0.05)
    assert all(edge <= size for edge, size in zip(edges, shape, strict=True))


def _scene(shape):
    """Objects over the corner of four blocks and larger than one, and empty blocks."""
    labels = np.zeros(shape, np.int32)
    labels[..., 26:42, 26:42] = 1  # blocks begin at 32
    labels[..., 26:42, 42:50] = 2  # touches it
    labels[..., 60:125, 10:80] = 3
    labels[..., 80:100, 60:80] = 0  # bent
    labels[..., 60:125, 80:85] = 4
    return labels


# What holds objects that overlap is decoded window by window: test_united.py.
IN_BLOCKS = [
    name for name in REPRESENTATIONS.names() if not REPRESENTATIONS[name].holds
]


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("name", IN_BLOCKS)
def test_every_representation_decodes_blocks_as_the_whole(monkeypatch, name, noise):
    if name == "embedding" and noise:
        pytest.skip("takes one after the other: what touches noise hangs together")
    shape = (130, 132)
    task = TASKS["instance"](labels={"cell": 1}, representation={"name": name})
    outputs = task.encode(_scene(shape), (1.0, 1.0))
    rows = np.concatenate([outputs[head.name] for head in task.heads])
    rows = rows + np.random.default_rng(0).normal(0, noise, rows.shape)
    once = _decoded(rows, task, _placement(shape))

    monkeypatch.setattr(decoding, "AT_ONCE", 10)
    monkeypatch.setattr(decoding, "BLOCK", 32 * 32)
    blocks = []
    decode = task.decode
    monkeypatch.setattr(
        task, "decode", lambda *a: blocks.append(a[0]) or decode(*a), raising=False
    )
    found = _decoded(rows, task, _placement(shape))

    assert len(blocks) >= 25  # of 5 x 5 blocks
    assert once.labels.max() >= 4
    assert np.array_equal(found.labels, once.labels)
    assert found.scores == pytest.approx(once.scores)


def _packed(seed, shape, spacing):
    """Ellipsoids that touch, each drawn as far as it is nearer than others."""
    rng = np.random.default_rng(seed)
    size = np.array(shape) * spacing
    places = (np.indices(shape).reshape(3, -1).T + 0.5) * spacing
    centers = np.zeros((0, 3))
    for center in rng.uniform(0, size, (2000, 3)):
        if (np.linalg.norm(centers - center, axis=1) > 10).all():
            centers = np.concatenate([centers, center[None]])
    half = rng.uniform(5, 9, (len(centers), 3))
    away = np.stack(
        [
            np.square((places - center) / radii).sum(1)
            for center, radii in zip(centers, half, strict=True)
        ]
    )
    labels = np.where(away.min(0) <= 1, away.argmin(0) + 1, 0)
    return labels.reshape(shape).astype(np.int32)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", IN_BLOCKS)
def test_packed_volumes_with_thick_slices_decode_in_blocks_as_at_once(
    monkeypatch, name, seed
):
    shape, spacing = (14, 44, 46), (3.0, 1.0, 1.0)
    task = TASKS["instance"](
        labels={"cell": 1, "debris": 2}, representation={"name": name}, axes=3
    )
    labels = _packed(seed, shape, spacing)
    kinds = {int(i): 1 + int(i) % 2 for i in np.unique(labels[labels > 0])}
    outputs = task.encode(task.read(Instances(labels, kinds)), spacing)
    rows = np.concatenate([outputs[head.name] for head in task.heads])
    placement = _placement(shape, cropped_spacing=spacing)
    once = _decoded(rows, task, placement)

    monkeypatch.setattr(decoding, "AT_ONCE", 10)
    monkeypatch.setattr(decoding, "BLOCK", 20**3)
    blocks = []
    decode = task.decode
    monkeypatch.setattr(
        task, "decode", lambda *a: blocks.append(a[0]) or decode(*a), raising=False
    )
    found = _decoded(rows, task, placement)

    assert len(blocks) > 3
    assert once.labels.max() > 30
    assert np.array_equal(found.labels, once.labels)
    assert found.classes == once.classes
    assert found.scores == pytest.approx(once.scores)
