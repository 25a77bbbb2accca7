"""What computes networks, and in which numbers."""

from __future__ import annotations

from dataclasses import replace

import torch

from autoseg.errors import UsageError
from autoseg.model.model import Model
from autoseg.networks.build import cascade_channels
from autoseg.predict.backends.openvino import OpenVinoNetwork
from autoseg.predict.backends.torch import TorchNetwork, build
from autoseg.predict.device import cpu_computes_bf16
from autoseg.predict.options import Options
from autoseg.predict.windows.window import Network
from autoseg.tasks.base import Task


def choose_backend(options: Options, device: torch.device) -> str:
    """Return what computes networks.

    Parameters
    ----------
    options : Options
        As given.
    device : torch.device
        Where.

    Returns
    -------
    str
        ``"torch"``, or ``"openvino"`` if it was asked for: it compiles a network for
        seconds before it is faster.

    Raises
    ------
    UsageError
        If OpenVINO is asked for on another device than the CPU.
    """
    if options.backend == "openvino" and device.type != "cpu":
        raise UsageError(
            f"The backend openvino computes on the CPU, not on {device}. Give --device "
            "cpu, or --backend torch."
        )
    return "torch" if options.backend == "auto" else options.backend


STEP_SIZE = 0.5  # nnU-Net's
WIDE_STEP_SIZE = 0.75  # of sturdy tasks: docs/benchmarks.md has what it costs


def resolve(options: Options, task: Task, device: torch.device) -> Options:
    """Return options with what is left to the task and the device filled in.

    Parameters
    ----------
    options : Options
        As given.
    task : Task
        What is predicted.
    device : torch.device
        Where.

    Returns
    -------
    Options
        ``step_size``, ``mirror`` and ``precision`` are set.
    """
    step_size = options.step_size or step_size_of(task)
    mirror = not task.sturdy if options.mirror is None else options.mirror
    precision = choose_precision(options, device, task.sturdy)
    return replace(options, step_size=step_size, mirror=mirror, precision=precision)


def step_size_of(task: Task) -> float:
    """Return how far apart windows are by default, in patch edges."""
    return WIDE_STEP_SIZE if task.sturdy else STEP_SIZE


def choose_precision(
    options: Options, device: torch.device, sturdy: bool = False
) -> str:
    """Return the number format of the networks' layers.

    Parameters
    ----------
    options : Options
        As given.
    device : torch.device
        Where.
    sturdy : bool
        Half precision suits the task; see `Task`.

    Returns
    -------
    str
        What was asked for; by default fp16 on a CUDA GPU, as nnU-Net, else fp32, or,
        if that suits the task and the processor computes in it, bf16.
    """
    if options.precision != "auto":
        return options.precision
    if options.exact or choose_backend(options, device) == "openvino":
        return "fp32"
    if device.type == "cuda":
        return "fp16"
    native = device.type == "cpu" and cpu_computes_bf16()
    return "bf16" if sturdy and native else "fp32"


def build_networks(
    model: Model, task: Task, options: Options, device: torch.device
) -> list[Network]:
    """Return the networks of all folds of a model.

    Parameters
    ----------
    model : Model
        With weights.
    task : Task
        What it learned.
    options : Options
        Give backend and precision.
    device : torch.device
        Where.

    Returns
    -------
    list of Network
        From (B, C, *P) to (B, K, *P).

    Raises
    ------
    UsageError
        If the backend cannot compute this task.
    """
    precision = choose_precision(options, device)
    folds = [build(model, i) for i in range(len(model.folds))]
    if choose_backend(options, device) == "openvino":
        if task.kind == "points":
            raise UsageError(
                "The backend openvino predicts no landmarks. Give --backend torch."
            )
        channels = len(model.plan.channels)
        if model.settings.previous is not None:
            channels += cascade_channels(task)
        patch = model.settings.patch_size
        return [OpenVinoNetwork(fold, channels, patch, precision) for fold in folds]
    return [TorchNetwork(fold, device, precision, options.exact) for fold in folds]
