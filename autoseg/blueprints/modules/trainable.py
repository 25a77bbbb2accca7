"""What is trained and predicts: a torch module with heads.

Legend: B batch, C channels, K channels of a head, S spatial shape, D number of axes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from autoseg.errors import UsageError


@dataclass(frozen=True)
class LateLogits:
    """Logits that are made when they are needed, some channels at a time.

    With many channels, the logits of a patch would be most of a training's memory.

    Parameters
    ----------
    features : Tensor, shape (B, F, *S)
        What they are made of.
    weight, bias : Tensor, shapes (K, F, 1, ...) and (K,)
        Of the convolution of one voxel that makes them.
    """

    features: Tensor
    weight: Tensor
    bias: Tensor

    @property
    def channels(self) -> int:
        """K."""
        return len(self.bias)

    def part(self, first: int, last: int, features: Tensor | None = None) -> Tensor:
        """Return channels ``first`` to ``last - 1``, of shape (B, last - first, *S)."""
        x = self.features if features is None else features
        weight = self.weight[first:last].to(x.dtype).flatten(1)
        bias = self.bias[first:last].to(x.dtype)
        # Sample by sample: torch.matmul would copy the features to one long matrix.
        flat = torch.baddbmm(bias[:, None], weight.expand(len(x), -1, -1), x.flatten(2))
        return flat.reshape(len(x), last - first, *x.shape[2:])


Outputs = dict[str, Tensor] | dict[str, list[Tensor]] | dict[str, LateLogits]


class Trainable(nn.Module, ABC):
    """What is trained and predicts: a network that was made, with its heads.

    Attributes
    ----------
    deep_supervision : bool
        Give outputs of several resolutions; changes no weight, and may be switched at
        any time.
    late : bool
        Give `LateLogits` of the finest resolution instead; for networks that can.
    recompute : bool
        Keep half as much for the backward pass, and make the rest again, with the same
        numbers; for networks that can.
    """

    deep_supervision: bool
    late: bool = False
    recompute: bool = False

    @abstractmethod
    def forward(self, image: Tensor) -> Outputs:
        """Return the logits of each head.

        Parameters
        ----------
        image : Tensor, shape (B, C, *S)
            S must be a multiple of the product of all strides along each axis.

        Returns
        -------
        dict of str to Tensor, shape (B, K, *S)
            With deep supervision, dict of str to list of Tensor, finest first; all
            but the first are on coarser grids.
        """

    def prune(self, depth: str) -> None:
        """Compute less of a nested decoder, or more, from now on.

        Parameters
        ----------
        depth : str
            ``"1"``, ``"2"``, ...: stop at this output, and leave out what only deeper
            ones need; ``"mean"``: average all outputs.

        Raises
        ------
        UsageError
            If the network has no such output, or no nested decoder.
        """
        raise UsageError(
            "This network has one output of the image's resolution only; --prune is "
            "for a nested decoder (unetpp)."
        )

    def start_head(self, name: str, bias: float) -> None:  # noqa: B027 - may be left
        """Set the bias of a head's channels; a network that cannot leaves it."""

    def last_parameters(self) -> Sequence[nn.Parameter]:
        """Return the parameters of the layers whose channels are the outputs'.

        Some optimizers treat them apart. A network that does not say has none.
        """
        return ()
