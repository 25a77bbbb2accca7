"""The task: boxes about things; a network learns where their insides are."""

import numpy as np
from scipy import ndimage

from autoseg.spec.choice import Choice
from autoseg.spec.head import Head
from autoseg.tasks.base import Task
from tests.e2e.boxes.annotation import Boxes


class BoxTask(Task):
    kind = "boxes"
    learns_map = False

    @classmethod
    def from_dataset(cls, dataset):
        return {}

    @property
    def classes(self):
        return ("box",)

    @property
    def heads(self):
        loss = Choice(name="dice_ce", options={})
        return (Head(name="inside", channels=2, activation="softmax", loss=loss),)

    def read(self, annotation):
        return annotation

    def write(self, annotation):
        return annotation

    def stored(self, annotation):
        return annotation.painted()

    def measure(self, annotation, spacing):
        return {"boxes": len(annotation.corners)}

    @classmethod
    def pool(cls, measurements):
        return {"boxes": sum(one["boxes"] for one in measurements)}

    def foreground(self, annotation):
        return {"box": np.flatnonzero(np.asarray(annotation) > 0).astype(np.uint32)}

    def targets(self, labels, spacing):
        return {"inside": (np.asarray(labels) > 0).astype(np.int16)}

    def encode(self, annotation, spacing):
        inside = annotation.painted() > 0
        return {"inside": np.stack([~inside, inside]).astype(np.float32)}

    def decode(self, outputs, spacing):
        inside = outputs["inside"][1] > 0.5
        found = ndimage.find_objects(ndimage.label(inside)[0])
        corners = [[[p.start for p in box], [p.stop for p in box]] for box in found]
        shape = inside.shape
        return Boxes(np.array(corners, float).reshape(-1, 2, len(shape)), shape)

    def score(self, predicted, reference, spacing):
        one, two = predicted.region(), reference.region()
        union = np.count_nonzero(one | two)
        return {
            "box": {"iou": np.count_nonzero(one & two) / union if union else np.nan}
        }

    @classmethod
    def example(cls):
        return cls(), Boxes(np.array([[[1.0, 1.0], [3.0, 4.0]]]), (6, 8)), (1.0, 1.0)
