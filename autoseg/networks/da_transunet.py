"""DA-TransUNet: TransUNet with attention of voxels and channels on its skips."""

from __future__ import annotations

from autoseg.blueprints.rows.hybrid import Hybrid
from autoseg.networks import NETWORKS


@NETWORKS.register
class DATransUNet(Hybrid):
    """Dual attention stands in front of the transformer and on the coarser skips.

    As in its authors' code, the finest skip has none.

    References
    ----------
    .. [1] Sun et al., "DA-TransUNet: integrating spatial and channel dual attention
       with transformer U-Net for medical image segmentation", Frontiers in
       Bioengineering and Biotechnology 12, 2024. arXiv:2310.12570
    """

    dual = True
