"""A loss that is no finite number: in which iteration, of which cases, and why."""

from __future__ import annotations

import json
from dataclasses import dataclass

import torch
from torch import Tensor

from autoseg.train.data.batch import Batch
from autoseg.train.setup.hardware import Hardware


@dataclass
class Seen:
    """A loss that nobody has looked at yet.

    Parameters
    ----------
    iteration : int
        Which iteration.
    cases : tuple of str
        Where its patches are from.
    loss : Tensor
        The loss, on the device.
    """

    iteration: int
    cases: tuple[str, ...]
    loss: Tensor


def not_finite(
    seen: Seen, value: float, batch: Batch | None, hardware: Hardware
) -> str:
    """Say whose loss is no finite number, as far as that can be known.

    Parameters
    ----------
    seen : Seen
        The loss.
    value : float
        What it is.
    batch : Batch or None
        The last batch, which may be another one's.
    hardware : Hardware
        What it was computed on; other processes are asked for their cases.

    Returns
    -------
    str
        The error's message.
    """
    cause, found = "", {"cases": list(seen.cases), "bad": []}
    if batch is not None and batch.iteration == seen.iteration:
        finite = torch.isfinite(batch.images.flatten(1)).all(1).tolist()
        pairs = zip(batch.cases, finite, strict=True)
        found["bad"] = [case for case, good in pairs if not good]
    shares = [json.loads(text) for text in hardware.ranks.texts(json.dumps(found))]
    cases = sorted({case for one in shares for case in one["cases"]})
    bad = sorted({case for one in shares for case in one["bad"]})
    if batch is not None and batch.iteration == seen.iteration:
        cause = (
            f" The images of {', '.join(bad)} hold values that are no numbers: mend "
            "them and preprocess again."
            if bad
            else " The images are fine: the training itself went astray."
        )
    lower = "" if hardware.precision == "fp32" else " or --precision fp32"
    return (
        f"The loss of iteration {seen.iteration} is {value}; its patches came from "
        f"case {', '.join(cases)}.{cause} Look at these cases, or "
        f"try a lower --lr{lower}; the last checkpoint is untouched."
    )
