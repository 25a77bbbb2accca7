"""What there is to compute on: devices and number formats."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from autoseg.errors import UsageError

logger = logging.getLogger(__name__)

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def find_device(name: str = "auto") -> torch.device:
    """Return a device to predict on.

    Parameters
    ----------
    name : str
        ``"auto"`` (a GPU if there is one), ``"cpu"``, ``"cuda"``, ``"cuda:1"``,
        ``"gpu"`` or ``"mps"``.

    Returns
    -------
    torch.device
        The device; the CPU, with a warning, where a GPU was asked for and is not there,
        for front ends ask for ``cuda`` on any machine.

    Raises
    ------
    UsageError
        If no device is called so.
    """
    if name == "auto":
        mps = "mps" if torch.backends.mps.is_available() else "cpu"
        name = "cuda" if torch.cuda.is_available() else mps
    name = name.replace("gpu", "cuda", 1) if name.startswith("gpu") else name
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise UsageError(
            f"No device is called {name!r}; give auto, cpu, cuda, cuda:N or mps."
        )
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    missing = device.type == "cuda" and (device.index or 0) >= count
    missing |= device.type == "mps" and not torch.backends.mps.is_available()
    if missing:
        logger.warning(
            "device %s is not here (torch sees %d CUDA devices); predicting on the "
            "CPU, which is slower",
            name,
            torch.cuda.device_count(),
        )
        return torch.device("cpu")
    return device


def cpu_computes_bf16(information: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether this processor multiplies bf16 natively, where that is known."""
    try:
        text = information.read_text(encoding="utf-8")
    except OSError:  # not Linux
        return False
    flags = next((row for row in text.splitlines() if row.startswith("flags")), "")
    return bool({"avx512_bf16", "amx_bf16"} & set(flags.split()))
