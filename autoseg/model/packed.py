"""Parts of a bundle, read by name, in bounds, and after their checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autoseg.errors import ModelError, PlanError
from autoseg.spec.foreign.archive import MOST_TEXT, Archive
from autoseg.spec.json import parse_object

MANIFEST = "manifest.json"
MOST_PARTS = 100  # models in one file: stages of cascades, partners of an average


@dataclass(frozen=True, kw_only=True)
class Packed:
    """One model of those in a bundle.

    Parameters
    ----------
    archive : Archive
        The bundle.
    sums : mapping of str to str
        SHA-256 of each file, from the manifest.
    stages : mapping of str to mapping
        What the manifest says of each model, by prefix.
    prefix : str
        Before the names of this model's files.
    looked_at : set of str
        Names of all files that were read so far.
    """

    archive: Archive
    sums: Mapping[str, str]
    stages: Mapping[str, Mapping[str, Any]]
    prefix: str = ""
    looked_at: set[str] = field(default_factory=set)

    def where(self, name: str) -> str:
        """Return how to call one of its files in a message."""
        return self.archive.where(f"{self.prefix}{name}")

    def has(self, name: str) -> bool:
        """Return whether the manifest names a file."""
        return f"{self.prefix}{name}" in self.sums

    def read(self, name: str, most: int = MOST_TEXT) -> bytes:
        """Return a file's content.

        Parameters
        ----------
        name : str
            Without the prefix.
        most : int
            Bytes that it can have at most.

        Raises
        ------
        ModelError
            If it is missing, larger, or another one than the manifest vouches for.
        """
        if not self.has(name):
            raise ModelError(f"{self.where(name)} is missing; get the file again.")
        full = f"{self.prefix}{name}"
        content = self.archive.read(full, most)
        if hashlib.sha256(content).hexdigest() != self.sums[full]:
            raise ModelError(
                f"{self.where(name)} is damaged: its checksum differs. Get the file "
                "again."
            )
        self.looked_at.add(full)
        return content

    def json(self, name: str) -> dict[str, Any]:
        """Return the JSON object that a file holds; raises ModelError naming it."""
        content = self.read(name)
        try:
            return parse_object(content, self.where(name))
        except PlanError as error:
            raise ModelError(str(error)) from None

    def entry(self, name: str, kind: Any, default: Any = None) -> Any:
        """Return what the manifest says of this model under a name.

        Raises
        ------
        ModelError
            If it is of another kind.
        """
        value = self.stages[self.prefix].get(name, default)
        if not isinstance(value, kind):
            raise ModelError(
                f"{self.archive.where(MANIFEST)}: {name} of the stage "
                f"{self.prefix!r} is {value!r}."
            )
        return value

    def below(self, prefix: str) -> Packed | None:
        """Return a model that belongs to this one; None if there is none."""
        longer = self.prefix + prefix
        if longer not in self.stages:
            return None
        return Packed(
            archive=self.archive,
            sums=self.sums,
            stages=self.stages,
            prefix=longer,
            looked_at=self.looked_at,
        )


def open_parts(archive: Archive, manifest: Mapping[str, Any]) -> Packed:
    """Return the model in the middle of a bundle.

    Parameters
    ----------
    archive : Archive
        The bundle.
    manifest : mapping
        What its manifest holds.

    Raises
    ------
    ModelError
        If the manifest is none, or there is a file that it does not name.
    """
    where = archive.where(MANIFEST)
    sums, stages = manifest.get("sha256"), manifest.get("stages")
    if not isinstance(sums, dict) or not _all_texts(sums):
        raise ModelError(f"{where} holds no checksums.")
    if (
        not isinstance(stages, dict)
        or "" not in stages
        or not all(isinstance(stage, dict) for stage in stages.values())
    ):
        raise ModelError(f"{where} does not say of which models it is.")
    if len(stages) > MOST_PARTS:
        raise ModelError(
            f"{where} names {len(stages)} models; {MOST_PARTS} are the most."
        )
    stray = sorted(set(archive.names) - set(sums) - {MANIFEST})
    if stray:
        raise ModelError(f"{archive.where(stray[0])} is not in the manifest.")
    return Packed(archive=archive, sums=sums, stages=stages)


def _all_texts(values: Mapping[str, Any]) -> bool:
    return all(isinstance(value, str) for value in values.values())
