"""U-Mamba: what its state spaces add to the residual U-Net."""

import pytest

from autoseg.networks.residual_unet import ResidualUNet
from autoseg.networks.u_mamba import UMamba


def _mamba(width):
    """Learned numbers of a state space by its formula: 32,640 for a width of 64."""
    inside, rank = 2 * width, -(-width // 16)
    enter, leave = 2 * inside * width, inside * width
    selected = inside * (rank + 2 * 16) + rank * inside + inside
    return enter + leave + inside * 4 + inside + selected + inside * 16 + inside


def test_a_state_space_of_64_channels_is_mambas():
    # transformers 5.24's MambaMixer with 64 channels has as many.
    assert _mamba(64) == 32_640


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("scanned", ["bottom", "all"])
def test_it_is_the_residual_unet_with_state_spaces(dim, scanned):
    options, shape = ResidualUNet.example(dim)
    plain = ResidualUNet.drawing(options, shape, 1, 2)

    drawing = UMamba.drawing({**options, "scanned": scanned}, shape, 1, 2)

    widths = options["features"] if scanned == "all" else options["features"][-1:]
    more = sum(_mamba(width) + 2 * width for width in widths)  # a norm in front
    assert drawing.parameters == plain.parameters + more
