"""The interface of a backend: what computes the networks of a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import nn

from autoseg.errors import ModelError
from autoseg.model.model import Model
from autoseg.networks.build import build_network
from autoseg.predict.windows.window import Network


class Backend(ABC):
    """Computes the networks of a model; nothing of it is ever made.

    Attributes
    ----------
    exact : bool
        It can compute as nnU-Net does, to the bit.
    half : bool
        It computes in half precision where device and task make that worth while;
        otherwise only if it is asked to.
    any_shape : bool
        Its networks take windows of any shape that their strides divide. Otherwise
        they are made for the plan's patch.
    modules : bool
        Each network has a ``module``, the torch module that it computes with: some
        outputs are read before they are all there.
    """

    exact: ClassVar[bool] = False
    half: ClassVar[bool] = False
    any_shape: ClassVar[bool] = False
    modules: ClassVar[bool] = False

    @classmethod
    def refuses(cls, device: torch.device) -> str | None:
        """Return why it cannot compute on a device, and what to do; None if it can."""
        return None

    @classmethod
    @abstractmethod
    def build(
        cls,
        model: Model,
        channels: int,
        device: torch.device,
        precision: str,
        exact: bool = False,
    ) -> Sequence[Network]:
        """Return the networks of all folds of a model.

        Parameters
        ----------
        model : Model
            With weights.
        channels : int
            C: of the image, and in a cascade of the stage before.
        device : torch.device
            Where.
        precision : str
            ``"fp32"``, ``"bf16"`` or ``"fp16"``: of the layers that stand it.
        exact : bool
            As nnU-Net does; asked for only where the backend can.

        Returns
        -------
        sequence of Network
            From (B, C, *P) to (B, K, *P), float32.

        Raises
        ------
        UsageError
            If something is missing on this machine, or the precision is not known.
        """


def build(model: Model, fold: int) -> nn.Module:
    """Return the network of one fold in torch, for inference, on the CPU.

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
    if model.depth is not None:
        network.prune(model.depth)
    return network.eval().requires_grad_(False)


class Joined(nn.Module):
    """A network with its heads joined to one tensor.

    Parameters
    ----------
    network : Module
        Gives a dict of logits by head.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return (B, K, *P) for (B, C, *P)."""
        return torch.cat(list(self.network(batch).values()), dim=1)
