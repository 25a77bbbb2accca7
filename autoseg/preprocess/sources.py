"""Which files a preprocessed case was made of, and whether they are still the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from autoseg.datasets.identity import (
    case_stamps,
    content_of,
    is_there,
    short_hash,
)
from autoseg.errors import DatasetError
from autoseg.preprocess.store import CaseStore
from autoseg.spec.dataset import Case, Dataset

VERSION = 2  # raise it when preprocessed voxels change
CONTENT = "content"


def source_of(case: Case, dataset: Dataset) -> dict[str, str]:
    """Return what is written down of a case's files.

    Parameters
    ----------
    case : Case
        With its files; they are read for their hash.
    dataset : Dataset
        Says how files are read.

    Returns
    -------
    dict of str to str
        ``stamp``, by sizes and times; ``settings``, how files are read; ``content``.
    """
    return {
        "stamp": _stamp(case, dataset),
        "settings": short_hash(json.dumps(_settings(dataset))),
        CONTENT: content_of(case),
    }


def is_made_of(properties: Mapping[str, Any], case: Case, dataset: Dataset) -> bool:
    """Return whether a stored case is of the files that are there now.

    Parameters
    ----------
    properties : mapping
        Of the stored case, with `source_of`; of versions before with a stamp only.
    case : Case
        As it is now.
    dataset : Dataset
        As it is now.

    Returns
    -------
    bool
        By size and time of all files; where these differ, by their content.
    """
    return properties.get("stamp") == _stamp(case, dataset) or (
        properties.get("settings") == short_hash(json.dumps(_settings(dataset)))
        and properties.get(CONTENT) == content_of(case)
    )


def changed_in_store(
    store: CaseStore, dataset: Dataset, case_ids: Iterable[str]
) -> list[str]:
    """Return those of some stored cases whose files have changed since.

    Parameters
    ----------
    store : CaseStore
        Preprocessed cases.
    dataset : Dataset
        As it is now.
    case_ids : iterable of str
        Which cases; those that are not stored, or whose files are gone, are left out.

    Returns
    -------
    list of str
        Sorted.
    """
    cases = {case.id: case for case in dataset.training}
    changed = []
    for case_id in sorted(set(case_ids)):
        if case_id in store and case_id in cases and is_there(cases[case_id]):
            try:
                properties = store.open(case_id).properties
            except DatasetError:  # damaged: it has to be made again, too
                properties = {}
            if not is_made_of(properties, cases[case_id], dataset):
                changed.append(case_id)
    return changed


def contents_in_store(store: CaseStore, case_ids: Iterable[str]) -> dict[str, str]:
    """Return the content of stored cases, as far as they say of what they were made."""
    found = {}
    for case_id in sorted(set(case_ids)):
        content = store.open(case_id).properties.get(CONTENT)
        if content is not None:
            found[case_id] = str(content)
    return found


def _stamp(case: Case, dataset: Dataset) -> str:
    return short_hash(json.dumps((*_settings(dataset), case_stamps(case))))


def _settings(dataset: Dataset) -> tuple[Any, ...]:
    """Return what decides how files are read."""
    channels = len(dataset.channel_names)
    return (VERSION, dataset.spacing, dataset.unit, dataset.format, channels)
