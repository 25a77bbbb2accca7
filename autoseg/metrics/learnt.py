"""What the validation of a fold taught: a file in its folder, with a schema.

One place for all that is learnt so; a subclass says which file, and what it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from autoseg.errors import ModelError, PlanError
from autoseg.spec.json import dumps, from_json, load_object, write_text

T = TypeVar("T", bound="LearntByFold")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class LearntByFold:
    """A base of frozen dataclasses that are kept in the folder of a fold.

    Attributes
    ----------
    file : str
        Name of the file.
    newest : int
        Version of its layout.
    otherwise : str
        What a model has without the file, for the message where it is damaged.
    """

    file: ClassVar[str]
    newest: ClassVar[int] = 1
    otherwise: ClassVar[str]

    schema: int = 1

    def save(self, fold: Path) -> None:
        """Write it into the folder of a fold; complete or not there."""
        write_text(fold / self.file, dumps(self))

    @classmethod
    def load(cls: type[T], fold: Path) -> T:
        """Read it from the folder of a fold.

        Raises
        ------
        PlanError
            If the file is missing or damaged.
        """
        path = fold / cls.file
        raw = load_object(path)
        if raw.get("schema") != cls.newest:
            raise PlanError(
                f"{path} has schema {raw.get('schema')}; this autoseg reads "
                f"{cls.newest}."
            )
        found: T = from_json(cls, raw, str(path))
        fault = found.fault()
        if fault:
            raise PlanError(f"{path}: {fault}.")
        return found

    def fault(self) -> str:
        """Return what is wrong with what it holds, in words; mostly nothing."""
        return ""


def of_folds(
    kind: type[T], model: Path, folds: Sequence[str], learn: Callable[[list[T]], R]
) -> R | None:
    """Return what some folds teach together; None where none of them has learnt.

    Parameters
    ----------
    kind : type
        What is kept.
    model : Path
        Folder of a trained configuration.
    folds : sequence of str
        Names of folds; those that have learnt nothing are left out.
    learn : callable
        From what they keep, in the order of the folds.

    Raises
    ------
    ModelError
        If a file is damaged, or they do not fit each other.
    """
    there = [folder for folder in folders_of(model, folds) if has(kind, folder)]
    if not there:
        return None
    try:
        return learn([kind.load(folder) for folder in there])
    except PlanError as error:
        raise ModelError(
            f"{error} Train with --overwrite, or delete {kind.file} of the fold: "
            f"{kind.otherwise}."
        ) from None


def folders_of(model: Path, folds: Sequence[str]) -> list[Path]:
    """Return the folders of folds, by their names."""
    return [model / f"fold_{name}" for name in folds]


def has(kind: type[LearntByFold], folder: Path) -> bool:
    """Return whether something was learnt in the folder of a fold."""
    return (folder / kind.file).is_file()
