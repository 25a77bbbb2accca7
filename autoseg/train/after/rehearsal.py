"""How long validation will take, by doing it with one case before training ends."""

from __future__ import annotations

import logging
import math
import tempfile
import time
from pathlib import Path

from autoseg.errors import AutosegError
from autoseg.evaluate.stage import evaluate
from autoseg.model.load import load_model
from autoseg.predict.cases import prediction_ending
from autoseg.predict.job import Job as PredictionJob
from autoseg.train.after.kinds import AFTER_KINDS
from autoseg.train.after.kinds.base import AfterKind
from autoseg.train.setup.job import Job

logger = logging.getLogger(__name__)

NAME = "rehearsal"  # of the checkpoint that is predicted with
CHECKPOINT = f"checkpoint_{NAME}.pt"
ROOM = 1.1  # of what was measured


def rehearse(job: Job, device: str) -> float | None:
    """Predict and score one validation case, and throw it away.

    Parameters
    ----------
    job : Job
        A fold with a checkpoint of the name above.
    device : str
        Where to predict.

    Returns
    -------
    float or None
        Seconds that all validation cases will take so, with some room; None if there
        are none, or it did not work now: what is wrong is said at the end.
    """
    cascaded = job.settings.previous is not None and not job.is_fine
    if not job.validation or cascaded:  # a cascade wants labels of the stage before
        return None
    sizes = {c: math.prod(job.store.open(c).shape) for c in job.validation}
    ordered = sorted(sizes, key=lambda case: (sizes[case], case))
    chosen = ordered[len(ordered) // 2]
    share = sum(sizes.values()) / max(1, sizes[chosen])
    quiet = logging.getLogger("autoseg")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory() as place:
            return ROOM * share * _seconds(job, device, chosen, Path(place))
    except (AutosegError, OSError, ValueError) as error:
        logger.debug("The rehearsal failed: %s", error)
        return None
    finally:
        quiet.setLevel(level)


def _seconds(job: Job, device: str, case_id: str, place: Path) -> float:
    kind = AFTER_KINDS.get(job.task.kind, AfterKind)(job, device)
    model = load_model(job.model_folder, folds=[job.fold], checkpoint=NAME)
    case = job.dataset.case(case_id)
    output = place / f"{case_id}{prediction_ending(case, model)}"
    start = time.perf_counter()
    kind.rehearse(model, PredictionJob(case=case, output=output))
    evaluate(place, dataset=job.dataset, task=job.plan.task, cases=[case_id])
    return time.perf_counter() - start
