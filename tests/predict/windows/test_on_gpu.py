"""Windows, mirrored copies and sums on a GPU, traced where there is none."""

import itertools

import numpy as np
import pytest
import torch

from autoseg.networks import NETWORKS
from autoseg.predict.backends.torch import TorchNetwork, _joined
from autoseg.predict.windows.window import Windows, predict_outputs
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
