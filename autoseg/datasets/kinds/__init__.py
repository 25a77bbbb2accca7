"""Plug-in folder: where annotations lie and how one is read, one file for each kind."""

from autoseg.datasets.kinds.base import DatasetKind
from autoseg.registry import Registry
from autoseg.spec.dataset import Dataset
from autoseg.tasks import TASKS

DATASET_KINDS: Registry[type[DatasetKind]] = Registry("dataset_kind", __name__)


def kind_of(dataset: Dataset) -> DatasetKind:
    """Return how a data set keeps its annotations; of an unknown task, as label maps.

    Parameters
    ----------
    dataset : Dataset
        Names its task.
    """
    known = dataset.task in TASKS
    return DATASET_KINDS[TASKS[dataset.task].kind if known else "labels"]()
