"""A configuration to change one thing of."""

from autoseg.spec.choice import Choice
from autoseg.spec.configuration import Configuration

NETWORK = Choice(
    name="plain_unet",
    options={"strides": [[1, 1], [2, 2]], "features": [4, 8], "dim": 2},
)


def configuration(**changes):
    values = {
        "spacing": (1.0, 1.0),
        "patch_size": (32, 32),
        "batch_size": 2,
        "median_shape": (40.0, 40.0),
        "network": NETWORK,
        "mirror_axes": (0, 1),
    }
    return Configuration(**{**values, **changes})
