"""H3DE-Net: the count of its authors, and what routed attention looks at."""

import torch
from torch.nn import functional

from autoseg.blueprints.modules._attention import SHAPED
from autoseg.networks.h3denet import H3DENet

FEATURES = [64, 128, 256, 512]


def test_it_has_as_many_parameters_as_its_authors():
    # BiFormer_Unet of ECNUACRush/H3DE-Net e61a57e, 1 channel in, 14 maps out, counted
    # by building it; a batch norm and a linear layer on 512 channels are never used.
    options = {
        "dim": 3,
        "features": FEATURES,
        "strides": [[1, 1, 1]] + [[2, 2, 2]] * 5,
    }

    drawing = H3DENet.drawing(options, (64, 64, 64), 1, 14)

    assert drawing.parameters == 24_476_492 - 2 * 512 - (512 * 14 + 14)


def test_a_window_looks_at_the_window_whose_mean_key_is_most_like_its_queries():
    # Four windows of two tokens along a row of eight; window i asks for 3 - i.
    codes = torch.eye(4).repeat_interleave(2, 0).view(4, 2, 4)
    value = torch.randn(4, 2, 4)
    asked = torch.cat((codes.flip(0), codes), dim=2)

    options = {"window": 2, "most": 1, "heads": 1}
    found = SHAPED["routed"]([asked, value], options, (8,))

    wanted = functional.scaled_dot_product_attention(
        codes.flip(0), codes.flip(0), value.flip(0)
    )
    torch.testing.assert_close(found, wanted)


def test_with_all_windows_it_is_plain_attention():
    asked, value = torch.randn(2 * 4, 3, 16), torch.randn(2 * 4, 3, 8)

    options = {"window": 3, "most": 9, "heads": 2}
    found = SHAPED["routed"]([asked, value], options, (12,))

    rows = (asked[..., :8], asked[..., 8:], value)
    query, key, value = (x.reshape(2, 12, 2, 4).transpose(1, 2) for x in rows)
    wanted = functional.scaled_dot_product_attention(query, key, value)
    wanted = wanted.transpose(1, 2).reshape(8, 3, 8)
    torch.testing.assert_close(found, wanted)
