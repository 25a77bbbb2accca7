"""Whether there is a GPU, and its memory, without importing torch."""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

LIBRARIES = ("libnvidia-ml.so.1", "nvml.dll")


AMD = Path("/dev/kfd")  # where Linux shows AMD's GPUs to programs


class _Memory(ctypes.Structure):
    _fields_ = [
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    ]


def gpu_memory_gb() -> float | None:
    """Return the memory of the first NVIDIA GPU that may be used.

    Returns
    -------
    float or None
        In units of 2 ** 30 bytes; None if there is no GPU or no driver. The first
        entry of ``CUDA_VISIBLE_DEVICES`` counts.
    """
    library = _library()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if library is None or visible in ("", "-1") or library.nvmlInit_v2():
        return None
    try:
        handle = ctypes.c_void_p()
        first = (visible or "0").partition(",")[0].strip()
        if first.isdigit():
            failed = library.nvmlDeviceGetHandleByIndex_v2(
                int(first), ctypes.byref(handle)
            )
        else:
            failed = library.nvmlDeviceGetHandleByUUID(
                first.encode(), ctypes.byref(handle)
            )
        memory = _Memory()
        if failed or library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)):
            return None
        return float(memory.total / 2**30)
    finally:
        library.nvmlShutdown()


def has_gpu() -> bool:
    """Return whether there is a GPU to train on: NVIDIA's, AMD's or Apple's."""
    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    return apple or AMD.exists() or gpu_memory_gb() is not None


def _library() -> ctypes.CDLL | None:
    for name in LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None
