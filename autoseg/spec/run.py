"""The record of a training run: every number it was made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoseg.errors import PlanError
from autoseg.spec.json import dumps, from_json, load_object, to_json, write_text

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything that decides what a fold's weights become, beside plan and data.

    It names no machine, no folder and no user.

    Parameters
    ----------
    dataset, plan, configuration : str
        What is trained.
    fold : str
        Its number, or ``"all"``.
    recipe : mapping of str to JSON value
        Every number of the recipe, as used; see `autoseg.train.setup.recipes.Recipe`.
    because : str
        Why it is this recipe.
    iterations : int or None
        Length of the training; None: by ``time_budget``.
    time_budget : float or None
        Seconds, validation included.
    reserved : float
        Seconds of the time budget that are kept for validation, and for new images that
        are predicted afterwards, as expected when training began.
    prepared : float
        Seconds of it that had passed when training began.
    batch_size : int
        Patches in one iteration.
    seed : int
        Of weights, patches and augmentation.
    device : str
        Kind of the device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
    precision : str
        ``"fp32"``, ``"bf16"`` or ``"fp16"``.
    channels_last, compiled : bool
        Layout in memory, and whether the network was compiled.
    threads, loader_threads : int
        Threads of an operation and of the loader. With another number of threads sums
        are taken in another order, so that weights differ in their last digits.
    processes : int
        How many trained together when it began, each with its threads.
    overrides : mapping of str to JSON value
        Fields of the plan's configuration that were replaced by hand.
    fitted : mapping of str to JSON value
        Fields of it that were replaced so that training fits the time budget.
    fitted_because : str
        Why.
    training_cases, validation_cases : int
        How many there are of each.
    split : str
        Short hash of which these are.
    data : mapping of str to str
        Content of the files of each case, as a hash; see
        `autoseg.datasets.identity.content_of`. Empty in records of versions before.
    init_from : str or None
        SHA-256 of the weights that training started from.
    versions : mapping of str to str
        Of autoseg, torch, NumPy and Python.
    schema : int
        Version of the file's layout.
    """

    dataset: str
    plan: str
    configuration: str
    fold: str
    recipe: Mapping[str, Any]
    because: str
    iterations: int | None
    time_budget: float | None = None
    reserved: float = 0.0
    prepared: float = 0.0
    batch_size: int
    seed: int
    device: str
    precision: str
    channels_last: bool
    compiled: bool
    threads: int
    loader_threads: int
    processes: int = 1
    overrides: Mapping[str, Any] = field(default_factory=dict)
    fitted: Mapping[str, Any] = field(default_factory=dict)
    fitted_because: str = ""
    training_cases: int = 0
    validation_cases: int = 0
    split: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    init_from: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        if (self.iterations is None) == (self.time_budget is None):
            raise PlanError("give either `iterations` or `time_budget`, and not both.")
        if self.schema != SCHEMA:
            raise PlanError(f"schema {self.schema}; this autoseg reads {SCHEMA}.")

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        write_text(path, dumps(self))

    @classmethod
    def load(cls, path: Path) -> Run:
        """Read it; raises PlanError with every fault of the file at once."""
        return from_json(cls, load_object(path), str(path))


def differences(recorded: Any, asked: Any, path: str = "") -> list[str]:
    """Return where two JSON values or dataclasses differ, one line for each place.

    Parameters
    ----------
    recorded, asked : JSON value or dataclass
        What is written down, and what somebody wants now.
    path : str
        Stands before the name of each field.

    Returns
    -------
    list of str
        Empty if they are equal.

    Examples
    --------
    >>> differences({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3}})
    ['b.c: 2 is recorded, 3 is asked for']
    """
    before, now = to_json(recorded), to_json(asked)
    if isinstance(before, dict) and isinstance(now, dict):
        found = []
        for key in sorted(before.keys() | now.keys()):
            inner = f"{path}.{key}".lstrip(".")
            found += differences(before.get(key), now.get(key), inner)
        return found
    if before == now:
        return []
    return [f"{path}: {before} is recorded, {now} is asked for"]
