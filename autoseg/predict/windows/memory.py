"""How much memory prediction needs, by arithmetic, and how to make do with less."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from autoseg.errors import UsageError
from autoseg.machine import GIGABYTE
from autoseg.predict.windows.window import EXPORTED, Windows
from autoseg.spec.configuration import Configuration

# Feature maps of the finest resolution that are alive at once in a U-Net's last
# decoder level: skip, upsampled, both joined, the convolution's copy of them, output.
# Measured on plain and residual U-Nets of 8 and 32 features: 7.1 to 7.8.
MAPS = 8
FIXED = 64e6  # bytes of a window beside its maps: 94 MB where maps are 8 MB each
FEATURES = 32  # of networks that do not say how many they have
MOST_WINDOWS = 16  # more at once do not make a GPU faster
# On one core, eight windows of 32768 numbers each (64 x 64, 8 features) take half the
# time together, two of 131072 take 0.6 of it, and larger ones are slower together.
SMALL_WINDOWS, CACHED = 8, 2**18
# Threads that share a window of 256 x 256 and 16 features are no faster than one of
# them, so each takes a window of its own; of large ones, memory would be too much.
SHARED, MOST_THREADS = 2**23, 8
DECIDED = 12.0  # bytes for a voxel: a head, the largest so far, labels, rows in work
EXPORT = DECIDED * EXPORTED
LEAST_EXPORTED = 2**20  # voxels that are decided at once where memory is short
BESIDE = 160e6  # bytes: pages of the image, what libraries load and set up at first
PAGE = 4096  # bytes: what is mapped of a file is in memory by whole pages


class TooLittle(UsageError):
    """There is too little memory, however windows are predicted.

    Parameters
    ----------
    message : str
        What was found, and what to do.
    missing : float
        Bytes.
    """

    def __init__(self, message: str, missing: float = 0.0) -> None:
        super().__init__(message)
        self.missing = missing


def window_bytes(settings: Configuration, precision: str = "fp32") -> float:
    """Return the memory that a network needs to predict one window.

    Parameters
    ----------
    settings : Configuration
        Gives patch and features.
    precision : str
        ``"fp32"``, ``"bf16"`` or ``"fp16"``.

    Returns
    -------
    float
        Bytes, beside weights.
    """
    size = 4 if precision == "fp32" else 2
    return MAPS * size * _map_size(settings) + FIXED


def sums_bytes(windows: Windows, shape: Sequence[int], outputs: int, folds: int) -> int:
    """Return the memory of the sums of windows.

    Parameters
    ----------
    windows : Windows
        How an array is cut.
    shape : sequence of int
        Of the array, spatial axes.
    outputs : int
        K.
    folds : int
        Networks; exact sums are kept for each.

    Returns
    -------
    int
        Bytes.
    """
    grid = windows.grid(shape)
    slab = math.prod(grid.slab)
    if windows.in_file:  # a window of one output, or rows of all that are decided
        *rows, last = grid.patch
        row = math.prod(shape) // shape[grid.axis]
        decided = 4 * outputs * max(windows.exported, row)
        return math.prod(rows) * (PAGE + 4 * last) + decided
    if windows.as_nnunet:
        return 2 * slab * (outputs * folds + 1)
    return torch.finfo(windows.dtype).bits // 8 * slab * outputs


def working_bytes(
    windows: Windows, shape: Sequence[int], outputs: int, folds: int, per_window: float
) -> float:
    """Return the memory of predicting an array, beside the array and the labels.

    Parameters
    ----------
    windows : Windows
        How it is cut.
    shape : sequence of int
        Of the array, spatial axes.
    outputs, folds : int
        See `sums_bytes`.
    per_window : float
        Bytes of a network for each window; see `window_bytes`.

    Returns
    -------
    float
        Bytes.
    """
    sums = sums_bytes(windows, shape, outputs, folds)
    row = math.prod(shape) // shape[windows.grid(shape).axis]
    export = DECIDED * max(windows.exported, row)
    return export + sums + windows.batch * per_window


def fit_windows(
    windows: Windows,
    shape: Sequence[int],
    outputs: int,
    folds: int,
    per_window: float,
    available: float,
    slowly: bool = True,
) -> Windows:
    """Return how to predict an array within the memory that there is.

    Tries the sums on the device in float32, then in float16, then beside the device;
    fewer windows at once before either. Then fewer voxels are decided at once, and at
    last the sums are put into a file, in float32.

    Parameters
    ----------
    windows : Windows
        As one would like it.
    shape : sequence of int
        Of the array, spatial axes.
    outputs, folds : int
        See `sums_bytes`.
    per_window : float
        Bytes of a network for each window; see `window_bytes`.
    available : float
        Bytes of main memory that may still be taken.
    slowly : bool
        Also by what makes it slower: few voxels at once, and files.

    Returns
    -------
    Windows
        The first that fits.

    Raises
    ------
    TooLittle
        If none does; the message says how much it takes.
    """
    args = shape, outputs, folds, per_window, available, slowly
    if windows.nnunet_sums and not windows.exact:
        try:
            return _fit(windows, *args)
        except TooLittle:  # our own sums are kept once for all folds
            windows = replace(windows, nnunet_sums=False)
    return _fit(windows, *args)


def _fit(
    windows: Windows,
    shape: Sequence[int],
    outputs: int,
    folds: int,
    per_window: float,
    available: float,
    slowly: bool,
) -> Windows:
    device = torch.device(windows.device)
    beside = replace(windows, sums_device=torch.device("cpu"))
    options = _fewer(windows)
    if device.type == "cuda":
        free = 0.8 * torch.cuda.mem_get_info(device)[0]
        for option in (*options, *([] if windows.as_nnunet else [_half(windows)])):
            need = working_bytes(option, shape, outputs, folds, per_window)
            if need <= free:
                return option
        options, per_window = [replace(beside, batch=1)], 0
    if not windows.as_nnunet:
        options.append(_half(options[-1]))
    if not windows.as_nnunet and slowly:
        small = replace(options[-1], exported=LEAST_EXPORTED)
        filed = replace(beside, batch=1, exported=LEAST_EXPORTED, in_file=True)
        options += [small, filed]
    least = math.inf
    for option in options:
        need = working_bytes(option, shape, outputs, folds, per_window)
        if need <= available:
            return option
        least = min(least, need)
    raise TooLittle(
        f"Predicting an image of {' x '.join(map(str, shape))} voxels with {outputs} "
        f"outputs takes {least / GIGABYTE:.2f} GB beside the image itself, and "
        f"{max(0, available) / GIGABYTE:.2f} GB are left. Give more --max-memory, "
        "close other programs, or cut the image into parts.",
        missing=least - available,
    )


def _fewer(windows: Windows) -> list[Windows]:
    """Return the same, and with fewer and fewer windows at once."""
    fewer = [windows]
    while fewer[-1].batch > 1:
        fewer.append(replace(windows, batch=fewer[-1].batch // 2))
    return fewer


def _half(windows: Windows) -> Windows:
    """Return the same with one window at once and sums in float16."""
    return replace(windows, batch=1, dtype=torch.float16)


def windows_at_once(
    settings: Configuration, device: torch.device, per_window: float
) -> int:
    """Return how many windows a network should get at once, to be fast.

    Parameters
    ----------
    settings : Configuration
        Gives patch and features.
    device : torch.device
        A GPU takes as many as fill half of its memory, at most 16. A thread of a CPU
        is fastest when what it computes stays in its cache: several only if they are
        small. Each thread takes its own, if they are not large.
    per_window : float
        Bytes for each; see `window_bytes`.

    Returns
    -------
    int
        At least 1.
    """
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
        return int(max(1, min(MOST_WINDOWS, 0.5 * free // max(1.0, per_window))))
    size = _map_size(settings)
    threads = min(torch.get_num_threads(), MOST_THREADS) if size <= SHARED else 1
    return threads * max(1, min(SMALL_WINDOWS, CACHED // size))


def _map_size(settings: Configuration) -> int:
    """Return the numbers in all feature maps of the finest resolution."""
    # One number for each stage, or that of the first, which others follow from.
    features = settings.network.options.get("features") or FEATURES
    finest = features[0] if isinstance(features, (list, tuple)) else features
    return int(finest) * math.prod(settings.patch_size)
