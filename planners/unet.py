"""The default rules: a plain U-Net, as nnU-Net v2 plans it."""

from __future__ import annotations

from autoseg.errors import UsageError
from autoseg.spec.choice import Choice
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.plan import Plan
from planners import PLANNERS
from planners._family import Family
from planners._rules import make_plan
from planners.base import Budget

UNET = Family(
    network="plain_unet",
    elements={2: 85e6, 3: 560e6},
    memory_gb=8,
    whole_batch=True,
    cover=0.05,
)


@PLANNERS.register
def unet(fingerprint: Fingerprint, task: Choice, budget: Budget) -> Plan:
    """Plan a plain U-Net within the budget, 8 GB by default.

    Parameters
    ----------
    fingerprint : Fingerprint
        The data set, in numbers.
    task : Choice
        A file in ``autoseg/tasks``, with the options that dataset.json gives.
    budget : Budget
        What the plan may cost.

    Returns
    -------
    Plan
        Called ``unet``, with a reason for each decision.

    Raises
    ------
    PlanError
        If nothing fits the budget; with what the smallest plan needs.
    UsageError
        If a preset is asked for: there are none.

    References
    ----------
    .. [1] Isensee et al., "nnU-Net: a self-configuring method for deep
       learning-based biomedical image segmentation", Nature Methods 18, 2021.
       doi:10.1038/s41592-020-01008-z
    """
    if budget.preset is not None:
        raise UsageError(
            f"Planner unet has no preset {budget.preset!r}; presets M, L and XL "
            "belong to --planner residual_unet."
        )
    return make_plan(fingerprint, task, budget, UNET, planner="unet")
