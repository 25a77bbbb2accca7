"""A fold's network in torch: from its weights to a function of windows.

Letters: B batch, C channels, K outputs of all heads, P patch.
"""

from __future__ import annotations

import functools
from typing import Any, cast

import torch
from torch import nn

from autoseg.errors import ModelError
from autoseg.networks._build import build_network
from autoseg.predict.device import PRECISIONS
from autoseg.predict.model import Model


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
        self._network = network.to(device)
        on_cpu = device.type == "cpu" and torch.backends.mkldnn.is_available()
        if on_cpu and not exact:
            _prefer_onednn(self._network)

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
        with torch.inference_mode():
            if self.precision == "fp32":
                heads = self._network(batch)
            else:
                with torch.autocast(self.device.type, PRECISIONS[self.precision]):
                    heads = self._network(batch)
            return torch.cat(list(heads.values()), dim=1).float()


def _prefer_onednn(network: nn.Module) -> None:
    """Have oneDNN compute all convolutions.

    For a batch of one and few channels torch 2.13 takes a plain loop instead, which is
    five times slower: 0.18 s against 0.03 s for a window of 40x56x40 and a U-Net of
    8-16-32-64 features, on one core.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Conv3d)):
            if not isinstance(module.padding, str) and module.padding_mode == "zeros":
                module.forward = functools.partial(_onednn, module)  # type: ignore[method-assign]


# Its half-precision kernels need AVX-512 or newer; torch has plain ones for the rest.
_ONEDNN_COMPUTES = {
    torch.bfloat16: torch.ops.mkldnn._is_mkldnn_bf16_supported,
    torch.float16: torch.ops.mkldnn._is_mkldnn_fp16_supported,
}


def _onednn(layer: nn.Conv2d | nn.Conv3d, x: torch.Tensor) -> torch.Tensor:
    weight, bias = layer.weight, layer.bias
    if torch.is_autocast_enabled("cpu"):
        kind = torch.get_autocast_dtype("cpu")
        if not _ONEDNN_COMPUTES[kind]():
            kind_of_layer: Any = type(layer)
            return cast("torch.Tensor", kind_of_layer.forward(layer, x))
        x, weight = x.to(kind), weight.to(kind)
        bias = None if bias is None else bias.to(kind)
    convolved: torch.Tensor = torch.mkldnn_convolution(
        x,
        weight,
        bias,
        cast("tuple[int, ...]", layer.padding),
        layer.stride,
        layer.dilation,
        layer.groups,
    )
    return convolved
