"""Instance segmentation: every object has an id of its own, and a class."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import DatasetError
from autoseg.geometry.mapped import in_rows, let_go, zeros
from autoseg.representations import make_representation
from autoseg.representations.base import Representation
from autoseg.spec.annotation import IGNORED
from autoseg.spec.arrays.overlaps import Shares
from autoseg.spec.choice import Decision
from autoseg.spec.dataset import Dataset
from autoseg.spec.head import Head
from autoseg.spec.instances import Instances, as_instances
from autoseg.tasks import TASKS
from autoseg.tasks.base import Array, Task
from autoseg.tasks.instance.decoding import Meaning, decode
from autoseg.tasks.instance.encoding import encoded, layers_of, targets_of
from autoseg.tasks.instance.heads import heads_of
from autoseg.tasks.instance.ids import places_of, whole_ids
from autoseg.tasks.instance.stored import arranged, class_index, packed, unpacked
from autoseg.tasks.losses import losses_of

DECODE_MARGIN = 8  # voxels: gaps that decoders bridge, and widths that they smooth over


@TASKS.register
class InstanceTask(Task):
    """Tell objects apart, and say of which class each one is.

    In files, an annotation is an integer array of ids; the inner form is `Instances`.
    What is stored and augmented is one map whose values tell both, see
    `autoseg.tasks.instance.stored`.

    Parameters
    ----------
    labels : mapping of str to int
        Number of each class of objects, from 1.
    stuff : mapping of str to int, optional
        Numbers of classes that are no objects: all of one is one segment.
    representation : str or mapping, optional
        A file in ``autoseg/representations``; or its ``name`` and ``options``.
    axes : int
        Number of spatial axes of the images.
    network_axes : int, optional
        Number of spatial axes that the network sees; by default all.
    ignore : int, optional
        Number of the class, or value in maps of ids, of what nobody annotated.
    ignored : bool
        Annotations have such voxels (COCO's crowds are such, too), and losses leave
        them out.
    losses : mapping, optional
        By head, the loss that it is trained with; see `autoseg.tasks.losses`.
    """

    learns_map = False
    kind = "instances"
    score_options = ("border", "size_limits")
    decode_margin = DECODE_MARGIN
    sturdy = True
    trials = 50
    settable = ("representation", "losses")

    def __init__(
        self,
        labels: Mapping[str, int],
        stuff: Mapping[str, int] | None = None,
        representation: str | Mapping[str, Any] | None = None,
        axes: int = 2,
        network_axes: int | None = None,
        ignore: int | None = None,
        ignored: bool = False,
        losses: Mapping[str, Any] | None = None,
    ) -> None:
        self.labels = dict(labels)
        self.stuff = dict(stuff or {})
        self.ignore, self.ignored = ignore, ignored
        self.losses = losses_of(losses)
        self.axes = axes
        self.network_axes = network_axes or axes
        chosen = representation or "flow_distance"
        self._choice: dict[str, Any] = (
            {"name": chosen} if isinstance(chosen, str) else dict(chosen)
        )
        self._options: dict[str, Any] = {
            "labels": self.labels,
            "stuff": self.stuff,
            "representation": self._choice,
            "axes": axes,
            **({} if ignore is None else {"ignore": ignore}),
            **({"ignored": True} if ignored else {}),
            **({} if losses is None else {"losses": losses}),
        }

    @classmethod
    def from_dataset(cls, dataset: Dataset) -> dict[str, Any]:
        from autoseg.tasks.instance.labels import options_from_dataset

        return options_from_dataset(dataset)

    @classmethod
    def configure(
        cls, options: Mapping[str, Any], measured: Mapping[str, Any]
    ) -> tuple[dict[str, Any], tuple[Decision, ...]]:
        from autoseg.tasks.instance.choice import choose

        return choose(options, measured)

    @classmethod
    def fitting_spacing(
        cls, spacing: Sequence[float], measured: Mapping[str, Any]
    ) -> tuple[list[float] | None, tuple[Decision, ...]]:
        from autoseg.tasks.instance.choice import fit_spacing

        return fit_spacing(spacing, measured)

    @property
    def representation(self) -> Representation:
        """The maps that stand for instances."""
        return make_representation(self._choice, self.network_axes)

    @property
    def numbers(self) -> dict[str, int]:
        """Number of each class, objects first."""
        return {**self.labels, **self.stuff}

    @property
    def class_names(self) -> dict[int, str]:
        return {number: name for name, number in self.numbers.items()}

    @property
    def one_segment(self) -> tuple[int, ...]:
        return tuple(self.stuff.values())

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.numbers)

    def for_axes(self, axes: int) -> Task:
        return InstanceTask(**self._options, network_axes=axes)

    @functools.cached_property
    def heads(self) -> tuple[Head, ...]:
        own, kinds = self.representation.heads, len(self.numbers)
        return heads_of(own, kinds, self.ignored, self.losses)

    @property
    def ignore_index(self) -> int | None:
        """Value of what nobody annotated in maps, and in targets that are labels."""
        return IGNORED if self.ignored else None

    # Files and the stored map ---------------------------------------------------------

    def read(self, annotation: Any) -> Instances:
        given = isinstance(annotation, Instances)
        found = annotation if given else as_instances(whole_ids(annotation))
        known = set(self.numbers.values())
        only = next(iter(self.labels.values()), 1)
        classes = {}
        for i in found.ids:
            classes[i] = found.classes.get(i, only)
            if classes[i] not in known:
                raise DatasetError(
                    f"instance {i} has class {classes[i]}; dataset.json knows "
                    f"{', '.join(map(str, sorted(known)))}. Add it to `labels`, or "
                    "correct the class."
                )
        return Instances(found.labels, classes, found.scores, found.masks)

    def partly(self, annotation: Any, annotated: Sequence[str]) -> Instances:
        others = [n for name, n in self.numbers.items() if name not in annotated]
        return replace(as_instances(annotation), unknown=tuple(others))

    def write(self, annotation: Any) -> Array:
        labels = np.asarray(annotation)
        largest = (int(rows.max(initial=0)) for _, rows in in_rows(labels))
        wide = max(largest, default=0) > np.iinfo(np.uint16).max
        written = zeros(labels.shape, np.uint32 if wide else np.uint16)
        for place, rows in in_rows(labels):
            written[place] = np.maximum(rows, 0)
            let_go(written)
        return written

    def stored(self, annotation: Any) -> Any:
        found = as_instances(annotation).spoken_of
        return arranged(found, self.numbers) if found.masks else self.to_map(found)

    def to_map(self, annotation: Any) -> NDArray[np.int32]:
        """Return instances as one map of shape S whose values tell id and class."""
        return packed(as_instances(annotation).spoken_of, self.numbers)

    def from_map(self, labels: Array) -> Instances:
        """Return the instances of a stored map; undoes `to_map` up to the ids."""
        return unpacked(labels, self.numbers)

    def layers(self, annotation: Any) -> NDArray[np.int32]:
        """Return objects as maps (L, *S) as they are stored, none with overlaps."""
        return layers_of(self.meaning, self.stored(annotation))

    def _channel(self, labels: Array) -> Array:
        """Return the index of the class at each voxel of a stored map, 0: none."""
        return class_index(labels, len(self.numbers))

    # The fingerprint ------------------------------------------------------------------

    def measure(self, annotation: Any, spacing: tuple[float, ...]) -> dict[str, Any]:
        from autoseg.tasks.instance.sizes import measure_case

        return measure_case(
            as_instances(annotation).spoken_of, spacing, self.class_names, self.stuff
        )

    @classmethod
    def pool(cls, measurements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        from autoseg.tasks.instance.sizes import pool_instances

        classes: Counter[str] = Counter()
        for one in measurements:
            classes.update(one["classes"])
        return {**pool_instances(measurements), "classes": dict(classes)}

    def trial(
        self, annotation: Any, spacing: tuple[float, ...], pooled: Mapping[str, Any]
    ) -> dict[str, Any]:
        from autoseg.tasks.instance.trial import try_out

        return try_out(self.layers(annotation), spacing, pooled)

    @classmethod
    def pool_trials(cls, trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        from autoseg.tasks.instance.trial import pool_trials

        return {"ceilings": pool_trials(trials)} if trials else {}

    def foreground(self, annotation: Any) -> dict[str, Array]:
        labels = np.asarray(annotation)
        return places_of(labels, self._channel(labels), self.classes, self.ignored)

    # Training and prediction ----------------------------------------------------------

    def encode(self, annotation: Any, spacing: tuple[float, ...]) -> dict[str, Array]:
        return encoded(self.meaning, self.stored(annotation), spacing)

    def targets(
        self, labels: Array, spacing: tuple[float, ...], *shares: Shares
    ) -> dict[str, Array]:
        return targets_of(self.meaning, labels, spacing, self.ignored, *shares)

    def decode(
        self, outputs: Mapping[str, Array], spacing: tuple[float, ...]
    ) -> Instances:
        return decode(self.meaning, outputs, spacing)

    # Parameters of decoding -----------------------------------------------------------

    @property
    def tunable(self) -> Mapping[str, Sequence[Any]]:
        from autoseg.tasks.instance.tuning import candidates

        made = self.representation
        return {} if made.holds else candidates(made)  # outputs cannot be kept

    @property
    def parameters(self) -> dict[str, Any]:
        """The present values of `tunable`."""
        made = self.representation
        return {name: getattr(made, name) for name in self.tunable}

    @property
    def decoding_name(self) -> str:
        return str(self._choice["name"])

    def tuned(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        options = {**self._choice.get("options", {}), **parameters}
        return {"representation": {**self._choice, "options": options}}

    def adopted(self, options: Mapping[str, Any]) -> dict[str, Any]:
        theirs = options.get("representation")
        if not theirs or theirs["name"] != self._choice["name"]:
            return {}
        return {} if theirs == self._choice else {"representation": dict(theirs)}

    def with_parameters(self, parameters: Mapping[str, Any]) -> InstanceTask:
        """Return the task with other parameters of decoding."""
        options = {**self._options, **self.tuned(parameters)}
        return InstanceTask(**options, network_axes=self.network_axes)

    @property
    def meaning(self) -> Meaning:
        """What the outputs stand for."""
        return Meaning(
            representation=self.representation,
            network_axes=self.network_axes,
            labels=self.labels,
            stuff=self.stuff,
        )

    # Scores ---------------------------------------------------------------------------

    def presence(self, outputs: Mapping[str, Array]) -> Array | None:
        if "foreground" not in outputs:  # other representations keep what is cut
            return None
        found: Array = outputs["foreground"][0] >= self.representation.foreground  # type: ignore[attr-defined]
        return found

    def score(
        self,
        predicted: Any,
        reference: Any,
        spacing: tuple[float, ...],
        **options: Any,
    ) -> dict[str, dict[str, float]]:
        from autoseg.tasks.instance.scores import score

        return score(predicted, reference, spacing, self.numbers, **options)

    def object_sizes(
        self, annotation: Any, spacing: tuple[float, ...]
    ) -> NDArray[np.float64]:
        from autoseg.tasks.instance.scores import object_sizes

        return object_sizes(annotation, spacing)

    @classmethod
    def example(cls) -> tuple[Task, Instances, tuple[float, ...]]:
        labels = np.zeros((14, 16), np.int32)
        labels[2:7, 2:8] = 1
        labels[2:8, 8:14] = 2  # touches the first
        labels[9:13, 3:9] = 3
        task = cls(labels={"cell": 1, "debris": 2})
        return task, task.read(Instances(labels, {1: 1, 2: 1, 3: 2})), (0.5, 0.5)
