"""How good a network is on a few validation patches: cheap, for the log only.

Legend: B batch, K classes, P patch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from autoseg.tasks.base import Task
from autoseg.train.data.loader import Batch, Loader
from autoseg.train.loop.criterion import Criterion
from autoseg.train.setup.hardware import Hardware


class PatchScore:
    """Loss and pooled Dice on the same validation patches each time.

    Predictions of patches are no predictions of cases: the numbers say whether a
    training goes well, and not how good the model will be.

    Parameters
    ----------
    task : Task
        Whose heads are scored.
    criterion : Criterion
        Gives the loss.
    hardware : Hardware
        As in training.
    loader : Loader
        Of validation cases, without augmentation.
    batches : int
        How many batches are looked at.
    """

    def __init__(
        self,
        task: Task,
        criterion: Criterion,
        hardware: Hardware,
        loader: Loader,
        batches: int,
    ) -> None:
        self.task = task
        self.criterion = criterion
        self.hardware = hardware
        self.loader = loader
        self.batches = batches

    def __call__(self, network: nn.Module) -> dict[str, Any]:
        """Return ``validation_loss`` and, for classes, ``dice`` and ``score``.

        ``score`` is what the best weights are chosen by: the mean Dice over the
        classes, or the negative loss where a task has no classes.
        """
        if not self.batches:
            return {}
        groups = _groups(self.task)
        losses: dict[int, Tensor] = {}
        counts = torch.zeros((len(groups), 3), dtype=torch.float64)
        for number, batch in self._shared_out():
            with self.hardware.autocast():
                outputs = network(self.hardware.arrange(batch.images))
            losses[number] = self.criterion(outputs, batch.learned).float()
            if groups and batch.labels is not None:
                logits = _finest(outputs[self.task.heads[0].name])
                counts += count_overlap(self.task, logits, batch.labels, groups)
        loss = self._mean(losses)
        counts = self._total(counts)
        numbers: dict[str, Any] = {"validation_loss": round(loss, 5)}
        if not groups:
            return numbers | {"score": -loss}
        both = (counts[:, 1] + counts[:, 2]).tolist()
        dice = {
            name: round(2 * float(counts[i, 0]) / both[i], 4) if both[i] else None
            for i, name in enumerate(groups)
        }
        found = [value for value in dice.values() if value is not None]
        score = sum(found) / len(found) if found else None
        return numbers | {"dice": dice, "score": score}

    def _shared_out(self) -> Iterator[tuple[int, Batch]]:
        """Yield whole batches with their numbers: all, or this process's share."""
        for number in self.hardware.ranks.of(range(self.batches)):
            for batch in self.loader.batches(number, number + 1):
                yield number, batch

    def _mean(self, losses: Mapping[int, Tensor]) -> float:
        """Return the mean of the losses of all batches, some of which are here."""
        found = [float(losses.get(number, 0.0)) for number in range(self.batches)]
        return float(torch.tensor(self.hardware.ranks.sums(found)).mean())

    def _total(self, counts: Tensor) -> Tensor:
        found = self.hardware.ranks.sums(counts.flatten().tolist())
        return torch.tensor(found, dtype=torch.float64).reshape(counts.shape)


def _finest(output: Tensor | Sequence[Tensor]) -> Tensor:
    return output if isinstance(output, Tensor) else output[0]


def _groups(task: Task) -> dict[str, tuple[int, ...]]:
    """Return the inner values of each foreground class, where a task has classes."""
    members = {name: task.members(name) for name in task.classes}
    return {name: values for name, values in members.items() if values}


def count_overlap(
    task: Task, logits: Tensor, labels: Tensor, groups: dict[str, tuple[int, ...]]
) -> Tensor:
    """Return voxels in both, predicted, and annotated, for each class.

    Parameters
    ----------
    task : Task
        Its first head says what logits mean.
    logits : Tensor, shape (B, K, *P)
        Of the first head.
    labels : Tensor of int, shape (B, *P)
        Inner labels.
    groups : dict of str to tuple of int
        Inner values of each class, in the order of channels.

    Returns
    -------
    Tensor of float64, shape (classes, 3)
        On the CPU.
    """
    sigmoid = task.heads[0].activation == "sigmoid"
    chosen = None if sigmoid else logits.argmax(1)
    rows = []
    for channel, (name, members) in enumerate(groups.items()):
        values, silent = (
            torch.tensor(some, device=labels.device, dtype=labels.dtype)
            for some in (members, task.unknown_values(name))
        )
        counted = ~torch.isin(labels, silent)
        annotated = torch.isin(labels, values) & counted
        if chosen is None:
            predicted = (logits[:, channel] > 0) & counted
        else:
            predicted = torch.isin(chosen, values.to(chosen.dtype)) & counted
        both = predicted & annotated
        rows.append(torch.stack([x.sum() for x in (both, predicted, annotated)]))
    return torch.stack(rows).double().cpu()
