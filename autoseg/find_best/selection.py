"""What was chosen and why: an object, JSON, and lines for people."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from autoseg.errors import amount
from autoseg.evaluate.measures import measure_of
from autoseg.evaluate.numbers import plain
from autoseg.find_best.step import Step
from autoseg.find_best.table import Gain
from autoseg.model.decoding import Decoding
from autoseg.model.postprocessing import Postprocessing
from autoseg.spec.json import dumps, to_json, write_text

SCHEMA = 1
POINTS = ("mre",)  # lengths that only landmarks have


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One configuration, or an average of two.

    Parameters
    ----------
    name : str
        Plan and configuration; of an average both.
    mean : float
        Of the measure, over classes and cases.
    low, high : float
        Its 95 % confidence interval, by a bootstrap over cases.
    gain : Gain or None
        Of an average over the best single configuration.
    """

    name: str
    mean: float
    low: float
    high: float
    gain: Gain | None = None


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What was found.

    Parameters
    ----------
    dataset : str
        Name of the data set.
    by : str
        The measure.
    unit : str
        Of lengths.
    cases : int
        How many the numbers stand on.
    chosen : str
        Name of the configuration or average.
    models : tuple of Scored
        Everything that was compared; single configurations first.
    steps : tuple of Step
        Post-processing that was tried.
    postprocessing : Postprocessing
        What was kept of it.
    final : Scored
        The chosen one as the bundle predicts, post-processing included. Its parameters
        were chosen on these cases: gains of the steps are the honest numbers.
    left_out : tuple of str
        Configurations that could not be compared, and why.
    bundle : str
        Name of its file.
    confidence : str
        Of landmarks: the table of thresholds and expected errors that the folds learnt
        together.
    decoding : Decoding or None
        What was tried of how instances are decoded.
    schema : int
        Version of the file's layout.
    """

    dataset: str
    by: str
    unit: str
    cases: int
    chosen: str
    models: tuple[Scored, ...]
    final: Scored
    steps: tuple[Step, ...] = ()
    postprocessing: Postprocessing = field(default_factory=Postprocessing)
    left_out: tuple[str, ...] = ()
    bundle: str = ""
    confidence: str = ""
    decoding: Decoding | None = None
    schema: int = SCHEMA

    def save(self, path: Path) -> None:
        """Write it as strict JSON: a number that is not defined is null."""
        write_text(path, dumps(plain(to_json(self))))

    def text(self) -> str:
        """Return lines for people."""
        by = measure_of(self.by)
        unit = f" [{self.unit}]" if by.length else ""
        rows = [["", f"{by.heading}{unit}", "95 % interval", "gain", "95 % interval"]]
        rows += [_row(one.name, one) for one in self.models]
        rows += [_step_row(step) for step in self.steps]
        rows.append(_row(f"= {self.chosen}, as in the bundle", self.final))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if place == 0 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        notes = [
            "",
            f"{amount(self.cases, 'case')}, each predicted by the fold that was not "
            "trained on "
            "it. Gains of averages",
            "are over the best single configuration, those of steps for their class, "
            "by parameters",
            "chosen on other folds. Kept is what has its whole interval above 0.",
        ]
        if self.by in POINTS:
            notes += [
                "A landmark that was missed or made up counts as the diagonal of the "
                "largest image,",
                "one that was rightly called absent as found exactly.",
            ]
        if self.confidence:
            notes += ["", "How far to trust points:", self.confidence]
        if self.decoding is not None:
            notes += ["", self.decoding.text()]
        return "\n".join([*lines, *notes])

    def markdown(self) -> str:
        """Return the same for a model card."""
        return f"\n## How it was chosen\n\n```\n{self.text()}\n```\n"


def _row(name: str, one: Scored) -> list[str]:
    gain = ["", ""] if one.gain is None else _gain(one.gain)
    return [name, _number(one.mean), _interval(one.low, one.high), *gain]


def _step_row(step: Step) -> list[str]:
    tried = f"{step.name}: {step.value}" if step.value == "none" else step.value
    name = f"  {step.of}: {tried}" + (" (kept)" if step.kept else "")
    return [name, "", "", *_gain(step.gain)]


def _gain(gain: Gain) -> list[str]:
    low, high = f"{gain.low:+.4f}", f"{gain.high:+.4f}"
    known = "-" if math.isnan(gain.low) else f"[{low}, {high}]"
    return [f"{gain.mean:+.4f}", known]


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _interval(low: float, high: float) -> str:
    return "-" if math.isnan(low) else f"[{low:.4f}, {high:.4f}]"
