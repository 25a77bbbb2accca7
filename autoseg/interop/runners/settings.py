"""What a runner needs to know of a model, as JSON, and what it cannot do."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from autoseg import __version__
from autoseg.errors import UsageError
from autoseg.model.model import Model
from autoseg.model.postprocessing import Postprocessing
from autoseg.spec.configuration import Configuration
from autoseg.spec.image import NONZERO
from autoseg.tasks import make_task
from autoseg.tasks.base import Task
from planners.network import declared

LIMIT = 3e38  # where nothing is clipped


def settings_of(model: Model, ending: str) -> dict[str, Any]:
    """Return what the runner needs to know, as JSON.

    Parameters
    ----------
    model : Model
        With weights.
    ending : str
        Of the networks' files, such as ``".onnx"``.

    Raises
    ------
    UsageError
        If the runner cannot do what the model needs.
    """
    chosen, task = (
        model.settings,
        make_task(model.plan.task).for_axes(model.settings.dim),
    )
    declared(chosen.network.name)  # says that a torch module has no drawing
    _check(model, task, chosen)
    flat = model.plan.dim > chosen.dim
    axes = [axis + 1 + flat for axis in chosen.mirror_axes]
    mirrors = itertools.chain(
        *(itertools.combinations(axes, n) for n in range(len(axes) + 1))
    )
    decides = task.pointwise
    painted = None if decides is None else decides.painted
    inner = max(painted) if painted else task.heads[0].channels - 1
    values = np.asarray(task.write(np.arange(inner + 1).astype(np.int16)))
    return {
        "autoseg": __version__,
        "networks": [f"network_{fold}{ending}" for fold in model.folds],
        "outputs": [len(model.folds), task.heads[0].channels],
        "flat": flat,
        "mirrors": [list(mirror) for mirror in mirrors],
        "transpose": list(model.plan.transpose),
        "spacing": list(chosen.spacing),
        "cropped": model.plan.crop == NONZERO,
        "channels": [_channel(c.normalizer) for c in model.plan.channels],
        "image": _resampling(chosen, chosen.resampling.image_order, False),
        "output": _resampling(chosen, chosen.resampling.output_order, True),
        "painted": None if painted is None else list(painted),
        "values": values.tolist(),
    }


def _check(model: Model, task: Task, chosen: Configuration) -> None:
    """Raise UsageError if the runner cannot do what a model needs."""
    decides = task.pointwise
    ways = (
        chosen.resampling.method,
        chosen.resampling.output_method or chosen.resampling.method,
    )
    orders = (chosen.resampling.image_order, chosen.resampling.output_order)
    reasons = {
        f"{task.kind} are not read off outputs": decides is None,
        "it is one of several that are averaged": bool(model.partners),
        "it needs the prediction of a stage before": model.previous is not None,
        "its predictions are postprocessed": model.postprocessing != Postprocessing(),
        f"it resamples by {ways[0]!r}": any(way != "spline" for way in ways),
        f"it resamples by splines of the orders {orders}": any(
            order not in (0, 1, 3) for order in orders
        ),
        "channels are normalized inside of a mask": any(
            channel.masked for channel in model.plan.channels
        ),
    }
    found = [reason for reason, is_so in reasons.items() if is_so]
    if found:
        raise UsageError(
            f"{model.source or 'the model'} cannot be run by NumPy and a runtime "
            f"alone: {'; '.join(found)}. `autoseg export -o FILE.zip` takes any model."
        )


def _channel(normalizer: Any) -> dict[str, Any]:
    """Return how the runner normalizes a channel."""
    plain = {"kind": "fixed", "mean": 0.0, "std": 1.0, "low": -LIMIT, "high": LIMIT}
    options = dict(normalizer.options)
    smallest = options.get("smallest") or 1e-8
    kinds: dict[str, dict[str, Any]] = {
        "zscore": {"kind": "zscore"},
        "rescale_to_0_1": {"kind": "range"},
        "rgb_to_0_1": {"std": 255.0},
        "none": {},
    }
    if normalizer.name == "ct":
        found = {
            "mean": options["mean"],
            "std": options["std"],
            "low": options["percentile_00_5"],
            "high": options["percentile_99_5"],
        }
    elif normalizer.name in kinds:
        found = kinds[normalizer.name]
    else:
        raise UsageError(
            f"The runner has no normalizer {normalizer.name!r}; it has ct, "
            f"{', '.join(kinds)}."
        )
    return {**plain, **found, "smallest": smallest}


def _resampling(chosen: Configuration, order: int, outputs: bool) -> dict[str, Any]:
    given = chosen.resampling
    apart = given.separate_thick
    if outputs and given.output_separate_thick is not None:
        apart = given.output_separate_thick
    return {
        "orders": [order, given.thick_order],  # along an axis; along a thick one
        "threshold": given.threshold,
        "separate_thick": apart,
    }
