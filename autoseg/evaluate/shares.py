"""Scores of cases that several processes share out, until all of them are there.

Each part writes what it has found into a folder beside the summary, under a name that
says of which files and options it was made: what was written of others is not taken.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoseg.datasets.identity import short_hash
from autoseg.errors import FormatError, PartDone
from autoseg.evaluate.aggregate import Scores
from autoseg.spec.json import to_json, write_text
from autoseg.workspace import stamps_of

FOLDER = ".parts"  # behind the summary's name


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was found of some cases.

    Parameters
    ----------
    unit : str
        Of lengths.
    scores : mapping of str to Scores
        By case.
    failed : mapping of str to Exception
        Why a case could not be scored.
    """

    unit: str
    scores: Mapping[str, Scores]
    failed: Mapping[str, Exception]


class Shares:
    """The parts of one evaluation.

    Parameters
    ----------
    summary : Path
        Where the summary goes.
    num_parts : int
        How many there are.
    files : sequence of Path
        Predictions and annotations, of all parts.
    options : JSON value
        All else that scores depend on.
    """

    def __init__(
        self, summary: Path, num_parts: int, files: Sequence[Path], options: Any
    ) -> None:
        self._summary = summary
        self._folder = summary.with_name(summary.name + FOLDER)
        self._count = num_parts
        made_of = json.dumps([stamps_of(sorted(files)), to_json(options), num_parts])
        self._name = short_hash(made_of)

    def met(self, part_id: int, found: Found, ids: Sequence[str]) -> Found:
        """Keep what one part has found, and return what all have, if all have.

        Parameters
        ----------
        part_id : int
            Which part.
        found : Found
            Its share.
        ids : sequence of str
            All cases, in the order of the result.

        Returns
        -------
        Found
            Of all parts.

        Raises
        ------
        PartDone
            If another part is not done.
        """
        if self._count == 1:
            return found
        self._folder.mkdir(parents=True, exist_ok=True)
        content = {
            "unit": found.unit,
            "scores": to_json(found.scores),  # NaN too: nobody else reads it
            "failed": {case: str(error) for case, error in found.failed.items()},
        }
        write_text(self._path(part_id), json.dumps(content))
        try:
            parts = [self._read(i) for i in range(self._count)]
        except FileNotFoundError:
            raise PartDone(
                "evaluate: this part is done; the last of the parts writes "
                f"{self._summary}."
            ) from None
        scores = {case: s for p in parts for case, s in p["scores"].items()}
        failed = {case: why for p in parts for case, why in p["failed"].items()}
        return Found(
            unit=next((p["unit"] for p in parts if p["scores"]), found.unit),
            scores={i: scores[i] for i in ids if i in scores},
            failed={i: FormatError(failed[i]) for i in ids if i in failed},
        )

    def remove(self) -> None:
        """Remove what parts have written; the summary holds it now."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self, part_id: int) -> Any:
        return json.loads(self._path(part_id).read_text(encoding="utf-8"))

    def _path(self, part_id: int) -> Path:
        return self._folder / f"{self._name}-{part_id}.json"
