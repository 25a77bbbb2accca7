"""What fits a time budget: how many steps, and how much time validation takes."""

from __future__ import annotations

import dataclasses
import logging

from autoseg.spec.json import to_json
from autoseg.spec.run import Run
from autoseg.train.after.duration import images_seconds, validation_seconds
from autoseg.train.assemble import seconds_of_a_step
from autoseg.train.setup.hardware import Hardware
from autoseg.train.setup.job import Job
from autoseg.train.setup.options import Options, resolve_recipe

logger = logging.getLogger(__name__)

# A window is predicted without a backward pass, which takes two thirds of a step.
FORWARD_SHARE = 1 / 3
MOST_RESERVED = 0.5  # of a time budget


def within_time(job: Job, run: Run, asked: Options, hardware: Hardware) -> Run:
    """Choose recipe and time for predictions from a measurement of a few steps.

    Parameters
    ----------
    job : Job
        What is trained.
    run : Run
        As far as it follows from what is asked for.
    asked : Options
        With a time budget.
    hardware : Hardware
        On what.

    Returns
    -------
    Run
        With its recipe, and the seconds that are kept for validation and new images.
    """
    step = seconds_of_a_step(job, run, hardware)
    budget = float(run.time_budget or 0)
    window = step / run.batch_size * FORWARD_SHARE
    reserved = images_seconds(job, window, asked.to_predict)
    what = f"{asked.to_predict} new images"
    if asked.validation:
        reserved += validation_seconds(job, window)
        held = f"the {len(job.validation)} validation cases"
        what = f"{held} and {what}" if asked.to_predict else held
    if reserved > MOST_RESERVED * budget:
        logger.warning(
            "Predicting %s will take about %.0f s, more than half of the time budget; "
            "half is kept for training.%s",
            what,
            reserved,
            "" if asked.to_predict else " --no-validation skips it.",
        )
        reserved = MOST_RESERVED * budget
    guess = max(1, int((budget - reserved) / step))
    recipe, because, _ = resolve_recipe(asked, job.plan, job.configuration, guess)
    logger.info(
        "One iteration takes about %.3f s, so about %d fit; %.0f s are kept for "
        "predictions.",
        step,
        guess,
        reserved,
    )
    return dataclasses.replace(
        run, recipe=to_json(recipe.__dict__), because=because, reserved=reserved
    )
