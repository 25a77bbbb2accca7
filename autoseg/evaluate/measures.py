"""What is known of each measure: its name for people, and which end of it is good."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from autoseg.evaluate.summary import HEADINGS
from autoseg.metrics.instances import ANY_CLASS


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number that predictions are judged by.

    Parameters
    ----------
    heading : str
        For people.
    better : str
        ``"higher"``, ``"lower"`` or ``"zero"``: near 0, whatever the sign.
    length : bool
        Whether it is in the unit of the images.
    """

    heading: str
    better: str = "higher"
    length: bool = False


# In the order in which they are asked for: the first that a task has ranks its cases.
MEASURES: Mapping[str, Measure] = {
    "map": Measure(heading="mAP per image"),  # instances have a Dice, too
    "dice": Measure(heading="Dice"),
    "mre": Measure(heading="MRE", better="lower", length=True),
    "hd95": Measure(heading="HD95", better="lower", length=True),
    "assd": Measure(heading="ASSD", better="lower", length=True),
    "nsd": Measure(heading="NSD"),
    "iou": Measure(heading="IoU"),
    "nme": Measure(heading="NME", better="lower"),
    "sensitivity": Measure(heading="sensitivity"),
    "precision": Measure(heading="precision"),
    "volume_error": Measure(heading="volume error", better="zero"),
    "count_error_pooled": Measure(heading="count error", better="zero"),
}


def measure_of(name: str) -> Measure:
    """Return what is known of a measure; of an unknown one, that higher is better."""
    pooled = HEADINGS.get(f"{name}_pooled", name)
    return MEASURES.get(name, Measure(heading=HEADINGS.get(name, pooled)))


def main_measure(names: Iterable[str]) -> str:
    """Return the measure, of those that there are, that cases are ranked by.

    Examples
    --------
    >>> main_measure(["tp", "hd95", "dice"])
    'dice'
    """
    there = list(names)
    return next((name for name in MEASURES if name in there), (there or ["dice"])[0])


def badness(name: str, value: float) -> float:
    """Return a number that is lower for a better value; NaN stays NaN.

    Examples
    --------
    >>> badness("dice", 0.9), badness("hd95", 3.0), badness("volume_error", -0.1)
    (-0.9, 3.0, 0.1)
    """
    better = measure_of(name).better
    if better == "higher":
        return -value
    return value if better == "lower" else math.fabs(value)


def mean_over_classes(scores: Mapping[str, Mapping[str, float]], name: str) -> float:
    """Return a case's mean of a measure over its classes, "any class" left out.

    Parameters
    ----------
    scores : mapping of str to mapping of str to float
        Of one case, by class and measure.
    name : str
        The measure.

    Returns
    -------
    float
        Over the classes where it is defined; infinite if it is for one of them; NaN if
        it is defined for none.
    """
    values = [
        by_measure.get(name, math.nan)
        for class_name, by_measure in scores.items()
        if class_name != ANY_CLASS
    ]
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def spelled(by: str, measures: Collection[str]) -> str:
    """Return a measure as summaries call it, however it is written.

    Examples
    --------
    >>> spelled("SDR@2mm", {"mre", "sdr_2"}), spelled("dice", {"dice"})
    ('sdr_2', 'dice')
    """
    if by in measures:
        return by
    plain = re.sub(r"(?<=\d)\s*(mm|um|px)$", "", by.lower()).replace("@", "_")
    return plain if plain in measures else by
