"""A policy's augmentations in a row: drawn on the CPU, applied where training runs.

Legend: B batch, C channels, S source shape, P patch, D axes, L points.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoseg.augmentations._policies import make_steps
from autoseg.augmentations.base import Context
from autoseg.errors import TrainingError
from autoseg.spec.annotation import OUTSIDE
from autoseg.spec.arrays.overlaps import Shares


def check_policy(text: str) -> None:
    """Raise PluginError or UsageError unless a text names a policy that can be made."""
    make_steps(text)


@dataclass(frozen=True, kw_only=True)
class Draw:
    """All random decisions of one sample.

    Parameters
    ----------
    source_shape : tuple of int, length D
        The box about the center of the patch that must be read: its lowest corner is
        ``(source - patch) // 2`` below that of the patch, along each axis. The patch
        itself if it is neither turned nor scaled.
    parameters : tuple
        Of each augmentation of the policy; None where nothing happens.
    """

    source_shape: tuple[int, ...]
    parameters: tuple[Any, ...]


@dataclass(kw_only=True)
class Sample:
    """What was read for one draw.

    Parameters
    ----------
    image : Tensor, shape (C, *S)
        Any floating dtype; S is `Draw.source_shape`.
    labels : Tensor of int, shape (*S), or None
        -1: outside of the image. None: the annotation is points.
    draw : Draw
        What is to happen.
    previous : Tensor of int, shape (*S), optional
        In a cascade, the labels that the previous stage predicted.
    points : Tensor of float, shape (L, D), optional
        In voxels of the source box.
    shares : Shares, optional
        What the values of labels mean that stand for several objects.
    """

    image: Tensor
    labels: Tensor | None
    draw: Draw
    previous: Tensor | None = None
    points: Tensor | None = None
    shares: Shares | None = None


class Pipeline:
    """The augmentations of a policy.

    Parameters
    ----------
    policy : str
        ``"nnunet"``, ``"light"`` or ``"none"``, and changes after commas; see
        `autoseg.augmentations._policies.make_steps`.
    patch_size : sequence of int, length D
        P.
    mirror_axes : sequence of int
        Axes of the patch that may be flipped.
    channels : int
        C, without those of a previous stage.
    masked_channels : sequence of int
        Channels that are 0 outside of the image's mask (labels `OUTSIDE`), as their
        normalization left them.
    previous_channels : int
        In a cascade, labels of the previous stage but the background; they follow the
        image's channels as 0/1 channels.
    """

    def __init__(
        self,
        policy: str,
        patch_size: Sequence[int],
        mirror_axes: Sequence[int] = (),
        *,
        channels: int = 1,
        masked_channels: Sequence[int] = (),
        previous_channels: int = 0,
    ) -> None:
        self.context = Context(
            patch_size=tuple(patch_size),
            channels=channels,
            mirror_axes=tuple(mirror_axes),
            previous_channels=previous_channels,
        )
        self.masked_channels = list(masked_channels)
        self.steps = make_steps(policy)

    def draw(self, rng: np.random.Generator) -> Draw:
        """Return all random decisions of a sample.

        Parameters
        ----------
        rng : numpy.random.Generator
            The sample's own; the same state gives the same draw.

        Returns
        -------
        Draw
            Small and immutable.
        """
        parameters = tuple(step.draw(rng, self.context) for step in self.steps)
        shape = self.context.patch_size
        for step, drawn in zip(self.steps[::-1], parameters[::-1], strict=True):
            if drawn is not None:
                shape = step.source_shape(drawn, shape)
        return Draw(source_shape=shape, parameters=parameters)

    def apply(
        self, samples: Sequence[Sample], device: torch.device
    ) -> tuple[Tensor, Tensor | None]:
        """Return a batch.

        Parameters
        ----------
        samples : sequence of Sample, length B
            Left as they are. May be called from several threads at once.
        device : torch.device
            Where to compute.

        Returns
        -------
        images : Tensor of float32, shape (B, C, *P)
            With the channels of a previous stage last.
        labels : Tensor of int16 or, if a sample has them, int32, shape (B, *P), or None
            0 where nothing was read. None if the samples have points.

        Raises
        ------
        TrainingError
            If a sample does not have the shape that its draw asked for.
        """
        patch = self.context.patch_size
        channels = self.context.channels + self.context.previous_channels
        images = torch.empty((len(samples), channels, *patch), device=device)
        read = [sample.labels for sample in samples if sample.labels is not None]
        labels = None
        if read:
            shape = (len(samples), *patch)
            labels = torch.empty(shape, dtype=_kind(read), device=device)
        for number, sample in enumerate(samples):
            self._check(sample)
            to_labels = None if labels is None else labels[number]
            self._apply_one(sample, images[number], to_labels)
        return images, labels

    def _apply_one(
        self, sample: Sample, to_image: Tensor, to_labels: Tensor | None
    ) -> None:
        """Write one sample's patch, on the device where it is to go."""
        device = to_image.device
        image = sample.image.to(device, torch.float32, non_blocking=True)
        maps = [one for one in (sample.labels, sample.previous) if one is not None]
        kind = _kind(maps)
        maps = [one.to(device, kind, non_blocking=True) for one in maps]
        drawn = [
            (step, parameters)
            for step, parameters in zip(self.steps, sample.draw.parameters, strict=True)
            if parameters is not None
        ]
        for step, parameters in drawn:
            image, maps = step.together(image, maps, parameters)
        count = self.context.channels
        to_image[:count] = image
        if to_labels is None:
            return
        if self.masked_channels:
            to_image[self.masked_channels] *= maps[0] != OUTSIDE
        to_labels.copy_(maps[0]).masked_fill_(maps[0] == OUTSIDE, 0)
        if sample.previous is not None:
            masks = torch.stack(
                [maps[1] == k + 1 for k in range(self.context.previous_channels)]
            )
            for step, parameters in drawn:
                masks = step.previous(masks, parameters)
            to_image[count:] = masks

    def move_points(self, sample: Sample) -> Tensor:
        """Return where a sample's points (L, D) are in the patch, in voxels."""
        if sample.points is None:
            raise TrainingError("the sample has no points to move.")
        points = sample.points
        for step, parameters in zip(self.steps, sample.draw.parameters, strict=True):
            if parameters is not None:
                points = step.points(points, parameters)
        return points

    def mirrors(self, draw: Draw) -> bool:
        """Return whether a draw makes a mirror image, where left and right swap."""
        pairs = zip(self.steps, draw.parameters, strict=True)
        return sum(p is not None and step.mirrors(p) for step, p in pairs) % 2 == 1

    def _check(self, sample: Sample) -> None:
        source = sample.draw.source_shape
        wanted = (self.context.channels, *source)
        labels = source if sample.labels is None else tuple(sample.labels.shape)
        if tuple(sample.image.shape) != wanted or labels != source:
            raise TrainingError(
                f"Augmentation got an image of shape {tuple(sample.image.shape)} and "
                f"labels of shape {labels}; the draw asked for {wanted} and {source}."
            )
        if (sample.previous is None) == (self.context.previous_channels > 0):
            raise TrainingError(
                "A cascade needs the previous stage's labels for every sample, and "
                "nothing else may have them; predict the previous stage first."
            )


def _kind(maps: Iterable[Tensor]) -> torch.dtype:
    """Return the type of label maps together: int16, or int32 if one of them is."""
    wide = any(one.dtype in (torch.int32, torch.int64) for one in maps)
    return torch.int32 if wide else torch.int16
