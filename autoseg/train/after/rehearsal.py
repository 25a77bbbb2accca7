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
QUICK = 5.0  # seconds of a case: then it is done again, since the first one loads much


def rehearse(job: Job, device: str, to_predict: int = 0) -> float | None:
    """Predict and score one validation case, and throw it away.

    Parameters
    ----------
    job : Job
        A fold with a checkpoint of the name above.
    device : str
        Where to predict.
    to_predict : int
        New images to come, which are taken to be like the validation cases.

    Returns
    -------
    float or None
        Seconds that all of them will take so, with some room; None if no case is held
        back, or it did not work now: what is wrong is said at the end.
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
        first = predicting, scoring = _seconds(job, device, chosen)
        if sum(first) < QUICK:
            predicting, scoring = _seconds(job, device, chosen)
        once = max(0.0, sum(first) - predicting - scoring)
        images = to_predict / len(sizes)
        return ROOM * (once + share * ((1 + images) * predicting + scoring))
    except (AutosegError, OSError, ValueError) as error:
        logger.debug("The rehearsal failed: %s", error)
        return None
    finally:
        quiet.setLevel(level)


def _seconds(job: Job, device: str, case_id: str) -> tuple[float, float]:
    """Return how long it takes to predict a case, and to score it."""
    with tempfile.TemporaryDirectory() as place:
        return _seconds_in(Path(place), job, device, case_id)


def _seconds_in(
    place: Path, job: Job, device: str, case_id: str
) -> tuple[float, float]:
    kind = AFTER_KINDS.get(job.task.kind, AfterKind)(job, device)
    model = load_model(job.model_folder, folds=[job.fold], checkpoint=NAME)
    case = job.dataset.case(case_id)
    output = place / f"{case_id}{prediction_ending(case, model)}"
    start = time.perf_counter()
    kind.rehearse(model, PredictionJob(case=case, output=output))
    predicted = time.perf_counter()
    evaluate(place, dataset=job.dataset, task=job.plan.task, cases=[case_id])
    return predicted - start, time.perf_counter() - predicted
