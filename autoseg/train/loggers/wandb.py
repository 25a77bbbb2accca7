"""Weights & Biases, by its own variables or those that nnU-Net has for it.

``nnUNet_wandb_project`` or ``WANDB_PROJECT`` names the project, by default autoseg;
``nnUNet_wandb_mode`` or ``WANDB_MODE`` says whether it is online, offline or disabled.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from autoseg.train.loggers import LOGGERS
from autoseg.train.loggers.base import Logger, Subject

PROJECT = "autoseg"
PROJECTS = ("nnUNet_wandb_project", "WANDB_PROJECT")
STEP = "iteration"


@LOGGERS.register
class Wandb(Logger):
    """One run of Weights & Biases for each training."""

    package = extra = "wandb"

    def begin(self, subject: Subject, known: str | None) -> str:
        import wandb

        named = (os.environ.get(name) for name in PROJECTS)
        run: Any = wandb.init(
            project=next(filter(None, named), PROJECT),
            id=known,
            resume=None if known is None else "allow",
            mode=os.environ.get("nnUNet_wandb_mode") or None,
            name=subject.name,
            group=subject.dataset,
            dir=str(subject.folder),
            config=dict(subject.settings),
        )
        # Iterations that are done again after a stop are drawn again, too.
        run.define_metric(STEP, hidden=True)
        run.define_metric("*", step_metric=STEP)
        self._run = run
        return str(run.id)

    def log(self, iteration: int, numbers: Mapping[str, float]) -> None:
        self._run.log({STEP: iteration, **numbers})

    def close(self, finished: bool) -> None:
        self._run.finish(exit_code=0 if finished else 1)
