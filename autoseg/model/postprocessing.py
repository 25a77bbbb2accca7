"""What is done to a prediction after the network: rules for each class, as JSON.

They are applied in this order: outputs smoothed where the image is (a field of all
classes together), a threshold in place of the plain decision, holes filled, small or
all but the largest component removed. Components touch by faces, edges or corners.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import PlanError
from autoseg.geometry.mapped import in_rows, is_mapped, let_go, zeros
from autoseg.geometry.slabs.components import (
    SLAB,
    Components,
    connected,
    numbered_sizes,
)
from autoseg.geometry.slabs.holes import fill
from autoseg.model.dense_crf import DenseCrf
from autoseg.spec.json import from_json
from autoseg.tasks.base import Task

Array = NDArray[Any]

PLAIN = 0.5  # the threshold that changes nothing


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What is done to one class.

    Parameters
    ----------
    threshold : float
        Over 0 and under 1. Of a region: its output must be over it. Of a class: its
        output is weighed against the background's as if it needed this share of both,
        so that 0.5 leaves the most probable class. Voxels where another class of the
        foreground is more probable stay as they are.
    fill_holes : bool
        Fill background that the class encloses.
    minimum_size : float
        Remove components smaller than this, in the unit of the spacing to the D.
    largest_component : bool
        Remove all components but the largest.
    """

    threshold: float = PLAIN
    fill_holes: bool = False
    minimum_size: float = 0.0
    largest_component: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise PlanError(f"the threshold {self.threshold} is not between 0 and 1")
        if not self.minimum_size >= 0:
            raise PlanError(f"the minimum size {self.minimum_size} is below 0")

    @property
    def looks_at_components(self) -> bool:
        """Whether it removes components."""
        return self.largest_component or self.minimum_size > 0


@dataclass(frozen=True, kw_only=True)
class Postprocessing:
    """What is done to predictions of a model.

    Parameters
    ----------
    classes : mapping of str to Rule
        By class; those that are not named stay as they are.
    task : mapping of str to JSON value
        Options of the task that replace the plan's: how instances are decoded, or which
        confidence makes a landmark present.
    crf : DenseCrf or None
        What changes the outputs before anything is decided.
    """

    classes: Mapping[str, Rule] = field(default_factory=dict)
    task: Mapping[str, Any] = field(default_factory=dict)
    crf: DenseCrf | None = None

    @classmethod
    def from_json(cls, raw: Any, where: str) -> Postprocessing:
        """Build it from JSON values; raises PlanError with every fault at once."""
        return from_json(cls, raw, where)

    @property
    def thresholds(self) -> dict[str, float]:
        """The thresholds that change something, by class."""
        return {
            name: rule.threshold
            for name, rule in self.classes.items()
            if rule.threshold != PLAIN
        }

    def finish(self, labels: Array, task: Task, spacing: Sequence[float]) -> Array:
        """Fill holes and remove components.

        Parameters
        ----------
        labels : ndarray of int, shape S
            Inner labels; changed in place. Of what is in a file, some rows after the
            other.
        task : Task
            Of label maps; says which labels make up a class.
        spacing : sequence of float, length D
            Edge of a voxel.

        Returns
        -------
        ndarray of int, shape S
            ``labels``.
        """
        for name, rule in self.classes.items():
            if not (rule.fill_holes or rule.looks_at_components):
                continue
            members = members_of(task, name)
            if is_mapped(labels):
                ruled = _Ruled(rule, members, value_of(task, name), math.prod(spacing))
                ruled.finish(labels)
                continue
            box = box_of(np.isin(labels, members))
            if box is None:
                continue
            part = labels[box]
            mask = np.isin(part, members)
            if rule.fill_holes:
                holes = filled(mask) & (part == 0)
                part[holes] = value_of(task, name)
                mask |= holes
            if rule.looks_at_components:
                part[mask & ~kept(mask, rule, math.prod(spacing))] = 0
        return labels

    def finish_in_file(
        self, found: Array, task: Task, spacing: Sequence[float]
    ) -> Array:
        """Do it to a map with values as in files that is in a file itself, in place."""
        inner = zeros(found.shape, np.int16)
        for rows, part in in_rows(found):
            inner[rows] = task.read(part)
            let_go(inner)
        self.finish(inner, task, spacing)
        for rows, part in in_rows(inner):
            found[rows] = task.write(part)
            let_go(found)
        return found


@dataclass(frozen=True)
class _Ruled:
    """What a rule does to a class of a label map that is in a file.

    Parameters
    ----------
    rule : Rule
        The rule.
    members : tuple of int
        Labels that make up the class.
    value : int
        The label that holes get.
    voxel : float
        Volume of a voxel.
    """

    rule: Rule
    members: tuple[int, ...]
    value: int
    voxel: float

    def finish(self, labels: Array) -> None:
        """Do it, in place; slabs make no difference."""
        mask = self._copy(labels)
        if self.rule.fill_holes:
            whole = self._copy(labels)
            fill(whole)
            for rows, part in in_rows(labels, SLAB):
                holes = whole[rows] & (part == 0)
                part[holes] = self.value
                mask[rows] |= holes
                let_go(whole)
        if self.rule.looks_at_components:
            self._remove(labels, mask)

    def _copy(self, labels: Array) -> NDArray[np.bool_]:
        """Return where the class is, in a file of its own."""
        mask = zeros(labels.shape, np.bool_)
        for rows, part in in_rows(labels, SLAB):
            mask[rows] = np.isin(part, self.members)
            let_go(mask)
        return mask

    def _remove(self, labels: Array, mask: NDArray[np.bool_]) -> None:
        """Set components that do not stay to 0."""
        slabs = (part for _, part in in_rows(mask, SLAB))
        numbers, sizes = numbered_sizes(slabs, mask.ndim)
        stays = np.zeros(len(sizes), bool)
        stays[list(chosen(sizes[1:], self.rule, self.voxel))] = True
        again = Components(mask.ndim, diagonal=True)
        for rows, part in in_rows(mask, SLAB):
            found, mine = again.label(part)
            table = np.concatenate([[True], stays[numbers[mine]]])
            labels[rows][~table[found]] = 0
            let_go(labels)


def members_of(task: Any, name: str) -> tuple[int, ...]:
    """Return the inner labels that make up a class."""
    members: tuple[int, ...] = tuple(task.members(name))
    return members


def value_of(task: Any, name: str) -> int:
    """Return the inner label that a class is painted with."""
    decides = task.pointwise
    if decides is None or decides.painted is None:
        return members_of(task, name)[0]
    return int(decides.painted[list(task.classes).index(name)])


def box_of(mask: NDArray[np.bool_]) -> tuple[slice, ...] | None:
    """Return the box around a mask; None of an empty one."""
    box = []
    for axis in range(mask.ndim):
        others = tuple(i for i in range(mask.ndim) if i != axis)
        places = np.flatnonzero(mask.any(axis=others))
        if not len(places):
            return None
        box.append(slice(int(places[0]), int(places[-1]) + 1))
    return tuple(box)


def filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask with its holes: background that no path by faces leads out of."""
    from scipy.ndimage import binary_fill_holes

    found: NDArray[np.bool_] = binary_fill_holes(mask)
    return found


def components(mask: NDArray[np.bool_]) -> tuple[Array, NDArray[np.int64]]:
    """Return the number of the component of each voxel, and voxels of each.

    Parameters
    ----------
    mask : ndarray of bool, shape S
        A class.

    Returns
    -------
    numbers : ndarray of int, shape S
        0 outside of the mask; otherwise in the order in which a walk along the last
        axis meets them, however the mask lies in memory.
    sizes : ndarray of int64
        Voxels of component 1, 2, ...
    """
    numbers = connected(mask)
    return numbers, np.bincount(numbers.ravel())[1:]


def chosen(sizes: NDArray[np.int64], rule: Rule, voxel: float) -> tuple[int, ...]:
    """Return the numbers of the components that stay; of equal ones the first."""
    numbers = np.flatnonzero(sizes * voxel >= rule.minimum_size) + 1
    if rule.largest_component and len(numbers):
        numbers = numbers[[int(np.argmax(sizes[numbers - 1]))]]
    return tuple(int(number) for number in numbers)


def kept(mask: NDArray[np.bool_], rule: Rule, voxel: float = 1.0) -> NDArray[np.bool_]:
    """Return the components of a mask that a rule leaves.

    Parameters
    ----------
    mask : ndarray of bool, shape S
        A class.
    rule : Rule
        Which stay.
    voxel : float
        Volume of a voxel.

    Returns
    -------
    ndarray of bool, shape S
        Inside ``mask``.
    """
    numbers, sizes = components(mask)
    table = np.zeros(len(sizes) + 1, dtype=bool)
    table[list(chosen(sizes, rule, voxel))] = True
    return np.asarray(table[numbers])
