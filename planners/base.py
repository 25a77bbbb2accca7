"""The interface of a planner, and what a plan may cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from autoseg.errors import UsageError
from autoseg.spec.choice import Choice
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.plan import Plan

Rule = Literal["nnunet", "bytes"]


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a plan may cost, and what the user has fixed already.

    Parameters
    ----------
    memory_gb : float or None
        Device memory for one training step, in GB; None: the preset's own.
    rule : str
        ``"nnunet"``: feature map elements against a constant, which gives nnU-Net's
        plans; ``"bytes"``: the bytes that a step really needs never exceed
        ``memory_gb``.
    preset : str or None
        A named size of the planner, such as ``"L"``; None: its first.
    overrides : mapping of str to JSON value
        Values that the user sets, planned around: see `planners._overrides`.
    precision : str
        ``"fp32"``, ``"bf16"`` or ``"fp16"``: what the bytes are predicted for.
    operations : float or None
        Multiplications and additions of one forward pass over a patch, at most: widths
        of the network are chosen for it; None: as the network is planned otherwise.
    processor : str
        What will train, ``"gpu"`` or ``"cpu"``. Without a given memory, landmarks are
        planned coarser for a CPU, since it could not train on a fine grid in a day.
    gpus : int
        How many share a batch; the memory is that of each.

    Raises
    ------
    UsageError
        If the memory is not positive, the rule is unknown, or there is no GPU.
    """

    memory_gb: float | None = None
    rule: Rule = "nnunet"
    preset: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    precision: Literal["fp32", "bf16", "fp16"] = "bf16"
    processor: Literal["gpu", "cpu"] = "gpu"
    operations: float | None = None
    gpus: int = 1

    def __post_init__(self) -> None:
        if self.memory_gb is not None and not 0 < self.memory_gb < float("inf"):
            raise UsageError(
                f"A memory budget of {self.memory_gb} GB is impossible; "
                "give a positive number."
            )
        if self.operations is not None and not 0 < self.operations < float("inf"):
            raise UsageError(
                f"A budget of {self.operations} operations is impossible; give a "
                "positive number, as in 2G."
            )
        if self.gpus < 1:
            raise UsageError(f"--gpus is {self.gpus}; give 1 or more.")
        if self.rule not in ("nnunet", "bytes"):
            raise UsageError(
                f"Budget rule {self.rule!r} is unknown; there are nnunet and bytes."
            )


class Planner(Protocol):
    """A pure function: the same fingerprint, task and budget give the same plan."""

    def __call__(self, fingerprint: Fingerprint, task: Choice, budget: Budget) -> Plan:
        """Return the plan; see `planners.unet`."""
