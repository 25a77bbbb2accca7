"""Which windows an array is cut into: as few voxels as go, within the memory there is.

Letters: S shape of the array, D axes of a window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from autoseg.model.model import Model
from autoseg.predict.backends.choose import STEP_SIZE
from autoseg.predict.options import Options
from autoseg.predict.readouts.uncertainty import doubted_heads
from autoseg.predict.windows import memory
from autoseg.predict.windows.tiling import widen
from autoseg.predict.windows.window import Windows
from autoseg.spec.plan import Configuration
from autoseg.tasks.base import Task
from autoseg.tasks.landmark import AT_ONCE, LandmarkTask


@dataclass(frozen=True)
class WindowChoice:
    """Chooses windows for a model, as it was asked to predict.

    Parameters
    ----------
    model : Model
        What predicts.
    task : Task
        What it learned.
    options : Options
        With nothing left open; see `autoseg.predict.backends.choose.resolve`.
    device : torch.device
        Where the networks are.
    """

    model: Model
    task: Task
    options: Options
    device: torch.device

    def windows(self, shape: Sequence[int], left: float) -> Windows:
        """Return how an array is cut into windows.

        Parameters
        ----------
        shape : sequence of int
            S.
        left : float
            Bytes of main memory that may still be taken.

        Returns
        -------
        Windows
            For `predict_outputs`.

        Raises
        ------
        UsageError
            If there is too little memory.
        """
        settings = self._settings(shape)
        try:
            return self._fitting(settings, shape, left)
        except memory.TooLittle:
            if settings.patch_size == self.model.settings.patch_size:
                raise
        return self._fitting(self.model.settings, shape, left)

    def working_bytes(self, windows: Windows, shape: Sequence[int]) -> int:
        """Return the memory that predicting a prepared array with windows takes."""
        settings = replace(self.model.settings, patch_size=windows.patch)
        per_window = memory.window_bytes(settings, self.options.precision)
        args = (windows, shape, self._outputs, len(self.model.folds), per_window)
        return math.prod(shape) + int(memory.working_bytes(*args))

    def _settings(self, shape: Sequence[int]) -> Configuration:
        settings, options = self.model.settings, self.options
        divisor = settings.divisor
        # OpenVINO compiled for windows of one shape. Volumes were not tried: theirs are
        # large as they are.
        fixed = options.exact or options.backend == "openvino" or settings.dim != 2
        if fixed or divisor is None or not self.task.sturdy:
            return settings
        step_size = options.step_size or STEP_SIZE
        edges = shape[len(shape) - settings.dim :]
        wide = widen(settings.patch_size, edges, divisor, step_size)
        return replace(settings, patch_size=wide)

    def _fitting(
        self, settings: Configuration, shape: Sequence[int], left: float
    ) -> Windows:
        options = self.options
        per_window = memory.window_bytes(settings, options.precision)
        batch = memory.windows_at_once(settings, self.device, per_window)
        windows = Windows(
            patch=settings.patch_size,
            step_size=options.step_size or STEP_SIZE,
            mirror_axes=settings.mirror_axes if options.mirror else (),
            batch=1 if options.exact else options.batch or batch,
            exact=options.exact,
            nnunet_sums=self.model.origin == "nnunet",
            device=self.device,
            heads=self.task.heads,
            doubted=doubted_heads(self.task, options),
        )
        folds = len(self.model.folds)
        return memory.fit_windows(
            windows, shape, self._outputs, folds, per_window, left
        )

    @property
    def _outputs(self) -> int:
        outputs = sum(head.channels for head in self.task.heads)
        if isinstance(self.task, LandmarkTask):
            return min(outputs, AT_ONCE)
        return outputs + self.options.uncertainty
