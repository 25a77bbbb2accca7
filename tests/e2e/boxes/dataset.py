"""Where boxes lie in a data set: a file of its own for each case."""

from autoseg.datasets.kinds.base import DatasetKind
from tests.e2e.boxes import annotation


class BoxFiles(DatasetKind):
    @property
    def endings(self):
        return (annotation.ENDING,)

    def read(self, path, dataset, task, image, case_id):
        boxes, geometry = annotation.read(path)
        return task.read(boxes), geometry
