"""A fold's network in torch: from its weights to a function of windows.

Letters: B batch, C channels, K outputs of all heads, P patch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from autoseg.geometry.threads import workers
from autoseg.model.model import Model
from autoseg.networks.onednn import prefer_onednn
from autoseg.networks.packed import can_pack, pack
from autoseg.predict.backends import BACKENDS
from autoseg.predict.backends.base import Backend, build
from autoseg.predict.device import PRECISIONS
from autoseg.predict.windows.memory import MOST_THREADS


@BACKENDS.register
class Torch(Backend):
    """torch, as in training."""

    exact = True
    half = True
    any_shape = True
    modules = True

    @classmethod
    def build(
        cls,
        model: Model,
        channels: int,
        device: torch.device,
        precision: str,
        exact: bool = False,
    ) -> list[TorchNetwork]:
        folds = range(len(model.folds))
        return [
            TorchNetwork(build(model, fold), device, precision, exact) for fold in folds
        ]


class TorchNetwork:
    """One fold's network on a device.

    Parameters
    ----------
    network : Module
        Gives a dict of logits by head; its heads are joined in that order.
    device : torch.device
        Where it runs.
    precision : str
        ``"fp32"``, or ``"bf16"`` or ``"fp16"`` for the layers that stand it.
    exact : bool
        Leave the choice of convolution to torch, as nnU-Net does. It changes the order
        of sums and so the last bits.
    """

    def __init__(
        self,
        network: nn.Module,
        device: torch.device,
        precision: str = "fp32",
        exact: bool = False,
    ) -> None:
        self.device = device
        self.precision = precision
        self.module = network.to(device)
        if device.type == "cpu" and not exact:
            kind = PRECISIONS.get(precision, torch.float32)
            if can_pack(kind):
                pack(self.module, kind)
            else:
                prefer_onednn(self.module)

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the logits of windows.

        Parameters
        ----------
        batch : tensor, shape (B, C, *P)
            Windows, on any device.

        Returns
        -------
        tensor of float32, shape (B, K, *P)
            On the network's device.
        """
        batch = batch.to(self.device)
        if self._shares(batch):
            return self._in_threads(batch)
        with torch.inference_mode(), self._arithmetic():
            return _joined(self.module(batch))

    def _shares(self, batch: torch.Tensor) -> bool:
        several = len(batch) > 1 and torch.get_num_threads() > 1
        return several and self.device.type == "cpu"

    def _in_threads(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the logits of windows of which each thread takes some."""
        with workers(MOST_THREADS) as (threads, run):
            pieces = batch.split(math.ceil(len(batch) / threads))
            found = run(self._alone, pieces)
        with torch.inference_mode():
            return torch.cat(found)

    def _alone(self, batch: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode(), self._arithmetic():
            return _joined(self.module(batch))

    def _arithmetic(self) -> AbstractContextManager[None]:
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, PRECISIONS[self.precision])


def _joined(heads: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return the logits of all heads, (B, K, *P)."""
    return torch.cat(list(heads.values()), dim=1).float()
