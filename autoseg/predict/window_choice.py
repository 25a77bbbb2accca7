"""Which windows an array is cut into: as few voxels as go, within the memory there is.

Letters: S shape of the array, D axes of a window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from autoseg.errors import UsageError
from autoseg.machine import GIGABYTE
from autoseg.networks import NETWORKS
from autoseg.predict.backends import BACKENDS
from autoseg.predict.options import AUTO, OPPOSITE, STEP_SIZE, choose_backend
from autoseg.predict.readouts.base import Readout
from autoseg.predict.windows import memory
from autoseg.predict.windows.tiling import WIDEST, widen
from autoseg.predict.windows.window import Windows
from autoseg.spec.configuration import Configuration

MOST_VOXELS = 16  # of a window by `Options.window` "auto", in those of training


@dataclass(frozen=True)
class WindowChoice:
    """Chooses windows for a model, as it was asked to predict.

    Parameters
    ----------
    readout : Readout
        Knows the model, its task and the options, of which nothing is left open; see
        `autoseg.predict.options.resolve`.
    device : torch.device
        Where the networks are.
    """

    readout: Readout
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
            If there is too little memory, or the network takes no such windows.
        """
        asked = self.readout.options.window
        if asked is not None and asked != AUTO:
            return self._fitting(self._asked(asked), shape, left)
        settings, planned = self._settings(shape), self.readout.model.settings
        if settings.patch_size != planned.patch_size:
            try:
                return self._fitting(settings, shape, left, slowly=False)
            except memory.TooLittle:
                pass
        return self._fitting(planned, shape, left)

    def check(self) -> None:
        """Raise UsageError if windows are asked for that the network does not take."""
        asked = self.readout.options.window
        if asked is not None and asked != AUTO:
            self._asked(asked)

    def working_bytes(self, windows: Windows, shape: Sequence[int]) -> int:
        """Return the memory that predicting a prepared array with windows takes."""
        model, options = self.readout.model, self.readout.options
        settings = replace(model.settings, patch_size=windows.patch)
        per_window = memory.window_bytes(settings, options.precision)
        args = (windows, shape, self.readout.outputs, len(model.folds), per_window)
        beside = math.prod(shape) + memory.BESIDE
        return int(beside + memory.working_bytes(*args))

    def _settings(self, shape: Sequence[int]) -> Configuration:
        settings, options = self.readout.model.settings, self.readout.options
        divisor = settings.divisor
        backend = BACKENDS[choose_backend(options, self.device)]
        fixed = options.exact or not backend.any_shape or self._one_shape
        if options.window is None:
            # Labels of others would differ from those of windows as trained.
            fixed |= settings.dim != 2 or not self.readout.task.sturdy
        if fixed or divisor is None:
            return settings
        step_size = options.step_size or STEP_SIZE
        edges = shape[len(shape) - settings.dim :]
        # Whoever asks for it gets more: up to so many times the voxels.
        widest = WIDEST if options.window is None else MOST_VOXELS ** (1 / settings.dim)
        wide = widen(
            settings.patch_size, edges, divisor, step_size, widest, self._reflects
        )
        return replace(settings, patch_size=wide)

    @property
    def _reflects(self) -> bool:
        """Whether windows see an array mirrored beyond its border, and not zeros.

        Where it was measured to pay: `benchmarks/margins.py`.
        """
        readout = self.readout
        planned = not readout.options.exact and readout.model.origin != "nnunet"
        return planned and readout.model.settings.dim == 2 and readout.task.sturdy

    @property
    def _one_shape(self) -> bool:
        """Whether something in the model knows one shape of windows alone."""
        network = NETWORKS[self.readout.model.settings.network.name]
        heads = self.readout.task.heads
        return network.fixed_shape or any(head.reader is not None for head in heads)

    def _asked(self, window: str | Sequence[int]) -> Configuration:
        """Return the model's configuration with windows that are asked for."""
        settings, edges = self.readout.model.settings, tuple(map(int, window))
        divisor = settings.divisor
        planned = ",".join(map(str, settings.patch_size))
        if self._one_shape or divisor is None:
            raise UsageError(
                f"{settings.network.name} takes windows of its patch alone, {planned}: "
                "leave --window out."
            )
        if len(edges) != settings.dim:
            raise UsageError(
                f"--window has {len(edges)} edges, and the network's patch has "
                f"{settings.dim}: {planned}."
            )
        near = [max(1, round(e / d)) * d for e, d in zip(edges, divisor, strict=True)]
        if list(edges) != near:
            raise UsageError(
                f"--window {','.join(map(str, edges))}: edges have to be multiples of "
                f"{','.join(map(str, divisor))}. Near by is "
                f"{','.join(map(str, near))}."
            )
        return replace(settings, patch_size=edges)

    def _fitting(
        self,
        settings: Configuration,
        shape: Sequence[int],
        left: float,
        slowly: bool = True,
    ) -> Windows:
        options, model = self.readout.options, self.readout.model
        per_window = memory.window_bytes(settings, options.precision)
        batch = memory.windows_at_once(settings, self.device, per_window)
        windows = Windows(
            patch=settings.patch_size,
            step_size=options.step_size or STEP_SIZE,
            mirror_axes=settings.mirror_axes if options.mirror else (),
            opposite=options.mirror == OPPOSITE,
            batch=1 if options.exact else options.batch or batch,
            exact=options.exact,
            nnunet_sums=model.origin == "nnunet",
            device=self.device,
            heads=self.readout.task.heads,
            doubted=self.readout.doubted,
            reflected=self._reflects,
        )
        outputs, folds = self.readout.outputs, len(model.folds)
        left -= memory.BESIDE
        args = (windows, shape, outputs, folds, per_window, left, slowly)
        try:
            return memory.fit_windows(*args)
        except memory.TooLittle as error:
            most = options.max_memory
            if most is None:
                raise
            least = math.ceil(100 * (most + error.missing / GIGABYTE)) / 100
            said = f"{error} --max-memory {least:g} is the least that works."
            raise memory.TooLittle(said, error.missing) from None
