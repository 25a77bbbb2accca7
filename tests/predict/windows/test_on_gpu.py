"""Windows, mirrored copies and sums on a GPU, traced where there is none."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from autoseg.geometry.streaming import RowResampler, decide_blocks
from autoseg.networks import NETWORKS
from autoseg.predict.backends.torch import TorchNetwork, _joined
from autoseg.predict.readouts._points.views import predict_points
from autoseg.predict.readouts._rows import Grids, Stream, Whole
from autoseg.predict.windows.window import Block, Windows, predict_outputs
from autoseg.spec.configuration import Resampling
from autoseg.spec.head import Head
from autoseg.tasks import TASKS
from tests.fake_gpu import PREDICTS, TRAINS, fake, moved

PATCH = (4, 8, 8)
SHAPE = (9, 12, 10)


@pytest.mark.parametrize("nnunet_sums", [False, True], ids=["ours", "nnunet"])
@pytest.mark.parametrize("sums", [TRAINS, "cpu"], ids=["there", "here"])
def test_windows_are_added_up_where_they_are_told_to(nnunet_sums, sums):
    windows = Windows(
        patch=PATCH,
        mirror_axes=(0, 2),
        batch=3,
        device=TRAINS,
        sums_device=sums,
        nnunet_sums=nnunet_sums,
        dtype=torch.float16 if nnunet_sums else torch.float32,
    )
    seen = []

    def network(batch):
        seen.append(batch.device)
        return torch.cat((batch, batch), dim=1)

    with fake():
        blocks = [
            (block.axis, block.start, block.stop, block.logits.device)
            for block in predict_outputs(
                [network], np.zeros((1, *SHAPE), np.float32), windows
            )
        ]

    axis = blocks[0][0]
    rows = [list(range(start, stop)) for _, start, stop, _ in blocks]
    assert list(itertools.chain(*rows)) == list(range(SHAPE[axis]))
    assert {place for *_, place in blocks} == {torch.device(sums)}
    assert set(seen) == {TRAINS}


def test_outputs_of_half_networks_are_joined_as_whole_numbers():
    options, shape = NETWORKS["residual_unet"].example(3)
    module = NETWORKS["residual_unet"](1, {"a": 2, "b": 3}, False, **options).eval()
    made = TorchNetwork(module, torch.device("cpu"), "fp16", exact=True)

    with fake(), torch.inference_mode():
        moved(made.module, PREDICTS)
        made.device = PREDICTS
        with made._arithmetic():
            heads = made.module(torch.empty(2, 1, *shape, device=PREDICTS))
            logits = _joined(heads)

    assert {head.dtype for head in heads.values()} == {torch.float16}
    assert (logits.shape[:2], logits.dtype) == ((2, 5), torch.float32)
    assert logits.device == PREDICTS


@pytest.mark.parametrize("painted", [None, (1, 3)], ids=["largest", "painted"])
@pytest.mark.parametrize(
    ("new_shape", "method"),
    [(SHAPE, "spline"), ((14, 9, 15), "spline"), ((14, 9, 15), "linear")],
    ids=["same", "spline", "linear"],
)
@pytest.mark.parametrize("kind", [torch.float32, torch.float16], ids=["whole", "half"])
def test_rows_are_resampled_and_decided_where_outputs_are(
    painted, new_shape, method, kind
):
    spacing = tuple(n / m for n, m in zip(new_shape, SHAPE, strict=True))
    resampler = RowResampler(
        SHAPE, new_shape, spacing, (1.0,) * 3, Resampling(output_method=method), axis=0
    )

    with fake():
        blocks = (
            (row, torch.empty(2, 3, *SHAPE[1:], dtype=kind, device=TRAINS))
            for row in (0, 3, 6)
        )
        found = list(decide_blocks(blocks, resampler, painted))

    assert sum(len(rows) for _, rows in found) == new_shape[0]
    assert {rows.shape[1:] for _, rows in found} == {new_shape[1:]}


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "none"])
def test_outputs_that_are_kept_are_activated_where_they_are(activation):
    new_shape = (14, 9, 15)
    grids = Grids(
        heads=(Head(name="a", channels=3, activation=activation, loss="dice_ce"),),
        resampling=Resampling(),
        placement=SimpleNamespace(
            shape=SHAPE,
            cropped_shape=new_shape,
            spacing=tuple(n / m for n, m in zip(new_shape, SHAPE, strict=True)),
            cropped_spacing=(1.0,) * 3,
        ),
    )

    with fake():
        blocks = [
            Block(
                axis=0,
                start=row,
                stop=row + 3,
                logits=torch.empty(3, 3, *SHAPE[1:], device=TRAINS),
            )
            for row in (0, 3, 6)
        ]
        stream, whole = Stream(grids), Whole(SHAPE)
        rows = [
            part
            for block in blocks
            for made in stream.take(block)
            for part, *_ in stream.activated(*made)
        ]
        for block in blocks:
            whole.take(block)

    assert sum(part.shape[1] for part in rows) == new_shape[0]
    assert {(len(part), part.dtype) for part in rows} == {(3, np.dtype(np.float32))}
    assert (whole.outputs.shape, whole.outputs.device.type) == ((3, *SHAPE), "cpu")


def test_points_are_decoded_from_what_a_device_computes():
    task, _, spacing = TASKS["landmark"].example()
    dim = len(spacing)
    options, shape = NETWORKS["plain_unet"].example(dim)
    heads = {head.name: head.channels for head in task.at_spacing(spacing, ()).heads}
    module = NETWORKS["plain_unet"](1, heads, False, **options).eval()
    windows = Windows(patch=shape, mirror_axes=(0,), device=TRAINS)

    with fake():
        found = predict_points(
            [moved(module, TRAINS)],
            np.zeros((1, *(n + 3 for n in shape)), np.float32),
            windows,
            task,
            spacing,
        )

    assert len(found) == len(windows.mirrors)
    assert (found[0].dim, len(found[0].names)) == (dim, len(task.classes))
