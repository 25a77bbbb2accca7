"""U-Net with a residual encoder, as in nnU-Net's "ResEnc" presets.

Weights of nnU-Net's ``ResidualEncoderUNet`` fit without a change of name, once its
copies (``*.all_modules.*`` and ``decoder.encoder.*``) are dropped; s is a stage of the
encoder from the finest, b a block, the decoder is that of `plain_unet`::

    encoder.stem.convs.0.{conv|norm}.{weight|bias}
    encoder.stages.{s}.blocks.{b}.{conv1|conv2}.{conv|norm}.{weight|bias}
    encoder.stages.{s}.blocks.{b}.skip.{k}.{conv.weight|norm.*}     k = 1 after a pool
"""

from __future__ import annotations

from autoseg.blueprints.parts import Residual
from autoseg.blueprints.rows.row import Row
from autoseg.networks import NETWORKS


@NETWORKS.register
class ResidualUNet(Row):
    """A U-Net whose encoder's stages are residual blocks.

    References
    ----------
    .. [1] Isensee et al., "nnU-Net revisited: a call for rigorous validation in 3D
       medical image segmentation", MICCAI 2024. doi:10.1007/978-3-031-72114-4_47
    .. [2] He et al., "Bag of tricks for image classification with convolutional
       neural networks", CVPR 2019 (variant D of the short cut).
       doi:10.1109/CVPR.2019.00065
    """

    block = Residual()
    stem = True
    counts = "blocks"
    depth = (1, 3, 4, 6)
    convs = 1
    starts_as_identity = r"blocks\.\d+\.conv2\.norm$"
