"""U-Net of plain convolutions, as in nnU-Net.

Weights of nnU-Net's ``PlainConvUNet`` fit without a change of name, once its copies
(``*.all_modules.*`` and ``decoder.encoder.*``) are dropped; s is a stage of the encoder
from the finest, d a level of the decoder from the deepest, j a convolution::

    encoder.stages.{s}.0.convs.{j}.{conv|norm}.{weight|bias}
    decoder.transpconvs.{d}.{weight|bias}
    decoder.stages.{d}.convs.{j}.{conv|norm}.{weight|bias}
    decoder.seg_layers.{d}.{weight|bias}        channels: those of all heads, in order
"""

from __future__ import annotations

from autoseg.blueprints.rows.row import Row
from autoseg.networks import NETWORKS


@NETWORKS.register
class PlainUNet(Row):
    """A U-Net whose stages are convolutions in a row.

    References
    ----------
    .. [1] Ronneberger, Fischer, Brox, "U-Net: convolutional networks for biomedical
       image segmentation", MICCAI 2015. doi:10.1007/978-3-319-24574-4_28
    .. [2] Isensee et al., "nnU-Net: a self-configuring method for deep
       learning-based biomedical image segmentation", Nature Methods 18, 2021.
       doi:10.1038/s41592-020-01008-z
    """
