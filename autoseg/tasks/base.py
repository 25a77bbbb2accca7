"""The interface of a task: what an annotation means."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import DatasetError
from autoseg.spec.arrays.overlaps import Shares
from autoseg.spec.choice import Decision
from autoseg.spec.dataset import Dataset
from autoseg.spec.head import Head, OutputStage, Pointwise
from autoseg.spec.points import Points

__all__ = ["Head", "OutputStage", "Pointwise", "Task"]

Array = NDArray[Any]


class Task(ABC):
    """How an annotation becomes a target, and an output an annotation again.

    A task is NumPy only, so that planning and scoring run without torch: it names its
    losses and does not import them. It is made from the options in the plan:
    ``autoseg.tasks.make_task(plan.task)``.

    Attributes
    ----------
    kind : str
        What an annotation is: ``"labels"`` (an integer array of shape S),
        ``"instances"`` (`autoseg.spec.instances.Instances`) or ``"points"``
        (`autoseg.spec.points.Points`). Each stage has one file for each.
    decode_margin : int or None
        None: annotations are no `Instances`. Otherwise how far beyond an object
        `decode` looks, in voxels. Large images are decoded in blocks: an object that
        stays so far away from the end of what `decode` is given has to come out as it
        would from the whole.
    score_options : tuple of str
        What `score` can be told beside annotations and spacing.
    learns_map : bool
        The losses are given the map that is `stored` itself. Otherwise they are given
        what `targets` makes of it, patch by patch, after augmentation.
    learns_points : bool
        No map is stored but `autoseg.spec.points.Points`: the losses are given places
        and status, moved by augmentation, and are losses of points. Such outputs are
        read at one resolution, which may be coarser than the patch, and some channels
        at a time (`autoseg.spec.head.AT_ONCE`).
    sturdy : bool
        What `decode` gives hardly changes with the last digits of outputs: prediction
        computes in half precision where the processor does, takes fewer windows, and
        leaves mirrored copies out (all but one in volumes) unless they are asked for.
    wanted_steps : int
        Iterations of four samples, or what is planned if it is fewer, that a short
        training should have: with a time budget, the widest network is taken that gets
        them, or as many samples in smaller batches.
    trials : int
        Cases, at most, that the fingerprint looks at a second time (`trial`).
    settable : tuple of str
        Options that a user may fix before `configure`, by ``--set task.OPTION=...``.
    decoders : tuple of str
        Ways to read predictions off outputs that a user may choose among when a trained
        model predicts: values of the option ``decoder``.
    needs_all : bool
        What a thing is depends on where the others are: one patch has to hold all that
        is annotated, and the grid is made coarser until it does. The fingerprint's
        numbers then say its ``extent``.
    no_slices : str
        Why slices of a volume are not enough to learn from, so that no 2-D
        configuration is planned for volumes; empty: they are.
    fine_reach : float
        Where the grid that holds everything is coarse, a fine stage looks again at the
        places that the first one finds: how far from the middle of its patch they may
        be, as a share of its edge. 0: there is no fine stage.
    values : sequence of int
        Label values in files, in ascending order, without the ignored one; empty where
        annotations are not made of label values.
    ignore : int or None
        Value in files, or number of the class, of what nobody annotated.
    mirror_axes : tuple of int, or None
        Axes of the image along which it may be mirrored; None: all but those of
        `sided`.
    """

    score_options: ClassVar[tuple[str, ...]] = ()
    kind: ClassVar[str] = "labels"
    decode_margin: ClassVar[int | None] = None
    learns_map: ClassVar[bool] = True
    sturdy: ClassVar[bool] = False
    wanted_steps: ClassVar[int] = 1_000  # docs/benchmarks.md: what more and fewer reach
    trials: ClassVar[int] = 0
    settable: ClassVar[tuple[str, ...]] = ()
    decoders: ClassVar[tuple[str, ...]] = ()
    learns_points: ClassVar[bool] = False
    needs_all: ClassVar[bool] = False
    no_slices: ClassVar[str] = ""
    fine_reach: ClassVar[float] = 0.0
    values: Sequence[int] = ()
    ignore: int | None = None
    mirror_axes: tuple[int, ...] | None = None

    @classmethod
    @abstractmethod
    def from_dataset(cls, dataset: Dataset) -> dict[str, Any]:
        """Return the options that dataset.json gives, or raise DatasetError."""

    @classmethod
    def faults(cls, dataset: Dataset) -> list[str]:
        """Return why training would be vain, sentence by sentence; not of models."""
        return []

    @classmethod
    def configure(
        cls, options: Mapping[str, Any], measured: Mapping[str, Any]
    ) -> tuple[dict[str, Any], tuple[Decision, ...]]:
        """Return the options of the plan, with reasons.

        Parameters
        ----------
        options : mapping
            What `from_dataset` gave.
        measured : mapping
            The pooled measurements of the fingerprint (`pool`).
        """
        return dict(options), ()

    @classmethod
    def fitting_spacing(
        cls, spacing: Sequence[float], measured: Mapping[str, Any]
    ) -> tuple[list[float] | None, tuple[Decision, ...]]:
        """Return a spacing in which the network sees the annotated things well.

        Parameters
        ----------
        spacing : sequence of float, length D
            What the planner would take.
        measured : mapping
            The pooled measurements of the fingerprint.

        Returns
        -------
        spacing : list of float, or None
            None: take it as it is.
        decisions : tuple of Decision
            Why.
        """
        return None, ()

    @classmethod
    def sided(cls, measured: Mapping[str, Any]) -> dict[int, str]:
        """Return axes along which mirrored images are none that there could be.

        Parameters
        ----------
        measured : mapping
            The pooled measurements of the fingerprint.

        Returns
        -------
        dict of int to str
            By axis of the image: why. Of the others nothing is known.
        """
        return {}

    @property
    @abstractmethod
    def heads(self) -> tuple[Head, ...]:
        """The outputs a network needs for this task."""

    @property
    def pointwise(self) -> Pointwise | None:
        """How `decode` decides, if by single voxels; None if it looks around."""
        return None

    @property
    def voxel_head(self) -> Head:
        """The head of `pointwise`; raises ValueError where `decode` looks around."""
        found = [
            h for h in self.heads if self.pointwise and h.name == self.pointwise.head
        ]
        if not found:
            raise ValueError(f"{type(self).__name__} does not decide voxel by voxel")
        return found[0]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of what is told apart and scored, in order; patches center on each."""
        return ()

    def members(self, name: str) -> tuple[int, ...]:
        """Return the inner label values that make up a class.

        Empty where classes are not values of a map.
        """
        return ()

    @property
    def ignore_index(self) -> int | None:
        """Inner label value of voxels that nobody annotated, if there is one."""
        return None

    def unknown_values(self, name: str) -> tuple[int, ...]:
        """Return the inner values of stored maps that say nothing of a class."""
        return () if self.ignore_index is None else (self.ignore_index,)

    @property
    def swapped(self) -> tuple[int, ...]:
        """Which point each one is in a mirror; empty where it stays what it is."""
        return ()

    @property
    def previous_channels(self) -> int | None:
        """Channels that a stage before this one's prediction adds to the image's.

        0: a second stage looks where the first one found something, and sees no more
        than that. None: there is no second stage.
        """
        return 0 if self.fine_reach else None

    def output_stage(self, spacing: Sequence[float]) -> OutputStage | None:
        """Return the resolution that outputs should have on a grid of a spacing.

        Returns
        -------
        OutputStage or None
            None: that of the patch, and no other can be read.
        """
        return None

    @property
    def class_names(self) -> Mapping[int, str]:
        """Names of the classes of instances by number; empty without instances."""
        return {}

    def presence(self, outputs: Mapping[str, Array]) -> Array | None:
        """Return where an instance is, whether `decode` makes one of it or not.

        Parameters
        ----------
        outputs : mapping of str to ndarray, shape (C, *S)
            Activated outputs of each head.

        Returns
        -------
        ndarray of bool, shape S, or None
            None if no instance is dropped for being cut by the array's edge.
        """
        return None

    @property
    def value_names(self) -> Mapping[int, str]:
        """Names of label values in files, background left out; empty without such."""
        return {}

    @property
    def one_segment(self) -> tuple[int, ...]:
        """Numbers of classes of which an image has one segment, not objects."""
        return ()

    @property
    def planned_channels(self) -> int:
        """Channels of the last layer that the planner's memory rule counts."""
        return sum(head.drawn for head in self.heads)

    @abstractmethod
    def read(self, annotation: Any) -> Any:
        """Return a file's annotation in inner form, or raise DatasetError."""

    def partly(self, annotation: Any, annotated: Sequence[str]) -> Any:
        """Return an inner annotation knowing that it speaks of some classes only.

        Parameters
        ----------
        annotation : Any
            Of a case, in inner form.
        annotated : sequence of str
            Names of its annotated classes. What it says of others is forgotten.

        Raises
        ------
        DatasetError
            If the task cannot learn from it, or was told of other classes.
        """
        raise DatasetError(
            "the task knows no classes that may be annotated in part; take `annotated` "
            "out of dataset.json."
        )

    @abstractmethod
    def write(self, annotation: Any) -> Any:
        """Return an inner annotation as it belongs in a file; undoes `read`."""

    def stored(self, annotation: Any) -> Array | Points:
        """Return what preprocessing stores of an annotation, and augmentation moves.

        Returns
        -------
        ndarray of int, shape S, or Points
            One map in which 0 is background and -1 outside of the image; or, for a task
            that `learns_points`, points.
        """
        return np.asarray(annotation)

    def targets(
        self, labels: Array, spacing: tuple[float, ...], *shares: Shares
    ) -> dict[str, Array]:
        """Return what the loss of each head is to learn from a stored map of shape S.

        Parameters
        ----------
        labels : ndarray of int, shape S
            A patch of what `stored` gave.
        spacing : tuple of float, length D
            Edge of a voxel.
        *shares : Shares
            One, where `stored` gave a map in which values stand for several objects.

        Returns
        -------
        dict of str to ndarray
            By head: float32 (C, *S), or integers (*S) for a loss that takes labels.
        """
        return self.encode(labels, spacing)

    def for_axes(self, axes: int) -> Task:
        """Return the task as a network of so many spatial axes learns it."""
        return self

    def at_spacing(
        self, spacing: tuple[float, ...], stride: tuple[int, ...] = ()
    ) -> Task:
        """Return the task as it is learnt on a grid of this spacing.

        Parameters
        ----------
        spacing : tuple of float, length D
            Of the network's grid.
        stride : tuple of int, length D, optional
            How many voxels an output is long; by default one.
        """
        return self

    @property
    def training(self) -> Mapping[str, Any]:
        """Numbers of the training recipe that are other than for label maps."""
        return {}

    @abstractmethod
    def measure(self, annotation: Any, spacing: tuple[float, ...]) -> dict[str, Any]:
        """Return numbers of one case for the fingerprint, as JSON values."""

    @classmethod
    def turned(
        cls, measured: Mapping[str, Any], axes: Sequence[int], flips: Sequence[int]
    ) -> Mapping[str, Any]:
        """Return what `measure` gives of an annotation whose axes are turned.

        Parameters
        ----------
        measured : mapping
            Of `measure`.
        axes : sequence of int, length D
            For each axis afterwards, the one it was before.
        flips : sequence of int
            Axes afterwards that run backwards.
        """
        return measured

    @classmethod
    @abstractmethod
    def pool(cls, measurements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return a data set's numbers from those of its cases."""

    def trial(
        self, annotation: Any, spacing: tuple[float, ...], pooled: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return what a case says once the data set's numbers are known, as JSON."""
        return {}

    @classmethod
    def pool_trials(cls, trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return numbers that are added to those of `pool`."""
        return {}

    @abstractmethod
    def foreground(self, annotation: Any) -> dict[str, Array]:
        """Return where to center patches: sorted linear indices by class name."""

    @abstractmethod
    def encode(self, annotation: Any, spacing: tuple[float, ...]) -> dict[str, Array]:
        """Return the perfect output of each head, float32 of shape (C, *S)."""

    @abstractmethod
    def decode(self, outputs: Mapping[str, Array], spacing: tuple[float, ...]) -> Any:
        """Return the inner annotation that activated outputs (C, *S) stand for."""

    @property
    def tunable(self) -> Mapping[str, Sequence[Any]]:
        """Parameters of `decode` that are tuned after training: values to try."""
        return {}

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The present values of `tunable`."""
        return {}

    def with_parameters(self, parameters: Mapping[str, Any]) -> Task:
        """Return the task with other values of `tunable`."""
        return self

    def on_finer_grid(self, voxels: float) -> Task:
        """Return the task for outputs that were brought to another grid.

        Parameters
        ----------
        voxels : float
            Voxels there for each of the network's. Parameters of decoding that are
            whole numbers count voxels.
        """
        counts = {n: v for n, v in self.parameters.items() if isinstance(v, int)}
        return self.with_parameters(
            {name: max(1, round(count * voxels)) for name, count in counts.items()}
        )

    @property
    def decoding_name(self) -> str:
        """Return the name of what `tunable` are parameters of."""
        return ""

    def tuned(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of the task that have to be changed to use parameters."""
        return {}

    def adopted(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return which options of a model's task its outputs go on to mean the same by.

        Weights that a training starts from have learnt them; {}: nothing but names.
        """
        return {}

    @abstractmethod
    def score(
        self, predicted: Any, reference: Any, spacing: tuple[float, ...]
    ) -> dict[str, dict[str, float]]:
        """Return metrics of one case, by class and then by metric; NaN: not defined.

        Both annotations are in inner form. A task may take more keywords, those that
        `score_options` names.
        """

    def object_sizes(self, annotation: Any, spacing: tuple[float, ...]) -> Array:
        """Return the size of each object, in the unit of the spacing to the D.

        For tasks whose `score_options` name ``"size_limits"``.
        """
        return np.zeros(0)

    @classmethod
    @abstractmethod
    def example(cls) -> tuple[Task, Any, tuple[float, ...]]:
        """Return a tiny case for tests: task, inner annotation, spacing."""
