"""TransUNet: counts of its authors' code, and what differs without convolutions."""

import pytest

from autoseg.errors import PlanError
from autoseg.networks.transunet import TransUNet


def _options(edge, **more):
    strides = [[1, 1], *[[2, 2]] * 4]
    return {"dim": 2, "patch": [edge, edge], "strides": strides, **more}


@pytest.mark.parametrize(
    ("edge", "convolve", "count"),
    [
        (224, True, 105_277_081),
        (512, True, 105_912_985),
        (224, False, 91_674_201),
    ],
)
def test_it_has_as_many_parameters_as_the_authors(edge, convolve, count):
    # VisionTransformer of Beckschen/TransUNet at 02ef001, R50-ViT-B/16 and ViT-B/16
    # without skips, counted by building it: 3 channels in and 9 out.
    options = _options(edge, convolve=convolve)

    assert TransUNet.drawing(options, (edge, edge), 3, 9).parameters == count


def test_more_tokens_add_their_positions_alone():
    small, large = (
        TransUNet.drawing(_options(edge), (edge, edge), 3, 9).parameters
        for edge in (224, 512)
    )

    assert large - small == (32 * 32 - 14 * 14) * 768


def test_a_decoder_of_fewer_levels_than_strides_is_refused():
    with pytest.raises(PlanError, match="decoder has 2 entries; with 4 strides"):
        TransUNet.drawing(_options(64, decoder=[8, 4]), (64, 64), 1, 2)
