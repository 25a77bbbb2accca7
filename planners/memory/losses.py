"""What losses of label maps take, in float32 maps of all channels of their head.

Counted on a CPU, with three and eight channels in 2-D and 3-D:
tests/planners/memory/test_losses.py.
"""

from __future__ import annotations

from typing import NamedTuple

PARTLY = "partly"  # dice_ce and dice_bce of cases that speak of some classes only


class LabelMaps(NamedTuple):
    """Maps of a loss.

    Parameters
    ----------
    saved : float
        Kept for the backward pass, beside the logits.
    forward : float
        At the worst moment of the forward pass, what is kept included.
    backward : float
        At the worst moment of the backward pass, beside what is kept.
    """

    saved: float
    forward: float
    backward: float


LABEL_MAPS = {
    PARTLY: LabelMaps(4.6, 6.5, 2.0),
    "border_ce": LabelMaps(2.3, 5.0, 3.9),
    "boundary": LabelMaps(6.2, 8.5, 3.0),
    "cl_dice": LabelMaps(23.7, 29.4, 22.1),
    "dice": LabelMaps(2.8, 4.8, 1.8),
    "focal": LabelMaps(4.0, 4.9, 3.3),
    "focal_tversky": LabelMaps(2.8, 4.8, 0.9),
    "generalized_ce": LabelMaps(2.6, 3.9, 3.8),
    "generalized_dice": LabelMaps(2.8, 4.8, 0.9),
    "hausdorff": LabelMaps(7.0, 10.3, 3.0),
    "lovasz": LabelMaps(5.4, 12.7, 0.9),
    "skeleton_recall": LabelMaps(5.3, 8.3, 3.0),
    "symmetric_ce": LabelMaps(2.6, 4.2, 3.8),
    "top_k_ce": LabelMaps(2.4, 3.6, 3.9),
    "tversky": LabelMaps(2.8, 4.8, 0.9),
}
