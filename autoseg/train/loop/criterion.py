"""From outputs and an annotation to one number: targets, losses, deep supervision.

Legend: B batch, K classes, P patch, D axes.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from autoseg.errors import PlanError
from autoseg.losses import LOSSES
from autoseg.losses.base import Loss, Share
from autoseg.losses.points import PointLoss
from autoseg.networks.base import LateLogits
from autoseg.spec.head import AT_ONCE, Head
from autoseg.tasks.base import Task


def level_weights(levels: int, same_size: bool = False) -> list[float]:
    """Return the weight of each output of deep supervision, finest first.

    Each is half the one before it, the coarsest is 0, and they add up to 1, as in
    nnU-Net v2. Outputs that all have the same resolution count the same, as in U-Net++.

    Parameters
    ----------
    levels : int
        How many there are.
    same_size : bool
        They all have the same resolution.

    Examples
    --------
    >>> level_weights(3)
    [0.6666666666666666, 0.3333333333333333, 0.0]
    >>> level_weights(1), level_weights(2, same_size=True)
    ([1.0], [0.5, 0.5])
    """
    weights = [1.0 if same_size else 0.5**level for level in range(levels)]
    if levels > 1 and not same_size:
        weights[-1] = 0.0
    total = sum(weights)
    return [weight / total for weight in weights]


def shrink(target: Tensor, shape: Sequence[int]) -> Tensor:
    """Return a target (B, ..., *P) on a coarser grid, by its nearest voxel.

    Parameters
    ----------
    target : Tensor, shape (B, ..., *P)
        Of any dtype.
    shape : sequence of int, length D
        The coarser grid; P is a multiple of it along each axis.

    Returns
    -------
    Tensor, shape (B, ..., *shape)
        A view.

    Examples
    --------
    >>> shrink(torch.arange(8).reshape(1, 8), (4,))
    tensor([[1, 3, 5, 7]])
    """
    dim = len(shape)
    cut: list[Any] = [...]
    for fine, coarse in zip(target.shape[-dim:], shape, strict=True):
        step = fine // coarse
        # The voxel in which the center (i + 1/2) * step lies: torch's "nearest-exact".
        cut.append(slice(step // 2, None, step))
    return target[tuple(cut)]


class Criterion(nn.Module):
    """The loss of a task: of all its heads and all levels of deep supervision.

    Parameters
    ----------
    task : Task
        Names heads and their losses.
    batch_dice : bool
        Dice is summed over the batch.
    spacing : tuple of float, length D
        Of the patch, for targets that are measured in units of length.
    stride : tuple of int, length D, optional
        How many voxels an output is long; by default one.
    """

    def __init__(
        self,
        task: Task,
        batch_dice: bool,
        spacing: tuple[float, ...],
        stride: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        self.task = task
        self.spacing = spacing
        self.stride = stride
        self.losses = nn.ModuleDict(
            {
                head.name: _loss_of(head, batch_dice, spacing)
                for head in task.at_spacing(spacing, stride).heads
            }
        )

    def forward(
        self,
        outputs: Mapping[str, Any],
        learned: Tensor | Mapping[str, Tensor],
    ) -> Tensor:
        """Return the loss.

        Parameters
        ----------
        outputs : mapping of str to Tensor, or to list of Tensor
            By head: logits (B, K, *P), or one for each level, finest first; of points
            the finest only, which may also be `LateLogits`.
        learned : Tensor of int, shape (B, *P), or mapping of str to Tensor
            Inner annotation; or, by head, what its loss takes, as the task's `targets`
            gives it.

        Returns
        -------
        Tensor
            A scalar, float32.
        """
        if isinstance(learned, Tensor):
            learned = self.targets(learned)
        total: Tensor | None = None
        for name, loss in self._losses():
            levels = outputs[name]
            if loss.takes_points:
                finest = levels[0] if isinstance(levels, list) else levels
                target = on_outputs(learned[name], self.stride)
                term = loss_of_points(cast(PointLoss, loss), finest, target)
                total = term if total is None else total + term
                continue
            if isinstance(levels, Tensor):
                levels = [levels]
            same = levels[0].shape == levels[-1].shape
            weights = level_weights(len(levels), same or loss.rounds)
            for logits, weight in zip(levels, weights, strict=True):
                if weight == 0:
                    continue
                target = learned[name]
                if not (loss.takes_layers and logits.dim() != target.dim()):
                    target = shrink(target, logits.shape[2:])
                term = weight * self._of(loss, logits, target)
                total = term if total is None else total + term
        if total is None:
            raise ValueError("a task without heads cannot be trained")
        return total

    @staticmethod
    def _of(loss: Loss, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of the whole batch from the samples that are here."""
        if not loss.sums_up:
            logits, target = loss.batch.whole(logits), loss.batch.whole(target)
        result: Tensor = loss(logits, target)
        return result

    def divide(self, share: Share) -> None:
        """Return the loss of the whole batch from now on, given a share of it."""
        for _, loss in self._losses():
            loss.batch = share

    @property
    def lowest(self) -> float:
        """What the loss falls to where everything is right."""
        return sum(loss.lowest for _, loss in self._losses())

    def _losses(self) -> Iterator[tuple[str, Loss]]:
        """Yield the loss of each head."""
        for name, loss in self.losses.items():
            yield name, cast(Loss, loss)

    def start_biases(self, outputs: Sequence[int]) -> dict[str, float]:
        """Return with which bias of its channels the training of a head starts.

        Parameters
        ----------
        outputs : sequence of int, length D
            Shape of the outputs of a patch.

        Returns
        -------
        dict of str to float
            Of the heads whose loss asks for one.
        """
        biases = {name: loss.start_bias(outputs) for name, loss in self._losses()}
        return {name: bias for name, bias in biases.items() if bias is not None}

    def targets(self, labels: Tensor) -> dict[str, Tensor]:
        """Return what each head is to learn.

        Losses that understand a label map get it as it is, so that no dense map of K
        channels is made; for the others the task encodes each sample.
        """
        if self.task.learns_map and all(
            loss.takes_labels for _, loss in self._losses()
        ):
            return dict.fromkeys(self.losses, labels)
        dense = [
            self.task.targets(sample, self.spacing) for sample in labels.cpu().numpy()
        ]
        return {
            name: torch.from_numpy(np.stack([d[name] for d in dense])).to(labels.device)
            for name in self.losses
        }


def _loss_of(head: Head, batch_dice: bool, spacing: tuple[float, ...]) -> Loss:
    """Return the loss of a head, or raise PlanError if it cannot leave voxels out."""
    kind, options = LOSSES[head.loss.name], dict(head.loss.options)
    known = inspect.signature(kind).parameters
    if options.get("ignore_index") is not None and "ignore_index" not in known:
        raise PlanError(
            f"the loss {head.loss.name} of the head {head.name!r} has no option "
            "`ignore_index`, and cannot leave out what nobody annotated (`ignore`, or "
            "crowds). Choose another one (task.representation), or crop the images to "
            "what is annotated."
        )
    if options.get("partly") and "partly" not in known:
        raise PlanError(
            f"the loss {head.loss.name} of the head {head.name!r} has no option "
            "`partly`, and cannot learn from cases of which some classes only are "
            "annotated. Choose another one (task.losses), or take `annotated` out of "
            "dataset.json."
        )
    options = {k: v for k, v in options.items() if k in known or v is not None}
    if "spacing" in known:
        options.setdefault("spacing", spacing)
    made: Loss = kind(batch_dice=batch_dice, **options)
    return made


def on_outputs(target: Tensor, stride: Sequence[int]) -> Tensor:
    """Return a target of points in outputs that are several voxels long.

    Parameters
    ----------
    target : Tensor, shape (B, L, D + 1)
        In voxels; see `PointLoss.forward`.
    stride : sequence of int, length D
        How many voxels an output is long; empty: one.

    Returns
    -------
    Tensor, shape (B, L, D + 1)
        The first output begins where the first voxel does.
    """
    if all(step == 1 for step in stride):
        return target
    steps = target.new_tensor(stride)
    places = (target[..., :-1] + 0.5) / steps - 0.5
    return torch.cat((places, target[..., -1:]), dim=-1)


def loss_of_points(
    loss: PointLoss, logits: Tensor | LateLogits, target: Tensor
) -> Tensor:
    """Return the loss of landmarks; memory does not grow with their number.

    Logits that are made late are made, compared and forgotten some at a time, and once
    more for their gradients.

    Parameters
    ----------
    loss : PointLoss
        Its sum is over landmarks, one by one.
    logits : Tensor or LateLogits, shape (B, L, *P)
        Outputs.
    target : Tensor, shape (B, L, D + 1)
        See `PointLoss.forward`.

    Returns
    -------
    Tensor
        A scalar, that of ``loss(logits, target)``.
    """
    if isinstance(logits, Tensor):
        result: Tensor = loss(logits, target)
        return result
    late = logits

    def part(features: Tensor, first: int, last: int) -> Tensor:
        some = late.part(first, last, features)
        return loss.summed(some, target[:, first:last])

    total = target.new_zeros(())
    for first in range(0, late.channels, AT_ONCE):
        last = min(first + AT_ONCE, late.channels)
        if late.channels <= AT_ONCE:
            total = total + part(late.features, first, last)
        else:
            total = total + checkpoint(
                part, late.features, first, last, use_reentrant=False
            )
    return loss.averaged(total, target)
