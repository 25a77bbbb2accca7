"""The loss of a batch and its gradients, on a CPU by threads that share the batch.

Legend: B batch, C channels, P patch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from autoseg.networks.base import LateLogits, Outputs
from autoseg.train.loop.taught import Judge
from autoseg.train.setup.hardware import Hardware

Learned = Tensor | dict[str, Tensor]
LEAST_BALANCE = 0.9  # of the threads that have work, on average over a step
# Layers that mix the samples of a batch, or draw random numbers in the order of calls.
MIXING = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


class Gradients:
    """Leave the gradients of a batch in the network's parameters.

    On a CPU, threads take a part of the batch each, forward and backward, and meet
    twice in a step: for the loss, which is that of the whole batch, and at the end.
    Threads that share every operation instead, as OpenMP's do, meet hundreds of times,
    and each time all wait for the one that a busy neighbor keeps from its core. The
    gradients are added in the order of the parts, so that the sum does not depend on
    who was first.

    Parameters
    ----------
    network : Module
        Gives a mapping of heads to logits.
    criterion : Judge
        Gives the loss.
    hardware : Hardware
        Device, precision and threads.
    batch_size : int
        B, of every batch to come, as far as it is here.
    """

    def __init__(
        self,
        network: nn.Module,
        criterion: Judge,
        hardware: Hardware,
        batch_size: int,
    ) -> None:
        self.network = network
        self.criterion = criterion
        self.hardware = hardware
        self.parts = 1
        if hardware.device.type == "cpu" and not mixes(network):
            self.parts = count_parts(batch_size, hardware.threads)
        self.ranks = hardware.ranks
        self._pool: ThreadPoolExecutor | None = None
        self._parameters = [p for p in network.parameters() if p.requires_grad]

    def __call__(
        self, images: Tensor, learned: Learned, scaler: torch.amp.GradScaler
    ) -> Tensor:
        """Return the loss, a scalar on its device, and set each ``grad``.

        Both are those of the whole batch, of which other processes may have a share.

        Parameters
        ----------
        images : Tensor, shape (B, C, *P)
            On the network's device.
        learned : Tensor of int, shape (B, *P), or dict of str to Tensor
            Inner annotation, or the target of each head.
        scaler : GradScaler
            Scales the gradients of fp16.

        Returns
        -------
        Tensor
            Detached.
        """
        for parameter in self._parameters:
            parameter.grad = None
        loss = self._of_share(images, learned, scaler)
        self.ranks.add(self._parameters)
        return loss

    def _of_share(
        self, images: Tensor, learned: Learned, scaler: torch.amp.GradScaler
    ) -> Tensor:
        """Set each gradient by the samples that are here."""
        if self.parts == 1:
            loss: Tensor = self.criterion(self._forward(images), learned)
            scaler.scale(loss).backward()
            return loss.detach()
        edges = [round(i * len(images) / self.parts) for i in range(self.parts + 1)]
        pieces = [images[a:b] for a, b in zip(edges, edges[1:], strict=False)]
        outputs = list(self._threads().map(self._forward, pieces))
        leaves, whole = _joined(outputs)
        loss = self.criterion(whole, learned)
        loss.backward()
        slopes = [
            [None if leaf.grad is None else leaf.grad[a:b] for leaf in leaves]
            for a, b in zip(edges, edges[1:], strict=False)
        ]
        found = list(self._threads().map(self._backward, outputs, slopes))
        for index, parameter in enumerate(self._parameters):
            # Of late logits, the loss itself has left a gradient of the last layer.
            gradients = [parameter.grad, *(part[index] for part in found)]
            parameter.grad = _sum(gradients)
        return loss.detach()

    def _forward(self, images: Tensor) -> Outputs:
        with self.hardware.autocast():
            outputs: Outputs = self.network(self.hardware.arrange(images))
        return outputs

    def _backward(
        self, outputs: Outputs, slopes: Sequence[Tensor | None]
    ) -> Sequence[Tensor | None]:
        """Return the gradient of each parameter from those of the outputs."""
        pairs = zip(_flat(outputs), slopes, strict=True)
        used = [(out, slope) for out, slope in pairs if slope is not None]
        # Not backward(): it would add to `grad`, and who comes first is chance.
        return torch.autograd.grad(
            [out for out, _ in used],
            self._parameters,
            [slope for _, slope in used],
            allow_unused=True,
        )

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(
                self.parts,
                "autoseg-step",
                initializer=torch.set_num_threads,
                initargs=(max(1, self.hardware.threads // self.parts),),
            )
        return self._pool

    def close(self) -> None:
        """Let the threads go; they come back when they are needed."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


def _flat(outputs: Outputs) -> list[Tensor]:
    """Return logits of all heads and levels in one list; of late ones, features."""
    found: list[Tensor] = []
    for levels in outputs.values():
        if isinstance(levels, LateLogits):
            found.append(levels.features)
        else:
            found += [levels] if isinstance(levels, Tensor) else levels
    return found


def _joined(parts: Sequence[Outputs]) -> tuple[list[Tensor], Outputs]:
    """Return the logits of the whole batch as leaves: in a list, and as an output."""
    leaves = [
        _batch([logits.detach() for logits in same]).requires_grad_()
        for same in zip(*(_flat(part) for part in parts), strict=True)
    ]
    remaining = iter(leaves)
    whole: dict[str, Any] = {}
    for name, levels in parts[0].items():
        if isinstance(levels, LateLogits):
            whole[name] = replace(levels, features=next(remaining))
        elif isinstance(levels, Tensor):
            whole[name] = next(remaining)
        else:
            whole[name] = [next(remaining) for _ in levels]
    return leaves, whole


def _batch(parts: Sequence[Tensor]) -> Tensor:
    """Return parts of a batch as one, channels first, as losses go through them."""
    first = parts[0]
    shape = (sum(len(part) for part in parts), *first.shape[1:])
    whole = first.new_empty(shape)
    return torch.cat(list(parts), out=whole)


def _sum(gradients: Sequence[Tensor | None]) -> Tensor | None:
    total: Tensor | None = None
    for gradient in gradients:
        if gradient is not None:
            total = gradient if total is None else total + gradient
    return total


def mixes(network: nn.Module) -> bool:
    """Say whether an output depends on other samples of the batch, or on chance."""
    return any(
        isinstance(layer, MIXING) and getattr(layer, "p", 1.0) > 0
        for layer in network.modules()
    )


def count_parts(batch_size: int, threads: int) -> int:
    """Return in how many parts a batch is divided.

    As many as there are threads, or as few fewer as it takes to keep them evenly busy;
    threads that are left over are shared out among the parts.

    Parameters
    ----------
    batch_size : int
        B.
    threads : int
        There to be used.

    Returns
    -------
    int
        1 to ``min(batch_size, threads)``.

    Examples
    --------
    >>> count_parts(2, 2), count_parts(2, 16), count_parts(3, 2), count_parts(49, 4)
    (2, 2, 1, 4)
    """
    for parts in range(min(batch_size, threads), 1, -1):
        rounds = math.ceil(batch_size / parts)
        used = parts * (threads // parts) / threads
        if batch_size / (parts * rounds) * used >= LEAST_BALANCE:
            return parts
    return 1
