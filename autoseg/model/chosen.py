"""Which folds of a model and which of their checkpoints are meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from autoseg.errors import ModelError
from autoseg.model.model import Model


def checkpoint_name(given: str) -> str:
    """Return ``"final"`` or ``"best"`` from any usual way to say it.

    Parameters
    ----------
    given : str
        ``final``, ``checkpoint_final``, ``checkpoint_final.pth`` and the like.

    Returns
    -------
    str
        What stands between.

    Examples
    --------
    >>> checkpoint_name("checkpoint_final.pth")
    'final'
    """
    for ending in (".pth", ".pt"):
        given = given.removesuffix(ending)
    return given.removeprefix("checkpoint_")


def choose_folds(
    there: Sequence[str], wanted: Sequence[str | int] | None, where: str
) -> list[str]:
    """Return the folds to use: those wanted, or all.

    Parameters
    ----------
    there : sequence of str
        Folds that have a checkpoint.
    wanted : sequence of str or int, optional
        What was asked for; None: the numbered ones, or ``all`` if there is no other.
    where : str
        The model, for messages.

    Returns
    -------
    list of str
        Names of folds.

    Raises
    ------
    ModelError
        If one that is wanted is not there.
    """
    if wanted is None:
        numbered = sorted((f for f in there if f.isdigit()), key=int)
        names = numbered or list(there)
    else:
        names = [str(fold) for fold in wanted]
    missing = [name for name in names if name not in there]
    if missing or not names:
        raise ModelError(
            f"{where} has no finished fold {', '.join(missing)}".rstrip()
            + f"; it has {', '.join(there) or 'none'}. Choose with -f, or train it."
        )
    return names


def only_folds(model: Model, folds: Sequence[str | int] | None) -> Model:
    """Return a model with some of its folds; None: as it is.

    Raises
    ------
    ModelError
        If it has no such fold, or averages models with folds of their own.
    """
    if folds is None:
        return model
    if model.partners:
        raise ModelError(
            f"{model.source} averages several configurations, each with folds of its "
            "own; leave -f out."
        )
    names = choose_folds(model.folds, folds, model.source)
    weights = tuple(model.weights[model.folds.index(name)] for name in names)
    return replace(model, weights=weights, folds=tuple(names))


def only_configuration(model: Model, configuration: str | None) -> Model:
    """Return a model if it is of the configuration that is asked for, or of any.

    Raises
    ------
    ModelError
        If it is of another one, or averages several.
    """
    names = [model.configuration, *(p.configuration for p in model.partners)]
    if configuration in (None, *names) and (configuration is None or len(names) == 1):
        return model
    if configuration in names:
        raise ModelError(
            f"{model.source} averages {' and '.join(names)}, and cannot predict with "
            f"{configuration} alone; leave -c out."
        )
    raise ModelError(
        f"{model.source} is a model of {' and '.join(names)}, not of "
        f"{configuration!r}. Leave -c out, or give another model."
    )
