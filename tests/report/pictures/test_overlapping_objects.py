"""Objects that overlap are drawn whole."""

import numpy as np

from autoseg.report.kinds.instances import whole_layers
from autoseg.report.pictures.instance_layer import InstanceLayer
from autoseg.spec.arrays.overlaps import Mask, painted
from autoseg.spec.instances import Instances


def test_the_outline_of_what_is_under_another_is_seen():
    masks = [
        (1, Mask((1, 5), np.ones((10, 4), bool))),
        (2, Mask((4, 1), np.ones((4, 12), bool))),
    ]
    labels, shared = painted((12, 14), masks)
    found = Instances(labels, {}, {}, shared)

    def pixels(under):
        layer = InstanceLayer(prediction=labels, reference=None, under=under)
        return layer.painted(lambda array: array)

    whole, cut = pixels(whole_layers(found)), pixels(())

    changed = (whole != cut).any(-1)
    # Columns 5 and 8 of the first one, where the second one, rows 4 to 7, is on top.
    assert changed[5:7, 5].all() and changed[5:7, 8].all()
    assert not changed[:, 6:8].any() and not changed[:, 9:].any()
    assert (whole[5:7, 5, :3] == whole[2, 5, :3]).all()
    assert whole_layers(Instances(labels)) == () and whole_layers(None) == ()
