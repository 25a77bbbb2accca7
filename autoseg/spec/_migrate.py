"""Read files of older schemas: each step takes a file one schema forward.

A file of ours carries a ``schema`` number. It grows when a change would make an older
file mean something else, or be refused: a field without a default, a new name, another
unit. With the number comes a function here that turns the JSON object of the schema
before into the new one; a file passes through all steps that it is behind. New fields
with a default need no step.

To change a schema: raise ``SCHEMA`` in the spec's module, add a step to ``STEPS`` under
the old number, and keep a file of the old schema in tests/spec for its test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from autoseg.errors import PlanError

Step = Callable[[dict[str, Any]], dict[str, Any]]


def _plan_1(raw: dict[str, Any]) -> dict[str, Any]:
    """Schema 2 records the budget; of older plans nobody knows it."""
    return {**raw, "budget": {"name": "unknown", "options": {}}}


STEPS: Mapping[str, Mapping[int, Step]] = {"plan": {1: _plan_1}, "fingerprint": {}}


def migrate(
    raw: dict[str, Any],
    *,
    kind: str,
    newest: int,
    where: str,
    steps: Mapping[str, Mapping[int, Step]] = STEPS,
) -> dict[str, Any]:
    """Return a file's JSON object as the newest schema has it.

    Parameters
    ----------
    raw : dict
        What the file holds.
    kind : str
        ``"plan"`` or ``"fingerprint"``.
    newest : int
        The schema that this version reads.
    where : str
        The file, for messages.
    steps : mapping
        Steps by kind and by the schema they start from.

    Returns
    -------
    dict
        ``raw`` itself if it is of the newest schema.

    Raises
    ------
    PlanError
        If the file has no schema number, or one that this version cannot read.
    """
    found = raw.get("schema", newest)  # a person may leave it out
    if type(found) is not int:
        raise PlanError(f"{where}: schema is {found!r}; write {newest}.")
    if found > newest:
        raise PlanError(
            f"{where} has schema {found}; this autoseg reads up to {newest}. "
            "Update autoseg."
        )
    for number in range(found, newest):
        if number not in steps[kind]:
            raise PlanError(
                f"{where} has schema {found}, which is too old to be read; make the "
                f"{kind} again."
            )
        raw = {**steps[kind][number](raw), "schema": number + 1}
    return raw
