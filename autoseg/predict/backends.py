"""What computes networks, and in which numbers."""

from __future__ import annotations

import torch

from autoseg.errors import UsageError
from autoseg.predict.options import Options


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


def choose_precision(options: Options, device: torch.device) -> str:
    """Return the number format of the networks' layers.

    Parameters
    ----------
    options : Options
        As given.
    device : torch.device
        Where.

    Returns
    -------
    str
        What was asked for; by default fp16 on a CUDA GPU, as nnU-Net, else fp32.
    """
    if options.precision != "auto":
        return options.precision
    return "fp16" if device.type == "cuda" and not options.exact else "fp32"
