"""What is wrong with annotations as files, whatever they mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autoseg.fingerprint.check.facts import CaseFacts, is_shared
from autoseg.fingerprint.check.problem import Problem
from autoseg.formats.base import match_ending
from autoseg.spec.dataset import Dataset

JPEG = (".jpg", ".jpeg")


def annotation_problems(
    dataset: Dataset, facts: Sequence[CaseFacts]
) -> Iterator[Problem]:
    """Yield what is wrong with the annotations as a whole.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    facts : sequence of CaseFacts
        Of its training cases.

    Yields
    ------
    Problem
        About files, or about dataset.json.
    """
    drawn = [case.annotation for case in dataset.training if case.annotation]
    if any(match_ending(path.name, JPEG) for path in drawn):
        yield Problem(
            "error",
            dataset.folder / "labelsTr",
            "The annotations are JPEG files, which change values; predictions cannot "
            "be written as such.",
            "Convert them to png, round to the values that are meant, and set "
            '"label_ending": ".png".',
        )
    yield from _empty_annotations(dataset, facts)


def _empty_annotations(
    dataset: Dataset, facts: Sequence[CaseFacts]
) -> Iterator[Problem]:
    empty = [f for f in facts if f.empty and f.case.annotation]
    if empty and len(empty) == len(facts):
        yield Problem(
            "error",
            dataset.folder / "labelsTr",
            "Every annotation is empty: there is nothing but zeros.",
            "Put the right files there.",
        )
        return
    for fact in empty:
        yield Problem(
            "warning",
            fact.case.annotation or dataset.folder,
            "The annotation is empty: there is nothing but zeros.",
            "Keep it if nothing is there to be seen; otherwise annotate the image, or "
            "take it out.",
            case=fact.case.id if is_shared(fact, facts) else "",
        )
