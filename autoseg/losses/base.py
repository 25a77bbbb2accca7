"""The interface of a loss: logits and a target to one number.

Legend: B batch, K channels of the head, S spatial shape.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn


class Share:
    """What a process has of a batch; alone, it has all of it.

    Where several processes have a share of the same batch each, a subclass brings
    together what they found. All of them call the same methods in the same order.
    """

    def total(self, *sums: Tensor) -> tuple[Tensor, ...]:
        """Return sums over the samples that are here as sums over the whole batch.

        Every process then computes the same loss from them, and its gradients are
        those by what is here: they are to be added up over the processes.

        Parameters
        ----------
        *sums : Tensor
            Of any shapes, which are the same in all processes.
        """
        return sums

    def whole(self, samples: Tensor) -> Tensor:
        """Return the samples (B, ...) of the whole batch from those that are here."""
        return samples


ALONE = Share()


class Loss(nn.Module, ABC):
    """A loss, made as ``LOSSES[name](batch_dice=..., **options)``.

    With ``batch_dice``, losses that make a ratio of sums over voxels sum over the
    whole batch, not over each sample; the others take it and ignore it.

    What nobody annotated does not count for losses with the option ``ignore_index``:
    voxels with that label, or, if it is given to a loss whose target is no labels,
    where the target is NaN.

    Attributes
    ----------
    takes_labels : bool
        The target is the annotation itself, integers of shape (B, *S). Otherwise it
        is what the task's ``encode`` makes of it, of shape (B, K, *S).
    takes_layers : bool
        The target is objects that may overlap, integers of shape (B, L, *S): none does
        within a layer.
    rounds : bool
        Further outputs than the finest are other answers to the same, not coarser ones:
        all of them count alike.
    lowest : float
        What it falls to where everything is right; it is shown from there on.
    sums_up : bool
        Whatever it takes over several samples is a sum that `Share.total` completes,
        so that each process can compute the loss of a batch from its share. Other
        losses get the outputs of the whole batch in every process, which takes more
        memory and time.
    batch : Share
        What is here of a batch.
    takes_points : bool
        The target is places and status of points, (B, K, D + 1), and outputs are
        compared at one resolution, some channels at a time: see
        `autoseg.losses.points.PointLoss`.
    """

    takes_labels: ClassVar[bool] = False
    takes_layers: ClassVar[bool] = False
    takes_points: ClassVar[bool] = False
    rounds: ClassVar[bool] = False
    sums_up: ClassVar[bool] = False
    lowest: ClassVar[float] = 0.0
    batch: Share = ALONE

    @abstractmethod
    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss.

        Parameters
        ----------
        logits : Tensor, shape (B, K, *S)
            Of any floating dtype; sums are taken in float32 or better.
        target : Tensor, shape (B, *S) or (B, K, *S)
            See `takes_labels`.

        Returns
        -------
        Tensor
            A scalar, the smaller the better.
        """

    def start_bias(self, outputs: Sequence[int]) -> float | None:
        """Return the bias of the head's channels with which a training starts.

        Parameters
        ----------
        outputs : sequence of int, length D
            Shape of the outputs of a patch.

        Returns
        -------
        float or None
            None: what the network has.
        """
        return None

    @classmethod
    @abstractmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        """Return a loss, a target, and logits that fit it perfectly, for tests."""
