"""A model that is loaded once and predicts any number of images."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from autoseg.errors import ModelError, UsageError
from autoseg.machine import free_memory
from autoseg.networks._build import cascade_channels
from autoseg.predict import inputs
from autoseg.predict.backends import choose_backend, choose_precision
from autoseg.predict.device import (
    FREE_SHARE,
    GIGABYTE,
    find_device,
    used_memory,
)
from autoseg.predict.ensemble import predict_together
from autoseg.predict.export import Export, Sink
from autoseg.predict.memory import (
    fit_windows,
    window_bytes,
    windows_at_once,
    working_bytes,
)
from autoseg.predict.model import Model, load_model
from autoseg.predict.openvino_backend import OpenVinoNetwork
from autoseg.predict.options import Options
from autoseg.predict.points import AT_ONCE, combine, predict_points, restore
from autoseg.predict.torch_backend import TorchNetwork, build
from autoseg.predict.window import Network, Windows, predict_outputs
from autoseg.preprocess.case import Prepared, prepare_image
from autoseg.spec.image import Image
from autoseg.tasks import TASKS
from autoseg.tasks._base import Task
from autoseg.tasks._instances import Instances
from autoseg.tasks.landmark import LandmarkTask

Array = NDArray[Any]
Progress = Callable[[int, int], None]
"""Told the windows predicted so far, and all of the case."""


class Predictor:
    """A model in memory, ready to predict one image after the other.

    Several threads may call `predict` at the same time.

    Parameters
    ----------
    model : Model
        What predicts.
    options : Options, optional
        How.

    Examples
    --------
    Load once, predict often::

        predictor = Predictor.load("results/Dataset004/unet/3d_fullres")
        labels = predictor.predict(array, spacing=(3.0, 1.0, 1.0))
    """

    def __init__(self, model: Model, options: Options | None = None) -> None:
        self.model = model
        self.options = options or Options()
        self.device = find_device(self.options.device)
        chosen = {**model.plan.task.options, **model.postprocessing.task}
        task: Task = TASKS[model.plan.task.name](**chosen)
        self.task = task.for_axes(model.settings.dim)
        self.previous = (
            Predictor(model.previous, options) if model.previous is not None else None
        )
        self.partners = tuple(Predictor(one, options) for one in model.partners)
        self._lock = threading.Lock()
        self._networks: list[Network] | None = None

    @classmethod
    def load(
        cls,
        path: str | Path,
        folds: Sequence[str | int] | None = None,
        checkpoint: str = "final",
        *,
        configuration: str | None = None,
        **options: Any,
    ) -> Predictor:
        """Load a model.

        Parameters
        ----------
        path : str or Path
            A folder that training made, a bundle, or a model of nnU-Net v2.
        folds : sequence of int or str, optional
            Which folds' networks to average; default: all that are there.
        checkpoint : str
            ``"final"`` or ``"best"``.
        configuration : str, optional
            Which one, where there are several.
        **options
            Fields of `Options`, such as ``device="cpu"``.

        Returns
        -------
        Predictor
            Ready to predict.

        Raises
        ------
        ModelError
            If there is no model, or it is incomplete or damaged.
        """
        model = load_model(
            path, configuration=configuration, folds=folds, checkpoint=checkpoint
        )
        return cls(model, Options(**options))

    def predict(self, image: Any, spacing: Sequence[float] | None = None) -> Any:
        """Predict one image, and give back the same kind of thing.

        Parameters
        ----------
        image : path, sequence of paths, ndarray, SimpleITK or nibabel image, or Image
            One file for each channel or one for all; an array is (C, *S), or S where
            there is one channel, slowest axis first.
        spacing : sequence of float, length D
            Edge of a voxel of an array, same order as its axes, in the plan's unit.

        Returns
        -------
        Prediction, ndarray, SimpleITK image or nibabel image
            Label values in the image's own grid: `Prediction` for paths and `Image`, an
            array for an array, an image with the same geometry for an image.

        Raises
        ------
        FormatError
            If the image cannot be read or has other channels than the model knows.
        UsageError
            If it is none of these kinds, or an array comes without spacing.
        """
        source = inputs.read(image, self.model, spacing)
        labels = self.predict_image(source.image)
        if isinstance(labels, Instances):
            labels = self.task.write(labels)
        return source.give_back(labels)

    def predict_image(
        self,
        image: Image,
        previous: Array | None = None,
        progress: Progress | None = None,
        sink: Sink | None = None,
    ) -> Any:
        """Predict an image that was read already.

        Parameters
        ----------
        image : Image
            As a format read it.
        previous : ndarray of int, shape (*S), optional
            In a cascade, the labels that the stage before predicted, as in files;
            default: they are predicted first.
        progress : callable, optional
            Told windows done and windows in all.
        sink : Sink, optional
            Where activated outputs go.

        Returns
        -------
        ndarray of int, shape (*S), or Instances, or Points
            Values as in files, in the image's grid.
        """
        rules = self.model.postprocessing
        if self.is_joint:
            members = (self, *self.partners)
            inner = predict_together(members, image, rules.thresholds, progress, sink)
            spacing = image.geometry.spacing
            return np.asarray(self.task.write(rules.finish(inner, self.task, spacing)))
        prepared = self.prepare(image, previous)
        return self.predict_prepared(prepared, progress, sink)

    def predict_alone(self, image: Image, progress: Progress, sink: Sink) -> None:
        """Give the outputs of this model to a sink, without partners and rules."""
        self._run(self.prepare(image), progress, sink)

    @property
    def is_joint(self) -> bool:
        """Whether outputs have to be kept and seen together before labels are there."""
        return bool(self.partners or self.model.postprocessing.thresholds)

    @property
    def memory_left(self) -> int:
        """Bytes that may still be taken."""
        if self.options.max_memory is not None:
            return int(self.options.max_memory * GIGABYTE) - used_memory()
        return int(FREE_SHARE * free_memory())

    def prepare(
        self, image: Image, previous: Array | None = None, overwrite: bool = False
    ) -> Prepared:
        """Bring an image to the network's grid; in a cascade with its extra channels.

        Parameters
        ----------
        image : Image
            As a format read it.
        previous : ndarray of int, shape (*S), optional
            See `predict_image`.
        overwrite : bool
            The image's array may be changed: saves a copy.

        Returns
        -------
        Prepared
            To be handed to `predict_prepared`.
        """
        settings, plan = self.model.settings, self.model.plan
        exact, name = self.options.exact, self.model.configuration
        if settings.previous is None:
            return prepare_image(image, plan, name, exact=exact, overwrite=overwrite)
        if previous is None:
            if self.previous is None:
                raise ModelError(
                    f"{self.model.source} is the second stage of a cascade and needs "
                    f"the predictions of {settings.previous!r}. Put that model beside "
                    "it, or give the predictions (-prev_stage_predictions)."
                )
            previous = self.previous.predict_image(image)
        inner = self.task.read(previous)
        prepared = prepare_image(
            image, plan, name, exact=exact, annotation=inner, overwrite=overwrite
        )
        return _with_labels(prepared, cascade_channels(self.task))

    def predict_prepared(
        self,
        prepared: Prepared,
        progress: Progress | None = None,
        sink: Sink | None = None,
    ) -> Any:
        """Predict an image on the network's grid; see `predict_image`.

        Only where `is_joint` does not hold: otherwise the image itself is needed.
        """
        labels = self._run(prepared, progress, sink)
        rules = self.model.postprocessing
        if not rules.classes:
            return labels
        spacing = prepared.placement.geometry.spacing
        inner = rules.finish(self.task.read(labels), self.task, spacing)
        return np.asarray(self.task.write(inner))

    def _run(
        self, prepared: Prepared, progress: Progress | None, sink: Sink | None
    ) -> Any:
        windows = self.windows(prepared.array.shape[1:])
        total = windows.grid(prepared.array.shape[1:]).count
        done = 0
        if isinstance(self.task, LandmarkTask) and sink is not None:
            raise UsageError("Landmarks have no probabilities to save; leave it out.")

        def count(steps: int) -> None:
            nonlocal done
            done += steps
            if progress is not None:
                progress(done, total)

        if isinstance(self.task, LandmarkTask):
            opinions = predict_points(
                self._modules(),
                prepared.array,
                windows,
                self.task,
                prepared.placement.spacing,
                precision=choose_precision(self.options, self.device),
                progress=count,
            )
            return restore(combine(opinions, self.task), prepared.placement)
        blocks = predict_outputs(self.networks(), prepared.array, windows, count)
        export = Export(
            task=self.task,
            resampling=self.model.settings.resampling,
            exact=self.options.exact,
            sink=sink,
        )
        return export.run(blocks, prepared.placement)

    def windows(self, shape: Sequence[int]) -> Windows:
        """Return how an array is cut into windows, within the memory that there is.

        Parameters
        ----------
        shape : sequence of int
            Spatial shape of the prepared array.

        Returns
        -------
        Windows
            For `predict_outputs`.

        Raises
        ------
        UsageError
            If there is too little memory.
        """
        settings, options = self.model.settings, self.options
        per_window = self._window_bytes
        batch = windows_at_once(settings, self.device, per_window)
        windows = Windows(
            patch=settings.patch_size,
            step_size=options.step_size,
            mirror_axes=settings.mirror_axes if options.mirror else (),
            batch=1 if options.exact else options.batch or batch,
            exact=options.exact,
            nnunet_sums=self.model.origin == "nnunet",
            device=self.device,
        )
        return fit_windows(
            windows,
            shape,
            self._outputs,
            len(self.model.folds),
            per_window,
            self.memory_left,
        )

    def working_bytes(self, shape: Sequence[int]) -> int:
        """Return the memory that predicting a prepared array of a shape takes."""
        windows, folds = self.windows(shape), len(self.model.folds)
        voxels = math.prod(shape)
        return voxels + int(
            working_bytes(windows, shape, self._outputs, folds, self._window_bytes)
        )

    @property
    def _outputs(self) -> int:
        outputs = sum(head.channels for head in self.task.heads)
        return min(outputs, AT_ONCE) if self._points else outputs

    @property
    def _points(self) -> bool:
        return isinstance(self.task, LandmarkTask)

    @property
    def _window_bytes(self) -> float:
        precision = choose_precision(self.options, self.device)
        return window_bytes(self.model.settings, precision)

    def networks(self) -> list[Network]:
        """Return the networks of all folds, built when first asked for."""
        with self._lock:
            if self._networks is None:
                self._networks = self._build()
            return self._networks

    def _modules(self) -> list[nn.Module]:
        """Return the networks of all folds, giving logits late."""
        modules = [network.module for network in self.networks()]  # type: ignore[attr-defined]
        for module in modules:
            module.late = True
        return modules

    def _build(self) -> list[Network]:
        model, options = self.model, self.options
        precision = choose_precision(options, self.device)
        folds = [build(model, i) for i in range(len(model.folds))]
        if choose_backend(options, self.device) == "openvino":
            if self._points:
                raise UsageError(
                    "The backend openvino predicts no landmarks. Give --backend torch."
                )
            channels = len(model.plan.channels)
            if model.settings.previous is not None:
                channels += cascade_channels(self.task)
            patch = model.settings.patch_size
            return [OpenVinoNetwork(fold, channels, patch, precision) for fold in folds]
        return [
            TorchNetwork(fold, self.device, precision, options.exact) for fold in folds
        ]


def _with_labels(prepared: Prepared, channels: int) -> Prepared:
    """Append one 0/1 channel for each label of the stage before but the background."""
    labels = prepared.annotation
    if labels is None:
        raise ModelError("The stage before gave no labels.")
    masks = np.stack([labels == k for k in range(1, channels + 1)])
    array = np.concatenate([prepared.array, masks.astype(np.float32)])
    return Prepared(array=array, annotation=None, placement=prepared.placement)
