"""What a user asks for, and the run that it comes to."""

from __future__ import annotations

import dataclasses
import hashlib
import platform
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from autoseg import __version__
from autoseg.errors import TrainingError, UsageError
from autoseg.networks.options import network_recipe
from autoseg.spec.plan import Plan
from autoseg.spec.run import Run, differences
from autoseg.spec.settings.keys import check_keys
from autoseg.spec.settings.recipe import AUTO, Recipe
from autoseg.train.setup.recipes import choose_recipe
from autoseg.train.setup.settings import change_configuration, settings_of

TRAIN = "train."  # settings of the recipe start with it, the others are the plan's
RECIPE = "train"  # as a setting, the recipe itself
OF_TASK = "task."


@dataclass(frozen=True, kw_only=True)
class Options:
    """What may be said about a training; None: decide for me.

    Parameters
    ----------
    recipe : str or None
        ``"nnunet"``, ``"fast"``, ``"adamw"`` or ``"auto"``.
    epochs, iterations : int or None
        Length of the training, one or the other.
    time_budget : float or None
        Seconds after which training and validation are to be over, instead of a length.
    patience : float or None
        Epochs, or below 1 share of the training, without a better validation score
        after which training ends; the same as ``train.patience``.
    lr : float or None
        Highest learning rate.
    batch_size : int or None
        Patches in one iteration; by default the plan's.
    seed : int or None
        Of all random numbers; 0 if not given.
    settings : mapping of str to value
        Any number: ``train.FIELD`` of the recipe, or ``FIELD`` or ``network.OPTION`` of
        the plan's configuration; see `autoseg.spec.settings.keys`.
    device : str
        As in `autoseg.train.setup.hardware.find_device`.
    precision : str
        ``"auto"``, ``"fp32"``, ``"bf16"`` or ``"fp16"``.
    compile : str
        ``"auto"``, ``"on"`` or ``"off"``.
    threads, workers : int or None
        Threads of an operation on the CPU, and of the loader.
    max_memory : float or None
        GB that preparing cases before the training and predicting them after it may
        take; the training's own memory is the plan's.
    init_from : str or None
        A model, or a checkpoint of one, whose weights to start from.
    freeze : str or None
        ``"encoder"``: it learns nothing; the same as ``train.freeze``.
    keep_network : bool
        With a time budget, train network and batch as planned even if few iterations
        fit; see `autoseg.train.fit`.
    overwrite : bool
        Throw away what was trained before.
    retrain_changed : bool
        Throw it away if its data have changed since.
    extend_splits : str or None
        ``"folds"`` or ``"train"``: cases that are in no fold yet join them all, or
        their training side; see `autoseg.preprocess.folds.extend_splits`.
    validation : bool
        Predict and score the fold's validation cases at the end.
    to_predict : int
        New images that are predicted afterwards; a time budget keeps their time, too.
    checkpoint_seconds : float
        A checkpoint is written no more often than this.
    log : sequence of str
        Loggers that are told of it; see `autoseg.train.loggers`.
    """

    recipe: str | None = None
    epochs: int | None = None
    iterations: int | None = None
    time_budget: float | None = None
    patience: float | None = None
    lr: float | None = None
    batch_size: int | None = None
    seed: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    device: str = "auto"
    precision: str = "auto"
    compile: str = "auto"
    threads: int | None = None
    workers: int | None = None
    max_memory: float | None = None
    init_from: str | None = None
    freeze: str | None = None
    keep_network: bool = False
    overwrite: bool = False
    retrain_changed: bool = False
    extend_splits: str | None = None
    validation: bool = True
    to_predict: int = 0
    checkpoint_seconds: float = 60.0
    log: Sequence[str] = ()

    def __post_init__(self) -> None:
        lengths = ("epochs", "iterations", "time_budget")
        given = [name for name in lengths if getattr(self, name) is not None]
        if len(given) > 1:
            names = " and ".join(f"--{name.replace('_', '-')}" for name in given)
            raise UsageError(f"{names} both say how long to train; give one of them.")
        for name in (*lengths, "patience", "lr", "batch_size", "threads", "max_memory"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UsageError(f"--{name.replace('_', '-')} is {value}; give more.")
        if self.seed is not None and self.seed < 0:
            raise UsageError(f"--seed is {self.seed}; give 0 or more.")
        if self.seed is not None and self.seed >= 2**63:
            raise UsageError(f"--seed is {self.seed:.3g}; give less than 2**63.")
        settings = check_keys(self.settings)
        if self.freeze is not None:
            settings[f"{TRAIN}freeze"] = self.freeze
        if self.patience is not None:
            settings[f"{TRAIN}patience"] = float(self.patience)
        named = settings.pop(RECIPE, self.recipe)
        if self.recipe not in (None, named):
            raise UsageError(
                f"--recipe {self.recipe} and --set train={named} contradict each other."
            )
        object.__setattr__(self, "recipe", named)
        object.__setattr__(self, "settings", settings)
        choose_recipe(named or AUTO, None, self.recipe_changes)  # raises if it cannot

    def of(self, configuration: str, others: Collection[str] | None = ()) -> Options:
        """Return the options of one configuration; see `settings_of`."""
        own = settings_of(self.settings, configuration, others)
        return dataclasses.replace(self, settings=own)

    @property
    def recipe_changes(self) -> dict[str, Any]:
        """Fields of the recipe that are asked for."""
        changes = {
            key.removeprefix(TRAIN): value
            for key, value in self.settings.items()
            if key.startswith(TRAIN)
        }
        if self.lr is not None:
            changes["learning_rate"] = self.lr
        return changes

    @property
    def plan_changes(self) -> dict[str, Any]:
        """Fields of the configuration that are asked for."""
        return {k: v for k, v in self.settings.items() if not k.startswith(TRAIN)}


@overload
def seconds_of(text: None) -> None: ...


@overload
def seconds_of(text: float | str) -> float: ...


def seconds_of(text: float | str | None) -> float | None:
    """Return the seconds in a text such as ``45m``, ``2h30m``, ``90s`` or ``3d``.

    A number is one of seconds, and None stays None.

    Raises
    ------
    UsageError
        If it is no such text.

    Examples
    --------
    >>> seconds_of("1h30m")
    5400.0
    """
    if not isinstance(text, str):
        return text
    units = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
    found = re.findall(r"(\d+(?:\.\d+)?)([dhms])", text)
    if not found or "".join(n + u for n, u in found) != text.replace(" ", ""):
        raise UsageError(f"{text!r} is no time; write 45m, 2h30m, 90s or 3d.")
    return float(sum(float(number) * units[unit] for number, unit in found))


def resolve_recipe(
    options: Options, plan: Plan, configuration: str, guess: int | None = None
) -> tuple[Recipe, str, int | None]:
    """Return the recipe, why it is this one, and the number of iterations.

    Parameters
    ----------
    options : Options
        What is asked for; comes before what the plan says.
    plan : Plan
        As it is trained. Its ``training`` names a recipe and may replace numbers of it;
        with ``"auto"``, the recipe may be the network's own.
    configuration : str
        Which one is trained.
    guess : int, optional
        With a time budget, the iterations that are expected to fit.

    Returns
    -------
    recipe : Recipe
        All numbers.
    because : str
        Why.
    iterations : int or None
        None with a time budget.
    """
    changes = {**plan.training.options, **options.recipe_changes}
    name = options.recipe or plan.training.name
    each = changes.get("iterations_per_epoch", 250)
    iterations = options.iterations
    if options.epochs is not None:
        iterations = options.epochs * int(each)
    length = guess if options.time_budget is not None else iterations
    own = network_recipe(plan.configuration(configuration).network.name)
    recipe, because = choose_recipe(name, length, changes, own)
    if options.time_budget is not None:
        return recipe, because, None
    if iterations is None:
        iterations = recipe.epochs * recipe.iterations_per_epoch
    return recipe, because, iterations


def versions() -> dict[str, str]:
    """Return the versions that a run was made with."""
    import numpy
    import torch

    return {
        "autoseg": __version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
    }


def split_hash(training: Sequence[str], validation: Sequence[str]) -> str:
    """Return a short hash of which cases train and which are held back."""
    text = "\n".join([*training, "", *validation])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# Where options and the record of a run say the same thing.
_ASKED: Mapping[str, Callable[[Run], Any]] = {
    "recipe": lambda run: run.recipe["name"],
    "iterations": lambda run: run.iterations,
    "time_budget": lambda run: run.time_budget,
    "lr": lambda run: run.recipe["learning_rate"],
    "batch_size": lambda run: run.batch_size,
    "seed": lambda run: run.seed,
    "threads": lambda run: run.threads,
    "workers": lambda run: run.loader_threads,
}
OF_A_PROCESS = ("threads", "workers")


def check_same(options: Options, recorded: Run, where: str, processes: int = 1) -> None:
    """Raise unless what is asked for, if anything is, is what was recorded.

    Parameters
    ----------
    options : Options
        Of the present command.
    recorded : Run
        Of the training that is to go on.
    where : str
        The fold's folder, for the message.
    processes : int
        How many train together now. With another number, threads may be others, too.

    Raises
    ------
    TrainingError
        Naming everything that differs, and what can be done.
    """
    found: list[str] = []
    for name, read in _ASKED.items():
        value = getattr(options, name)
        if name in OF_A_PROCESS and processes != recorded.processes:
            continue
        if value is not None and not (name == "recipe" and value == "auto"):
            found += differences(read(recorded), value, f"--{name.replace('_', '-')}")
    if options.epochs is not None:
        each = recorded.recipe["iterations_per_epoch"]
        done = None if recorded.iterations is None else recorded.iterations / each
        found += differences(done, float(options.epochs), "--epochs")
    for name, value in options.recipe_changes.items():
        if name != "learning_rate" or options.lr is None:
            before = recorded.recipe.get(name)
            found += differences(before, value, f"--set train.{name}")
    if options.plan_changes:
        found += differences(recorded.overrides, options.plan_changes, "--set")
    if options.precision != "auto":
        found += differences(recorded.precision, options.precision, "--precision")
    if found:
        listed = "\n".join(f"  {line}" for line in found)
        raise TrainingError(
            f"{where} holds a training with other options:\n{listed}\nLeave these "
            "options out to go on with it as it is recorded, or give --overwrite to "
            "throw it away and start again."
        )


def with_changes(plan: Plan, configuration: str, options: Options) -> Plan:
    """Return the plan as it is trained: with the fields that are asked for."""
    if not options.plan_changes:
        return plan
    changed = change_configuration(
        plan.configuration(configuration), options.plan_changes, configuration
    )
    return dataclasses.replace(
        plan, configurations={**plan.configurations, configuration: changed}
    )


def as_fitted(plan: Plan, configuration: str, changes: Mapping[str, Any]) -> Plan:
    """Return the plan with what was asked for, and what a training changed by itself.

    Parameters
    ----------
    plan, configuration : Plan, str
        What is trained.
    changes : mapping of str to JSON value
        Fields of the configuration. ``task.NAME`` replaces an option of the task: with
        a plan that is there, nobody can ask for that by hand.
    """
    own = {
        name.removeprefix(OF_TASK): value
        for name, value in changes.items()
        if name.startswith(OF_TASK)
    }
    if own:
        task = dataclasses.replace(plan.task, options={**plan.task.options, **own})
        plan = dataclasses.replace(plan, task=task)
    rest = {k: v for k, v in changes.items() if not k.startswith(OF_TASK)}
    return with_changes(plan, configuration, Options(settings=rest))
