"""A U-Net with a residual encoder in three sizes: M, L and XL."""

from __future__ import annotations

from autoseg.errors import UsageError
from autoseg.spec.choice import Choice
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.plan import Plan
from planners import PLANNERS
from planners._family import Family
from planners._rules import make_plan
from planners.base import Budget


def _family(gb: float, elements_2d: float, elements_3d: float) -> Family:
    return Family(
        network="residual_unet",
        elements={2: elements_2d, 3: elements_3d},
        memory_gb=gb,
        whole_batch=False,
        cover=1.0,
    )


PRESETS = {
    "M": _family(8, 135e6, 680e6),
    "L": _family(24, 380e6, 2100e6),
    "XL": _family(40, 560e6, 3600e6),
}


@PLANNERS.register
def residual_unet(fingerprint: Fingerprint, task: Choice, budget: Budget) -> Plan:
    """Plan a residual-encoder U-Net: preset M (8 GB), L (24 GB) or XL (40 GB).

    Parameters
    ----------
    fingerprint : Fingerprint
        The data set, in numbers.
    task : Choice
        A file in ``autoseg/tasks``, with the options that dataset.json gives.
    budget : Budget
        What the plan may cost; its preset is M if none is given. A budget other than
        the preset's own scales the preset.

    Returns
    -------
    Plan
        Called ``residual_unet_m``, ``residual_unet_l`` or ``residual_unet_xl``.

    Raises
    ------
    PlanError
        If nothing fits the budget; with what the smallest plan needs.
    UsageError
        If there is no such preset.

    References
    ----------
    .. [1] Isensee et al., "nnU-Net Revisited: A Call for Rigorous Validation in 3D
       Medical Image Segmentation", MICCAI 2024. doi:10.1007/978-3-031-72114-4_47
    """
    preset = (budget.preset or "M").upper()
    if preset not in PRESETS:
        raise UsageError(
            f"Planner residual_unet has no preset {budget.preset!r}; there are "
            f"{', '.join(PRESETS)}."
        )
    name = f"residual_unet_{preset.lower()}"
    return make_plan(
        fingerprint,
        task,
        budget,
        PRESETS[preset],
        planner="residual_unet",
        name=name,
    )
