"""Where models with names lie: in the package, and in a folder of the user.

A model that was added is ``NAME.zip``, and ``NAME.json`` beside it says its checksum,
its size and where it is from. No name leads out of the folder.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoseg.errors import ModelError, PlanError, UsageError
from autoseg.spec.json import dumps, from_json, load_object, write_text

SHIPPED = Path(__file__).with_name("files")
VARIABLE = "AUTOSEG_MODELS"
NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # files of Windows
PIECE = 2**20  # bytes that are read at a time


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What is kept beside a model that was added.

    Parameters
    ----------
    sha256 : str
        Of the file, in hexadecimal digits.
    bytes : int
        Its size.
    source : str
        The file or address that it was made of.
    added : str
        Date and time, in ISO 8601.
    """

    sha256: str
    bytes: int
    source: str
    added: str

    @classmethod
    def load(cls, path: Path) -> Receipt:
        """Read it; raises PlanError if it is damaged."""
        return from_json(cls, load_object(path), str(path))

    def save(self, path: Path) -> None:
        """Write it, complete or not there."""
        write_text(path, dumps(self))


def user_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Return where added models are kept: ``$AUTOSEG_MODELS``, or in the home folder.

    Examples
    --------
    >>> user_folder({"AUTOSEG_MODELS": "shared/models"}).as_posix()
    'shared/models'
    """
    given = (os.environ if environment is None else environment).get(VARIABLE)
    return Path(given) if given else Path.home() / ".autoseg" / "models"


def is_name(text: str) -> bool:
    """Return whether a text can be a model's name.

    Examples
    --------
    >>> is_name("nuclei"), is_name("../nuclei"), is_name("a.zip"), is_name("con")
    (True, False, False, False)
    """
    return (
        NAME.fullmatch(text) is not None
        and RESERVED.fullmatch(text) is None
        and ".." not in text
        and not text.endswith((".zip", ".json"))
    )


def check_name(text: str) -> str:
    """Return a name; raises UsageError if it cannot be one."""
    if not is_name(text):
        raise UsageError(
            f"{text!r} cannot be a model's name. Give --name with small letters, "
            "digits, '-', '_' and '.', as in --name nuclei-2."
        )
    return text


def shipped() -> dict[str, Path]:
    """Return the models that come along with autoseg, by name."""
    return {file.stem: file for file in sorted(SHIPPED.glob("*.zip"))}


def added() -> dict[str, Path]:
    """Return the models that were added, by name."""
    files = sorted(user_folder().glob("*.zip"))
    return {file.stem: file for file in files if is_name(file.stem)}


def named() -> dict[str, Path]:
    """Return all models that have a name; those that come along count first."""
    return added() | shipped()


def receipt_of(file: Path) -> Receipt:
    """Return what is known of a model that was added.

    Raises
    ------
    ModelError
        If nothing is, or it cannot be read.
    """
    path = file.with_suffix(".json")
    try:
        return Receipt.load(path)
    except (OSError, PlanError) as error:
        raise ModelError(
            f"{path}, the checksum of {file.name}, cannot be read ({error}). Add the "
            "model again: autoseg models add FILE_OR_URL --overwrite."
        ) from None


def find_named(name: Any) -> Path | None:
    """Return the file of a model by its name, after its checksum.

    Parameters
    ----------
    name : str or Path
        What was given for a model.

    Returns
    -------
    Path or None
        None if no model has that name.

    Raises
    ------
    ModelError
        If the file is not the one that was added.
    """
    text = os.fspath(name)
    if not is_name(text):
        return None
    if (file := shipped().get(text)) is not None:
        return file
    if (file := added().get(text)) is None:
        return None
    if sha256_of(file) != receipt_of(file).sha256:
        raise ModelError(
            f"{file} is not the file that was added as {text!r}: its checksum differs. "
            "Add it again: autoseg models add FILE_OR_URL --overwrite."
        )
    return file


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()
