"""The interface of a network: one image in, one output for each head of the task.

Legend: B batch, C channels, K channels of a head, S spatial shape, D number of axes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn

Outputs = dict[str, Tensor] | dict[str, list[Tensor]]


class Network(nn.Module, ABC):
    """An architecture, ``NETWORKS[name](in_channels, heads, deep_supervision, ...)``.

    ``in_channels`` is C, ``heads`` gives K by the head's name. Other options come from
    the plan and are plain JSON: numbers, strings and lists.

    Attributes
    ----------
    deep_supervision : bool
        Give outputs of several resolutions; changes no weight, and may be switched at
        any time.
    """

    deep_supervision: bool

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

    @classmethod
    @abstractmethod
    def example(cls, dim: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Return tiny options and an image's spatial shape, for tests of every plug-in.

        Parameters
        ----------
        dim : int
            Number of spatial axes, 2 or 3.
        """
