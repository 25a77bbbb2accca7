"""Weights that nnssl [1]_ learnt without annotation, under the names of our networks.

Its checkpoints say by an adaptation plan where encoder and stem of a residual U-Net
are; methods put them at places of their own. What it learnt to fill images in is no
head of ours.

References
----------
.. [1] Wald et al., "An OpenMind for 3D medical vision self-supervised learning", 2024.
   arXiv:2412.17041; github.com/MIC-DKFZ/nnssl.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

PLAN = "nnssl_adaptation_plan"
KEYS = {"key_to_encoder": "encoder.stages", "key_to_stem": "encoder.stem"}
HEAD = ".seg_layers."


def learnt_by_nnssl(content: Mapping[str, Any]) -> bool:
    """Return whether a checkpoint has the adaptation plan of nnssl."""
    return isinstance(content.get(PLAN), Mapping)


def as_ours(
    weights: Mapping[str, Tensor], plan: Mapping[str, Any]
) -> dict[str, Tensor]:
    """Return weights under our names, without heads.

    Parameters
    ----------
    weights : mapping of str to Tensor
        ``network_weights``, each tensor once.
    plan : mapping
        The adaptation plan. Of what is no U-Net, names stay.
    """
    places = _places(plan)
    found: dict[str, Tensor] = {}
    rest: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if HEAD in f".{name}":
            continue
        inside = [key for key in places if name.startswith(f"{key}.")]
        if not inside:
            rest[name] = tensor
            continue
        key = max(inside, key=len)  # the stem may lie in what is called encoder
        found[places[key] + name[len(key) :]] = tensor
    # A second encoder, such as a teacher's, is not what the plan points to.
    return {**{k: v for k, v in rest.items() if k not in found}, **found}


def _places(plan: Mapping[str, Any]) -> dict[str, str]:
    """Return by prefix of the file that of ours; empty: it is no U-Net's."""
    given = {
        str(plan[key]).strip("."): ours
        for key, ours in KEYS.items()
        if isinstance(plan.get(key), str) and str(plan[key]).strip(".")
    }
    encoder = str(plan.get("key_to_encoder", "")).strip(".")
    if not encoder.endswith("stages"):
        return {}
    if str(plan.get("key_to_stem", "")).strip(".").startswith(encoder):
        return {encoder: KEYS["key_to_encoder"]}  # a plain U-Net's first stage
    return given
