"""How to predict: what changes speed, memory and, where it says so, the result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch

from autoseg.errors import UsageError
from autoseg.predict.backends import BACKENDS
from autoseg.predict.device import PRECISIONS, cpu_computes_bf16
from autoseg.tasks.base import Task

AUTO = "auto"
STEP_SIZE = 0.5  # nnU-Net's
MOST_COPIES = 9
WIDE_STEP_SIZE = 0.75  # of sturdy tasks: docs/benchmarks.md has what it costs
OPPOSITE: Literal["opposite"] = "opposite"  # one mirrored copy, along all axes at once

Mirror = bool | Literal["opposite"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to predict.

    Parameters
    ----------
    step_size : float or None
        Largest distance of neighboring windows in patch edges, over 0 up to 1; None: as
        the task does by default, 0.5, but 0.75 for instances.
    mirror : bool or str or None
        Average over mirrored copies along the axes that the plan allows: all of them,
        or with ``"opposite"`` the one that is mirrored along all axes at once; None: as
        the task does by default (`mirror_of`).
    exact : bool
        nnU-Net v2's arithmetic to the bit: float32 networks, float16 sums in its
        order, plain library calls for resampling. Slower, and needs more memory.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    backend : str
        A file in ``autoseg/predict/backends``: ``"torch"`` (also ``"auto"``), or
        ``"openvino"``, which takes seconds to compile a network and is then faster on a
        CPU.
    precision : str
        ``"fp32"``, ``"bf16"``, ``"fp16"``, or ``"auto"``: fp16 where nnU-Net uses it,
        which is on a GPU, and fp32 elsewhere; of instances bf16 on processors that
        compute in it.
    max_memory : float or None
        Most memory to take, in GB; None: four fifths of what is free.
    batch : int or None
        Windows at once; None: by device and memory.
    uncertainty : bool
        Also say where folds and mirrored copies disagree.
    decoder : str or None
        Of landmarks: how the place between voxels is found, a key of
        `autoseg.landmarks.decoders.DECODERS`; None: the plan's.
    diameter : float or None
        Of instances: how large they usually are in the images, as the diameter of a
        disk or ball of the same size, in the model's unit of length (pixels, of
        pictures); None: where the model says how large its objects were, it looks
        itself, otherwise images are seen as they are.
    prune : str or None
        Of networks with a nested decoder: ``"1"``, ``"2"``, ... stops at an output,
        ``"mean"`` averages all; None: the deepest.
    copies : int
        Of landmarks: images that are looked at and averaged, the image itself and
        others that are turned by 6 degrees or scaled by 6 %, up to 9; each costs as
        much time as the image.
    window : str or sequence of int or None
        Edges of the windows, in the order of the plan's ``patch_size``, where the
        network takes them; ``"auto"``: as they cover each image with fewest voxels;
        None: those of training, but of instances in pictures as ``"auto"``.

    Raises
    ------
    UsageError
        If a value cannot be.
    """

    step_size: float | None = None
    mirror: Mirror | None = None
    exact: bool = False
    device: str = "auto"
    backend: str = "auto"
    precision: str = "auto"
    max_memory: float | None = None
    batch: int | None = None
    uncertainty: bool = False
    decoder: str | None = None
    prune: str | None = None
    diameter: float | None = None
    copies: int = 1
    window: str | Sequence[int] | None = None

    def __post_init__(self) -> None:
        problems = []
        if self.step_size is not None and not 0 < self.step_size <= 1:
            problems.append(f"the step size is {self.step_size}; give over 0, up to 1")
        if isinstance(self.mirror, str) and self.mirror != OPPOSITE:
            problems.append(f"mirror is {self.mirror!r}; give yes, no or {OPPOSITE!r}")
        known = (AUTO, *BACKENDS.names())
        if self.backend not in known:
            problems.append(f"backend {self.backend!r} is none of {', '.join(known)}")
        if self.precision not in (AUTO, *PRECISIONS):
            formats = ", ".join(PRECISIONS)
            problems.append(f"precision {self.precision!r}: give auto, {formats}")
        if self.max_memory is not None and not 0 < self.max_memory < 1e9:
            problems.append(f"the most memory is {self.max_memory} GB; give over 0")
        if self.batch is not None and self.batch < 1:
            problems.append(f"the batch is {self.batch}; give 1 or more")
        problems += self._odd_window()
        if not 1 <= self.copies <= MOST_COPIES:
            problems.append(f"copies is {self.copies}; give 1 to {MOST_COPIES}")
        if self.diameter is not None and not 0 < self.diameter < math.inf:
            problems.append(f"the diameter is {self.diameter}; give over 0")
        if self.exact and self.precision not in (AUTO, "fp32"):
            problems.append(f"exact results need fp32, not {self.precision}")
        if self.exact and self.backend in BACKENDS:
            if not BACKENDS[self.backend].exact:
                exact = " or ".join(n for n in BACKENDS.names() if BACKENDS[n].exact)
                problems.append(f"exact results need the {exact} backend")
        if problems:
            raise UsageError("; ".join(problems) + ".")

    def _odd_window(self) -> list[str]:
        if self.window is None or self.window == AUTO:
            return []
        if self.exact:
            return ["exact results need the windows of training; leave window out"]
        whole = all(isinstance(n, int) and n > 0 for n in self.window)
        if isinstance(self.window, str) or not whole or len(self.window) not in (2, 3):
            return [
                f"the window is {self.window!r}; give auto, or an edge in voxels for "
                "each axis, such as 64,128,128"
            ]
        return []


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
        What was asked for, by default ``"torch"``: OpenVINO compiles a network for
        seconds before it is faster.

    Raises
    ------
    UsageError
        If it does not compute on this device.
    """
    name = "torch" if options.backend == AUTO else options.backend
    refused = BACKENDS[name].refuses(device)
    if refused is not None:
        raise UsageError(refused)
    return name


def resolve(options: Options, task: Task, dim: int, device: torch.device) -> Options:
    """Return options with what is left to the task and the device filled in.

    Parameters
    ----------
    options : Options
        As given.
    task : Task
        What is predicted.
    dim : int
        Axes of a window.
    device : torch.device
        Where.

    Returns
    -------
    Options
        ``step_size``, ``mirror``, ``backend`` and ``precision`` are set.
    """
    step_size = options.step_size or step_size_of(task)
    mirror = mirror_of(task, dim) if options.mirror is None else options.mirror
    return replace(
        options,
        step_size=step_size,
        mirror=mirror,
        backend=choose_backend(options, device),
        precision=choose_precision(options, device, task.sturdy),
    )


def mirror_of(task: Task, dim: int) -> Mirror:
    """Return which mirrored copies are averaged over by default.

    Parameters
    ----------
    task : Task
        What is predicted.
    dim : int
        Axes of a window.

    Returns
    -------
    bool or str
        All of them. Of sturdy tasks (instances) none, which gain little, but in volumes
        the opposite one: docs/benchmarks.md, "Instances in three dimensions".
    """
    if not task.sturdy:
        return True
    return OPPOSITE if dim == 3 else False


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
    if options.precision != AUTO:
        return options.precision
    if options.exact or not BACKENDS[choose_backend(options, device)].half:
        return "fp32"
    if device.type == "cuda":
        return "fp16"
    native = device.type == "cpu" and cpu_computes_bf16()
    return "bf16" if sturdy and native else "fp32"
