"""TransUNet: a transformer between a residual encoder and a decoder."""

from __future__ import annotations

from autoseg.blueprints.rows.hybrid import Hybrid
from autoseg.networks import NETWORKS


@NETWORKS.register
class TransUNet(Hybrid):
    """Tokens are the voxels of what the encoder gives; its skips go to the decoder.

    ``convolve=false`` is the network of the paper's comparison that cuts tokens out of
    the image, and has no skips.

    References
    ----------
    .. [1] Chen et al., "TransUNet: transformers make strong encoders for medical image
       segmentation", 2021. arXiv:2102.04306
    """
