"""Self-configuring segmentation, instances and landmarks, in 2-D and 3-D.

The functions here do what the commands of the same names do::

    autoseg.init(folder)            autoseg.run(dataset, time_budget="2h")
    autoseg.check(dataset)          autoseg.train(dataset, "3d_fullres", 0)
    autoseg.fingerprint(dataset)    autoseg.predict(model, images, output)
    autoseg.plan(dataset)           autoseg.evaluate(predictions, annotations)
    autoseg.preprocess(dataset)     autoseg.report(dataset)
    autoseg.find_best(dataset)      autoseg.compare(runs, page)
    autoseg.export(model, bundle)   autoseg.import_nnunet(folder, bundle)
    autoseg.plan_and_preprocess(dataset)
    autoseg.demo()                  autoseg.doctor()
    autoseg.slurm(dataset)          autoseg.models()
    autoseg.merge(datasets, folder)  autoseg.next(dataset, images, output)
    autoseg.pretrain(images, dataset, "3d_fullres", time_budget="1h")
    autoseg.teach(dataset, images, model, folder)
    autoseg.Predictor.load(model).predict(image)

They are imported when they are first used, so that ``import autoseg`` is instant.
``autoseg/__init__.pyi`` says the same to editors and type checkers.
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
    "init": "autoseg.describing.stage",
    "run": "autoseg.running.stage",
    "check": "autoseg.fingerprint.check.stage",
    "plan": "planners.stage",
    "plan_and_preprocess": "autoseg.prepare",
    "merge": "autoseg.datasets.merge",
    "next": "autoseg.teaching.stage",
    "pretrain": "autoseg.train.pretrain.stage",
    "teach": "autoseg.train.teach.stage",
    "compare": "autoseg.report.compare.stage",
    "export": "autoseg.model.export",
    "import_nnunet": "autoseg.model.export",
    "demo": "autoseg.cli.demo",
    "models": "autoseg.model.library.stage",
    "doctor": "autoseg.cli.doctor",
    "slurm": "autoseg.cli.slurm",
    "Predictor": "autoseg.predict.predictor",
}

_BESIDE = {"train": "autoseg.report.live"}  # what Python and commands have alike

__all__ = ["__version__", *_STAGES, *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _STAGES:
        return _imported(f"autoseg.{name}")
    if name in _PUBLIC:
        return _public(getattr(_imported(_PUBLIC[name]), name), name)
    raise AttributeError(f"module 'autoseg' has no attribute {name!r}")


def _public(found: Any, name: str) -> Any:
    """Return what Python calls under a name of this module."""
    if isinstance(found, type):
        return found
    from autoseg._stage import in_python

    function = in_python(found)
    function.__module__, function.__qualname__ = __name__, name  # as it is pickled
    return function


def beside(verb: str) -> Any:
    """Return what goes on while a stage is called, or None; see `autoseg._stage`."""
    place = _BESIDE.get(verb)
    return None if place is None else _imported(place).beside


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        from autoseg.namesake import namesake

        if other := namesake(error):
            raise ImportError(other, name=error.name) from error
        raise


def __dir__() -> list[str]:
    return sorted(__all__)
