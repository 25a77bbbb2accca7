"""A fold's network in OpenVINO, which computes it faster than torch on a CPU.

OpenVINO is an extra: ``pip install autoseg[openvino]``. Its networks give the same
labels in all but a few voxels of a hundred thousand.

Letters: B batch, C channels, K outputs of all heads, P patch.
"""

from __future__ import annotations

import importlib.util
import logging
import threading
import time
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from autoseg.errors import UsageError
from autoseg.machine import cores
from autoseg.model.model import Model
from autoseg.predict.backends import BACKENDS
from autoseg.predict.backends.base import Backend, Joined, build

logger = logging.getLogger(__name__)

PRECISIONS = {"fp32": "f32", "bf16": "bf16"}


def is_installed() -> bool:
    """Return whether OpenVINO can be imported, without importing it."""
    return importlib.util.find_spec("openvino") is not None


@BACKENDS.register
class OpenVino(Backend):
    """OpenVINO, compiled for the CPU and windows of one shape."""

    @classmethod
    def refuses(cls, device: torch.device) -> str | None:
        if device.type == "cpu":
            return None
        return (
            f"The backend openvino computes on the CPU, not on {device}. Give --device "
            "cpu, or --backend torch."
        )

    @classmethod
    def build(
        cls,
        model: Model,
        channels: int,
        device: torch.device,
        precision: str,
        exact: bool = False,
    ) -> list[OpenVinoNetwork]:
        patch, folds = model.settings.patch_size, range(len(model.folds))
        networks = [build(model, fold) for fold in folds]
        return [OpenVinoNetwork(one, channels, patch, precision) for one in networks]


class OpenVinoNetwork:
    """One fold's network, compiled for the CPU.

    Parameters
    ----------
    network : Module
        Gives a dict of logits by head; its heads are joined in that order.
    channels : int
        C.
    patch : sequence of int
        P; every window has this shape.
    precision : str
        ``"fp32"`` or ``"bf16"``.

    Raises
    ------
    UsageError
        If OpenVINO is not installed or cannot compute in this precision.
    """

    def __init__(
        self,
        network: nn.Module,
        channels: int,
        patch: Sequence[int],
        precision: str = "fp32",
    ) -> None:
        if not is_installed():
            raise UsageError(
                "The backend openvino is not installed: pip install autoseg[openvino], "
                "or give --backend torch."
            )
        if precision not in PRECISIONS:
            known = " or ".join(PRECISIONS)
            raise UsageError(f"OpenVINO computes in {known} here, not in {precision}.")
        start = time.monotonic()
        self._compiled = _compile(network, (1, channels, *patch), PRECISIONS[precision])
        # One request at a time: it uses all cores, and its memory.
        self._lock = threading.Lock()
        self._request = self._compiled.create_infer_request()
        logger.debug("compiled for OpenVINO in %.1f s", time.monotonic() - start)

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the logits of windows.

        Parameters
        ----------
        batch : tensor of float32, shape (B, C, *P)
            Windows, on the CPU.

        Returns
        -------
        tensor of float32, shape (B, K, *P)
            On the CPU.
        """
        with self._lock:
            outputs = []
            for window in batch:
                found = self._request.infer({0: window[None].contiguous().numpy()})
                outputs.append(torch.from_numpy(found[0].copy()))
        return torch.cat(outputs)


def converted(network: nn.Module, shape: tuple[int, ...]) -> Any:
    """Return a network as a model of OpenVINO, as torch runs it on one shape.

    Parameters
    ----------
    network : Module
        Gives a dict of logits by head; its heads are joined in that order.
    shape : tuple of int
        Of what it is given: (B, C, *P).

    Returns
    -------
    openvino.Model
        From (B, C, *P) to (B, K, *P), float32.
    """
    import openvino

    with warnings.catch_warnings():
        # Tracing warns of the check of the window's shape, which is always the same.
        warnings.simplefilter("ignore")
        return openvino.convert_model(
            Joined(network).eval(),
            example_input=torch.zeros(shape),
            input=[list(shape)],
        )


def _compile(network: nn.Module, shape: tuple[int, ...], precision: str) -> Any:
    import openvino

    model = converted(network, shape)
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": cores(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    return openvino.Core().compile_model(model, "CPU", settings)
