"""A model that is loaded once and predicts any number of images."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from autoseg.errors import ModelError, UsageError
from autoseg.machine import free_memory
from autoseg.model.confidence import judged
from autoseg.model.load import load_model
from autoseg.model.model import Model
from autoseg.networks.build import cascade_channels
from autoseg.predict import inputs
from autoseg.predict.backends.choose import build_networks, resolve
from autoseg.predict.device import (
    FREE_SHARE,
    GIGABYTE,
    find_device,
    used_memory,
)
from autoseg.predict.options import Options
from autoseg.predict.readouts.ensemble import points_together, predict_together
from autoseg.predict.readouts.fine import find_landmarks
from autoseg.predict.readouts.labels import Export, Sink
from autoseg.predict.readouts.uncertainty import Doubt, check_doubt
from autoseg.predict.window_choice import WindowChoice
from autoseg.predict.windows.window import Network, Windows, counted, predict_outputs
from autoseg.preprocess.case import Prepared, prepare_image
from autoseg.preprocess.later import prepare
from autoseg.spec.image import Image
from autoseg.spec.instances import Instances
from autoseg.spec.points import Points
from autoseg.tasks import TASKS
from autoseg.tasks.base import Task
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
        options = options or Options()
        self.device = find_device(options.device)
        chosen = model.task_options(options.decoder)
        task: Task = TASKS[model.plan.task.name](**chosen)
        self.task = task.for_axes(model.settings.dim)
        self.options = resolve(options, self.task, self.device)
        if self.options.uncertainty:
            check_doubt(model, self.options)
        self.previous: Predictor | None = None
        if model.previous is not None:
            certain = replace(self.options, uncertainty=False)
            self.previous = Predictor(model.previous, certain)
        self.partners = tuple(Predictor(one, options) for one in model.partners)
        self._choice = WindowChoice(model, self.task, self.options, self.device)
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
        step_size: float | None = None,
        mirror: bool | None = None,
        exact: bool = False,
        device: str = "auto",
        backend: str = "auto",
        precision: str = "auto",
        max_memory: float | None = None,
        batch: int | None = None,
        uncertainty: bool = False,
        decoder: str | None = None,
    ) -> Predictor:
        """Load a model.

        Parameters
        ----------
        path : str or Path
            A folder that training made, a bundle, or a model of nnU-Net v2.
        folds, checkpoint, configuration
            Which part of the model; see `autoseg.model.load.load_model`.
        step_size, mirror, exact, device, backend, precision, max_memory, batch
            How to predict; see `autoseg.predict.options.Options`.
        uncertainty, decoder
            The same.

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
        options = Options(
            step_size=step_size,
            mirror=mirror,
            exact=exact,
            device=device,
            backend=backend,
            precision=precision,
            max_memory=max_memory,
            batch=batch,
            uncertainty=uncertainty,
            decoder=decoder,
        )
        return cls(model, options)

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
        previous: Any = None,
        progress: Progress | None = None,
        sink: Sink | None = None,
        doubt: Doubt | None = None,
    ) -> Any:
        """Predict an image that was read already.

        Parameters
        ----------
        image : Image
            As a format read it.
        previous : ndarray of int, shape (*S), or Points, optional
            What the stage before predicted, as in files; default: it is predicted now.
        progress : callable, optional
            Told windows done and windows in all.
        sink : Sink, optional
            Where activated outputs go.
        doubt : Doubt, optional
            With ``Options.uncertainty``: takes the disagreement, of an average also
            that of its configurations.

        Returns
        -------
        ndarray of int, shape (*S), or Instances, or Points
            Values as in files, in the image's grid.
        """
        rules = self.model.postprocessing
        if self.is_joint:
            members = (self, *self.partners)
            if isinstance(self.task, LandmarkTask):
                return points_together(members, image, progress)
            inner = predict_together(
                members, image, rules.thresholds, progress, sink, doubt
            )
            return self._finish(inner, image.geometry.spacing, doubt)
        if self.is_fine:
            if previous is None:
                previous = self._before().predict_image(image)
            return self._run(self.prepare(image), progress, sink, doubt, previous)
        prepared = self.prepare(image, previous)
        return self.predict_prepared(prepared, progress, sink, doubt)

    def predict_alone(
        self,
        image: Image,
        progress: Progress,
        sink: Sink | None = None,
        doubt: Doubt | None = None,
    ) -> Any:
        """Predict by this model, without partners and rules, outputs to a sink."""
        coarse = self._before().predict_image(image) if self.is_fine else None
        return self._run(self.prepare(image), progress, sink, doubt, coarse)

    def _finish(
        self, inner: Array, spacing: Sequence[float], doubt: Doubt | None
    ) -> Array:
        """Apply the rules for the end, and judge the case by what is left."""
        inner = self.model.postprocessing.finish(inner, self.task, spacing)
        if doubt is not None:
            doubt.judge(inner > 0)
        return np.asarray(self.task.write(inner))

    @property
    def is_joint(self) -> bool:
        """Whether outputs have to be kept and seen together before labels are there."""
        return bool(self.partners or self.model.postprocessing.thresholds)

    @property
    def is_fine(self) -> bool:
        """Whether it looks for landmarks where a coarse stage found them."""
        second = self.model.settings.previous is not None
        return second and isinstance(self.task, LandmarkTask)

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
        if settings.previous is None or self.is_fine:
            return prepare(image, plan, name, exact=exact, overwrite=overwrite)
        if previous is None:
            previous = self._before().predict_image(image)
        inner = self.task.read(previous)
        prepared = prepare_image(
            image, plan, name, exact=exact, annotation=inner, overwrite=overwrite
        )
        return inputs.with_labels(prepared, cascade_channels(self.task))

    def _before(self) -> Predictor:
        """Return the stage before."""
        if self.previous is None:
            raise ModelError(
                f"{self.model.source} is a second stage and needs the predictions of "
                f"{self.model.settings.previous!r}. Put that model beside it, or give "
                "the predictions (-prev_stage_predictions)."
            )
        return self.previous

    def predict_prepared(
        self,
        prepared: Prepared,
        progress: Progress | None = None,
        sink: Sink | None = None,
        doubt: Doubt | None = None,
    ) -> Any:
        """Predict an image on the network's grid; see `predict_image`.

        Only where `is_joint` does not hold: otherwise the image itself is needed.
        """
        labels = self._run(prepared, progress, sink, doubt)
        if doubt is None and not self.model.postprocessing.classes:
            return labels
        spacing = prepared.placement.geometry.spacing
        return self._finish(self.task.read(labels), spacing, doubt)

    def _run(
        self,
        prepared: Prepared,
        progress: Progress | None,
        sink: Sink | None,
        doubt: Doubt | None,
        coarse: Points | None = None,
    ) -> Any:
        windows = self.windows(prepared.array.shape[1:])
        if isinstance(self.task, LandmarkTask):
            if sink is not None:
                raise UsageError("Landmarks have no probabilities to save.")
            seen = self._modules(), prepared, windows, self.task, coarse
            points = find_landmarks(
                *seen,
                prior=self.model.shapes,
                stride=self.model.settings.head_stride,
                precision=self.options.precision,
                progress=progress,
            )
            geometry = prepared.placement.geometry
            return judged(points, geometry, self.model.plan, self.model.confidence)
        count = counted(progress, windows.grid(prepared.array.shape[1:]).count)
        blocks = predict_outputs(self.networks(), prepared.array, windows, count)
        if windows.doubted:
            doubt = doubt or Doubt()
            blocks = doubt.watch(blocks, prepared.array.shape[1:])
        export = Export(
            task=self.task,
            resampling=self.model.settings.resampling,
            exact=self.options.exact,
            sink=sink,
            memory=lambda: self.memory_left,
        )
        labels = export.run(blocks, prepared.placement)
        if doubt is not None:
            doubt.place(prepared.placement, self.model.settings.resampling)
        return labels

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
        self.networks()  # what is left is what they leave
        return self._choice.windows(shape, self.memory_left)

    def working_bytes(self, shape: Sequence[int]) -> int:
        """Return the memory that predicting a prepared array of a shape takes."""
        return self._choice.working_bytes(self.windows(shape), shape)

    def networks(self) -> list[Network]:
        """Return the networks of all folds, built when first asked for."""
        with self._lock:
            if self._networks is None:
                self._networks = build_networks(
                    self.model, self.task, self.options, self.device
                )
            return self._networks

    def _modules(self) -> list[nn.Module]:
        """Return the networks of all folds, giving logits late."""
        modules = [network.module for network in self.networks()]  # type: ignore[attr-defined]
        for module in modules:
            module.late = True
        return modules
