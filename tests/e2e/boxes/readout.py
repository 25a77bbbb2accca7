"""How boxes are read out of a network: decoded, moved to the image, and written."""

import numpy as np
import torch

from autoseg.predict.readouts.outputs import OutputReadout, Reader
from autoseg.preprocess.points import restore_coordinates
from tests.e2e.boxes import annotation
from tests.e2e.boxes.annotation import Boxes


class BoxReadout(OutputReadout):
    @classmethod
    def holds(cls, found):
        return isinstance(found, Boxes)

    @classmethod
    def endings(cls):
        return (annotation.ENDING,)

    @classmethod
    def ending(cls, case, model):
        return annotation.ENDING

    def reader(self, sight):
        return _BoxReader(self.task, sight.prepared.placement)

    def together(self, opinions, geometry, sink, doubt):
        return opinions[0].found

    def read(self, file, geometry):
        return annotation.read(file)[0]

    def write(self, found, job, geometry, image, files=()):
        annotation.write(job.output, found, geometry)

    @classmethod
    def save(cls, path, found, geometry):
        annotation.write(path, found, geometry)


class _BoxReader(Reader):
    def __init__(self, task, placement):
        self.task, self.placement = task, placement
        self.logits = torch.zeros((task.heads[0].channels, *placement.shape))

    def take(self, block):
        rows = self.logits.narrow(block.axis + 1, block.start, block.stop - block.start)
        rows.copy_(block.logits)

    def result(self):
        head = self.task.heads[0].name
        outputs = self.logits.softmax(0).numpy()
        boxes = self.task.decode({head: outputs}, self.placement.spacing)
        flat = boxes.corners.reshape(-1, len(boxes.shape)) - 0.5
        places = restore_coordinates(flat, self.placement) + 0.5
        corners = np.sort(places.reshape(boxes.corners.shape), axis=1)
        return Boxes(corners, self.placement.geometry.shape)
