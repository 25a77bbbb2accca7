"""Self-configuring segmentation, instances and landmarks, in 2-D and 3-D.

The functions here do what the commands of the same names do::

    autoseg.check(dataset)          autoseg.train(dataset, "3d_fullres", 0)
    autoseg.fingerprint(dataset)    autoseg.predict(model, images, output)
    autoseg.plan(dataset)           autoseg.evaluate(predictions, annotations)
    autoseg.preprocess(dataset)     autoseg.report(dataset)
    autoseg.find_best(dataset)
    autoseg.Predictor.load(model).predict(image)

They are imported when they are first used, so that ``import autoseg`` is instant.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_STAGES = (
    "fingerprint",
    "preprocess",
    "train",
    "predict",
    "evaluate",
    "find_best",
    "report",
)
_PUBLIC = {
    "check": "autoseg.fingerprint.check.stage",
    "plan": "planners.stage",
    "Predictor": "autoseg.predict.predictor",
}

__all__ = ["__version__", *_STAGES, *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _STAGES:
        return importlib.import_module(f"autoseg.{name}")
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'autoseg' has no attribute {name!r}")
