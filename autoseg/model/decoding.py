"""Parameters of decoding that were tuned on held-back cases, and what they gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoseg.errors import ModelError, PlanError, amount
from autoseg.spec.choice import Choice
from autoseg.spec.json import dumps, from_json, load_object, write_text
from autoseg.tasks import make_task
from autoseg.workspace import DECODING

SCHEMA = 1
MEASURE = "mean AP over IoU 0.50 to 0.90"

Parameters = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some of the cases, and the parameters that were chosen without them.

    Parameters
    ----------
    cases : tuple of str
        Their ids.
    parameters : mapping of str to JSON value
        The best for all other cases.
    """

    cases: tuple[str, ...]
    parameters: Parameters


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """What was chosen, and why.

    Parameters
    ----------
    decoder : str
        What the parameters are of.
    parameters : mapping of str to JSON value
        What is used: the best for all cases, or the defaults.
    defaults : mapping of str to JSON value
        The plan's.
    before, after : float
        `MEASURE`, all objects of all cases counted together, with the defaults and with
        the best parameters.
    held_out : float or None
        The same with each part by the parameters of the others; None if there is one
        part only.
    kept : bool
        Whether the best parameters are used: their gain shows on cases that had no say.
    parts : tuple of Part
        Of the cases that were tuned on.
    objects : int
        Annotated objects in these cases.
    tried : mapping of str to list of [value, float]
        `MEASURE` for values of each parameter, the others as in the best.
    best : mapping of str to JSON value
        The best parameters for all cases, also if they are not used.
    evaluations : int
        How often all cases were decoded.
    schema : int
        Version of the file's layout.
    """

    decoder: str
    parameters: Parameters
    best: Parameters
    defaults: Parameters
    before: float
    after: float
    held_out: float | None
    kept: bool
    parts: tuple[Part, ...]
    objects: int
    tried: Mapping[str, Any]
    evaluations: int
    schema: int = SCHEMA

    @property
    def cases(self) -> int:
        """How many cases were tuned on."""
        return sum(len(part.cases) for part in self.parts)

    def for_case(self, case_id: str) -> Parameters:
        """Return the parameters for a case in which that case had no say."""
        for part in self.parts:
            if case_id in part.cases:
                return part.parameters
        return self.parameters

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        write_text(path, dumps(self))

    @classmethod
    def load(cls, path: Path) -> Decoding:
        """Read it; raises ModelError with every fault of the file."""
        try:
            raw = load_object(path)
            if raw.get("schema") != SCHEMA:
                raise PlanError(
                    f"{path} has schema {raw.get('schema')}; this autoseg reads "
                    f"{SCHEMA}."
                )
            found = from_json(cls, raw, str(path))
            every = (found.parameters, *(part.parameters for part in found.parts))
            for parameters in every:
                for name, value in parameters.items():
                    if isinstance(value, bool) or not isinstance(value, (int, float)):
                        raise PlanError(f"{path}: {name} is {value!r}, not a number.")
            return found
        except PlanError as error:
            raise ModelError(
                f"{error}\nDelete the file to predict with the plan's parameters."
            ) from None

    def text(self) -> str:
        """Return a table for people: what was tried of each parameter, and its gain."""
        rows = [["parameter", "default", "best", f"{MEASURE} of each value"]]
        for name, tried in self.tried.items():
            shown = "  ".join(f"{value:g}: {score:.3f}" for value, score in tried)
            rows.append([name, f"{self.defaults[name]:g}", f"{self.best[name]:g}"])
            rows[-1].append(shown)
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = [
            "  ".join(
                [
                    row[0].ljust(widths[0]),
                    row[1].rjust(widths[1]),
                    row[2].rjust(widths[2]),
                    row[3],
                ]
            )
            for row in rows
        ]
        return "\n".join([*lines, self.verdict()])

    def verdict(self) -> str:
        """Return in one sentence what came of it."""
        found = (
            f"{amount(self.cases, 'case')}, {amount(self.objects, 'object')}: "
            f"{self.before:.4f} with the "
            f"defaults, {self.after:.4f} with the best"
        )
        if self.held_out is None:
            return f"{found}; one case cannot confirm it, so the defaults stay."
        found += f", {self.held_out:.4f} on cases that had no say"
        used = "the best are used" if self.kept else "the defaults stay"
        return f"{found}: {used}."


def combined(decodings: Sequence[Decoding]) -> Parameters:
    """Return parameters for the average of several folds' networks.

    Each is the median over the folds; of an even number, the lower of the middle two.
    """
    names = decodings[0].parameters
    every = {name: sorted(one.parameters[name] for one in decodings) for name in names}
    return {name: some[(len(some) - 1) // 2] for name, some in every.items()}


def task_options(task: Choice, decodings: Sequence[Decoding], where: str) -> Parameters:
    """Return the options of a task that folds have tuned.

    Parameters
    ----------
    task : Choice
        The plan's.
    decodings : sequence of Decoding
        Of folds; none: nothing is changed.
    where : str
        The model, for messages.

    Returns
    -------
    mapping of str to JSON value
        For `Postprocessing.task`.

    Raises
    ------
    ModelError
        If they belong to another plan.
    """
    if not decodings:
        return {}
    made = make_task(task)
    for one in decodings:
        own, known = made.decoding_name, made.tunable
        if one.decoder != own or set(one.parameters) != set(known):
            raise ModelError(
                f"{where}: {DECODING} has the parameters "
                f"{', '.join(one.parameters)} of {one.decoder!r}, and the plan's "
                f"{own!r} has {', '.join(known)}. Delete {DECODING} to predict with "
                "the plan's parameters."
            )
    return made.tuned(combined(decodings))
