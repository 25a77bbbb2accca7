"""A fold's network in torch: from its weights to a function of windows.

Letters: B batch, C channels, K outputs of all heads, P patch.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from autoseg.errors import ModelError
from autoseg.geometry.threads import workers
from autoseg.model.model import Model
from autoseg.networks.build import build_network
from autoseg.networks.onednn import prefer_onednn
from autoseg.networks.packed import can_pack, pack
from autoseg.predict.device import PRECISIONS
from autoseg.predict.windows.memory import MOST_THREADS


def build(model: Model, fold: int) -> nn.Module:
    """Return the network of one fold, for inference, on the CPU.

    Parameters
    ----------
    model : Model
        With plan and weights.
    fold : int
        Position in ``model.folds``.

    Returns
    -------
    Module
        In evaluation mode; its parameters share memory with ``model.weights``.

    Raises
    ------
    ModelError
        If weights and plan do not fit each other.
    """
    with torch.device("meta"):  # no time is lost on weights that are replaced
        network = build_network(model.plan, model.configuration)
    try:
        network.load_state_dict(dict(model.weights[fold]), assign=True)
    except RuntimeError as error:
        first = " ".join(str(error).split())[:300]
        raise ModelError(
            f"{model.source}, fold {model.folds[fold]}: the weights do not fit the "
            f"network that the plan describes; they are not of one training. ({first})"
        ) from None
    return network.eval().requires_grad_(False)


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
        if self.device.type != "cpu" or len(batch) == 1:
            return self._predict(batch)
        with workers(MOST_THREADS) as (threads, run):
            pieces = batch.split(math.ceil(len(batch) / threads))
            found: dict[int, torch.Tensor] = {}

            def predict(place: int) -> None:
                found[place] = self._predict(pieces[place])

            run(predict, range(len(pieces)))
        with torch.inference_mode():
            return torch.cat([found[place] for place in range(len(pieces))])

    def _predict(self, batch: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            if self.precision == "fp32":
                heads = self.module(batch)
            else:
                with torch.autocast(self.device.type, PRECISIONS[self.precision]):
                    heads = self.module(batch)
            return torch.cat(list(heads.values()), dim=1).float()
