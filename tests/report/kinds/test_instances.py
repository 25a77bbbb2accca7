"""Instances are counted and measured one by one."""

import numpy as np

from autoseg.report.kinds.instances import InstancesReport
from autoseg.report.pictures.turned import Turned
from autoseg.spec.image import Geometry, Image
from autoseg.spec.instances import Instances
from autoseg.tasks import TASKS

TASK = TASKS["instance"](labels={"cell": 1, "dot": 2}, axes=2)
GEOMETRY = Geometry(shape=(4, 6), spacing=(0.5, 2.0), unit="um")


def _objects():
    """One cell of three pixels and two dots of one."""
    ids = np.zeros((4, 6), np.int32)
    ids[0, :3], ids[2, 2], ids[3, 5] = 4, 7, 9
    return Instances(ids, {4: 1, 7: 2, 9: 2})


def test_objects_are_counted_by_class_with_their_area():
    image = Image(array=np.ones((1, 4, 6), np.float32), geometry=GEOMETRY)

    volumes, found = InstancesReport(TASK).amounts(_objects(), image)

    assert volumes == {"cell": 3 * 0.5 * 2.0, "dot": 2 * 0.5 * 2.0}
    assert found == {"cell": 1, "dot": 2}


def test_each_object_is_painted_by_its_id():
    layer = InstancesReport(TASK).layer(_objects(), None, Turned(GEOMETRY))

    assert sorted(set(layer.prediction.ravel().tolist())) == [0, 4, 7, 9]
    assert layer.focus().sum() == 5
