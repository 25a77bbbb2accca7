"""Lengths of a data set whose files are in several units: measured in one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from autoseg.errors import amount, some_of
from autoseg.fingerprint.survey import Survey
from autoseg.formats.geometry import may_differ_in_unit
from autoseg.parallel import MemoryBudget, map_cases
from autoseg.spec.foreign.units import common_unit

log = logging.getLogger(__name__)


def in_one_unit(
    survey: Survey, stamps: Mapping[str, str], workers: int | None
) -> Survey:
    """Measure again, in the commonest unit, the cases that are in another.

    Parameters
    ----------
    survey : Survey
        With all cases measured, each in the unit of its image.
    stamps : mapping of str to str
        Of the cases.
    workers : int or None
        Cases at a time.

    Returns
    -------
    Survey
        Of the same journal. Its data set says the unit, if there were several; where
        some images have no size, nothing can be converted, and pooling refuses them.
    """
    cases = survey.dataset.training
    images = (path for case in cases for path in case.images)
    if not may_differ_in_unit(images, survey.dataset):
        return survey
    units = {}
    for case in cases:
        entry = survey.entry(case.id, stamps)
        if entry is not None:
            units[case.id] = str(entry["shape"]["unit"])
    unit = common_unit(units.values())
    if unit is None:
        return survey
    converted = replace(survey, dataset=replace(survey.dataset, lengths=unit))
    other = [case for case in cases if units.get(case.id, unit) != unit]
    log.info(
        "fingerprint: lengths of %s (%s) are converted to %s.",
        amount(len(other), "case"),
        some_of([case.id for case in other]),
        unit,
    )
    map_cases(
        partial(converted.without_cases().measure, memory=MemoryBudget()),
        [(case, stamps[case.id]) for case in other],
        stage="convert lengths",
        workers=workers,
        name=lambda item: item[0].id,
    )
    return converted
