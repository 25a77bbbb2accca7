"""The interface of what is averaged, and tuned after the networks, by kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autoseg.find_best.candidates import Candidate
from autoseg.find_best.search import Search
from autoseg.find_best.step import Step
from autoseg.find_best.table import Table
from autoseg.metrics.calibration import Calibration
from autoseg.model.confidence import Learnt
from autoseg.model.decoding import Decoding
from autoseg.model.postprocessing import Postprocessing

Pair = Sequence[Candidate]


@dataclass(frozen=True, kw_only=True)
class Last:
    """What is done after the networks, and the scores with it.

    Parameters
    ----------
    table : ndarray of float, shape (cases, classes)
        Goodness of the cases as the bundle predicts them.
    rules : Postprocessing
        For the bundle.
    steps : sequence of Step
        What was tried.
    decoding : Decoding or None
        The search for parameters of decoding.
    """

    table: Table
    rules: Postprocessing = Postprocessing()
    steps: Sequence[Step] = ()
    decoding: Decoding | None = None


class FindBestKind:
    """What can be done with trained configurations beside choosing the best one.

    As it stands, nothing: they are compared by the scores of their validations. A kind
    overrides what it knows more about.

    Parameters
    ----------
    search : Search
        What all comparisons have in common.
    """

    def __init__(self, search: Search) -> None:
        self.search = search
        self.task = search.task

    def averages(self, pairs: Sequence[Pair]) -> list[tuple[Pair, Table]]:
        """Score averages of configurations that learned the same task.

        Parameters
        ----------
        pairs : sequence of pair of Candidate
            What is averaged.

        Returns
        -------
        list of (pair, ndarray of float, shape (cases, classes))
            Those that can be averaged, with the goodness of each case.
        """
        return []

    def last_steps(self, members: Sequence[Candidate], table: Table) -> Last:
        """Choose what is done after the networks.

        Parameters
        ----------
        members : sequence of Candidate
            One, or those whose average is best.
        table : ndarray of float, shape (cases, classes)
            Goodness without it.
        """
        return Last(table=table)

    def calibrated(self, members: Sequence[Candidate]) -> Calibration | None:
        """Return how sure averages of several configurations may be, if one can say.

        One configuration says it itself, by what its folds have learnt.
        """
        return None

    def learnt(self, members: Sequence[Candidate]) -> Learnt | None:
        """Return what the validations teach about how far to trust predictions."""
        return None
