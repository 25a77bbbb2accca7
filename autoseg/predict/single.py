"""One model's networks and the grid that they see, without other models."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from autoseg.errors import UsageError
from autoseg.machine import FREE_SHARE, GIGABYTE, free_memory, used_memory
from autoseg.model.model import Model
from autoseg.networks.build import cascade_channels
from autoseg.predict import inputs
from autoseg.predict.backends import BACKENDS
from autoseg.predict.backends.base import build
from autoseg.predict.device import find_device
from autoseg.predict.magnification import View, find_view
from autoseg.predict.options import Options, resolve
from autoseg.predict.readouts import READOUTS
from autoseg.predict.readouts.sight import Progress, Sight, Sink
from autoseg.predict.readouts.uncertainty import Doubt
from autoseg.predict.window_choice import WindowChoice
from autoseg.predict.windows.window import Network, Windows
from autoseg.preprocess.case import Prepared, prepare_image
from autoseg.preprocess.later import prepare
from autoseg.spec.image import Image
from autoseg.spec.scale import Scale
from autoseg.tasks import TASKS

log = logging.getLogger(__name__)


class SingleModel:
    """A model in memory; what it needs of other models is given to it.

    Parameters
    ----------
    model : Model
        What predicts.
    options : Options, optional
        How.

    Raises
    ------
    UsageError
        If the options cannot be for what the model predicts.
    """

    def __init__(self, model: Model, options: Options | None = None) -> None:
        options = options or Options()
        if isinstance(model, (str, os.PathLike)):
            raise UsageError(
                f"{os.fspath(model)!r} is where a model lies, and not the model. Say "
                "Predictor.load(...), which finds and loads it."
            )
        # Where training images all lay alike, others are turned as they did.
        turning = replace(model.plan, orientation=model.orientation)
        model = replace(model, plan=turning)
        if options.prune is not None:
            model = replace(model, depth=options.prune)
            build(model, 0)  # says now if there is no such depth
        self.model = model
        self.device = find_device(options.device)
        chosen = model.task_options(options.decoder)
        task = TASKS[model.plan.task.name](**chosen)
        self.task = task.for_axes(model.settings.dim)
        if options.mirror and not model.settings.mirror_axes:
            log.warning(
                "This model learned from no mirrored images, so there are no mirrored "
                "copies to average over."
            )
        self.options = resolve(options, self.task, model.settings.dim, self.device)
        self.readout = READOUTS[self.task.kind](model, self.task, self.options)
        self.readout.check_options()
        self._choice = WindowChoice(self.readout, self.device)
        self._choice.check()
        self._lock = threading.Lock()
        self._networks: Sequence[Network] | None = None

    @property
    def is_second(self) -> bool:
        """Whether it has to know what a stage before it predicted."""
        return self.model.settings.previous is not None

    @property
    def memory_left(self) -> int:
        """Bytes that may still be taken."""
        if self.options.max_memory is not None:
            return int(self.options.max_memory * GIGABYTE) - used_memory()
        return int(FREE_SHARE * free_memory())

    def prepare(
        self, image: Image, previous: Any = None, overwrite: bool = False
    ) -> Prepared:
        """Bring an image to the network's grid; in a cascade with its extra channels.

        Parameters
        ----------
        image : Image
            As a format read it.
        previous : annotation, optional
            Of a second stage, what the one before predicted, as in files.
        overwrite : bool
            The image's array may be changed: saves a copy.

        Returns
        -------
        Prepared
            For `sight`.
        """
        plan, name = self.model.plan, self.model.configuration
        exact = self.options.exact
        if not self.is_second or self.readout.refines:
            return prepare(image, plan, name, exact=exact, overwrite=overwrite)
        inner = self.task.read(previous)
        prepared = prepare_image(
            image, plan, name, exact=exact, annotation=inner, overwrite=overwrite
        )
        return inputs.with_labels(prepared, cascade_channels(self.task))

    def sight(
        self,
        prepared: Prepared,
        previous: Any = None,
        progress: Progress | None = None,
        sink: Sink | None = None,
        doubt: Doubt | None = None,
        factor: float = 1.0,
    ) -> Sight:
        """Return an image before the networks, for `Readout.look`.

        Parameters
        ----------
        prepared : Prepared
            From `prepare`.
        previous : annotation, optional
            As there.
        progress, sink, doubt, factor
            See `autoseg.predict.readouts.sight.Sight`.
        """
        return Sight(
            prepared=prepared,
            networks=self.networks(),
            windows=self.windows(prepared.array.shape[1:]),
            coarse=previous if self.readout.refines else None,
            progress=progress,
            sink=sink,
            doubt=doubt,
            memory=lambda: self.memory_left,
            factor=factor,
        )

    def view(self, image: Image) -> View:
        """Return how an image is seen: as it is, or enlarged, or inverted.

        Parameters
        ----------
        image : Image
            In the model's unit.
        """
        known, diameter = self.model.scale, self.options.diameter
        if diameter is not None:
            scale = known or Scale.of_fingerprint(self.model.fingerprint)
            if scale is None:
                raise UsageError(
                    f"{self.model.source} does not say how large its objects were, so "
                    "a diameter says nothing. Leave it out."
                )
            return View(scale.factor(diameter))
        if known is None:
            return View()
        return find_view(image, known, self._glance)

    def _glance(self, image: Image, view: View) -> Any:
        """Predict a part of an image through a view."""
        prepared = self.prepare(view.of(image))
        return self.readout.look(self.sight(prepared, factor=view.factor))

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

    def check_memory(self) -> None:
        """Raise UsageError if no image at all fits into the memory that is allowed."""
        if self.options.max_memory is not None:
            self.windows(self.model.settings.patch_size)

    def working_bytes(self, shape: Sequence[int]) -> int:
        """Return the memory that predicting a prepared array of a shape takes."""
        return self._choice.working_bytes(self.windows(shape), shape)

    def networks(self) -> Sequence[Network]:
        """Return the networks of all folds, built when first asked for."""
        with self._lock:
            if self._networks is None:
                channels = len(self.model.plan.channels)
                if self.is_second and not self.readout.refines:
                    channels += cascade_channels(self.task)
                options = self.options
                self._networks = BACKENDS[options.backend].build(
                    self.model, channels, self.device, options.precision, options.exact
                )
            return self._networks
