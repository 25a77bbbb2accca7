"""How to predict: what changes speed, memory and, where it says so, the result."""

from __future__ import annotations

from dataclasses import dataclass

from autoseg.errors import UsageError
from autoseg.predict.device import PRECISIONS

BACKENDS = ("auto", "torch", "openvino")


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to predict.

    Parameters
    ----------
    step_size : float or None
        Largest distance of neighboring windows in patch edges, over 0 up to 1; None: as
        the task does by default, 0.5, but 0.75 for instances.
    mirror : bool or None
        Average over mirrored copies along the axes that the plan allows; None: as the
        task does by default (all but instances, which gain little by it).
    exact : bool
        nnU-Net v2's arithmetic to the bit: float32 networks, float16 sums in its
        order, plain library calls for resampling. Slower, and needs more memory.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    backend : str
        ``"torch"`` (also ``"auto"``), or ``"openvino"``, which takes seconds to compile
        a network and is then faster on a CPU.
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

    Raises
    ------
    UsageError
        If a value cannot be.
    """

    step_size: float | None = None
    mirror: bool | None = None
    exact: bool = False
    device: str = "auto"
    backend: str = "auto"
    precision: str = "auto"
    max_memory: float | None = None
    batch: int | None = None
    uncertainty: bool = False
    decoder: str | None = None

    def __post_init__(self) -> None:
        problems = []
        if self.step_size is not None and not 0 < self.step_size <= 1:
            problems.append(f"the step size is {self.step_size}; give over 0, up to 1")
        if self.backend not in BACKENDS:
            problems.append(f"backend {self.backend!r} is none of {BACKENDS}")
        if self.precision not in ("auto", *PRECISIONS):
            known = ", ".join(PRECISIONS)
            problems.append(f"precision {self.precision!r}: give auto, {known}")
        if self.max_memory is not None and self.max_memory <= 0:
            problems.append(f"the most memory is {self.max_memory} GB; give over 0")
        if self.batch is not None and self.batch < 1:
            problems.append(f"the batch is {self.batch}; give 1 or more")
        if self.exact and self.precision not in ("auto", "fp32"):
            problems.append(f"exact results need fp32, not {self.precision}")
        if self.exact and self.backend == "openvino":
            problems.append("exact results need the torch backend")
        if problems:
            raise UsageError("; ".join(problems) + ".")
