"""A dense conditional random field, against sums over all pairs written out."""

import math

import numpy as np
import pytest

from autoseg.errors import PlanError
from autoseg.model import dense_crf
from autoseg.model.dense_crf import DenseCrf, mean_field, refined


def _by_all_pairs(shares, image, spacing, crf):
    """Mean field by matrices of all pairs of voxels: no window, no blocks."""
    shape = shares.shape[1:]
    places = np.indices(shape).reshape(len(shape), -1).T * np.asarray(spacing)
    places = places / min(spacing)
    apart = ((places[:, None] - places[None]) ** 2).sum(-1)
    values = image.reshape(len(image), -1).T
    unlike = ((values[:, None] - values[None]) ** 2).sum(-1)
    near = np.exp(-apart / (2 * crf.near_deviation**2))
    alike = np.exp(-apart / (2 * crf.alike_deviation**2))
    alike = alike * np.exp(-unlike / (2 * crf.contrast**2))
    total = np.zeros_like(near)
    for weight, kernel in ((crf.near, near), (crf.alike, alike)):
        np.fill_diagonal(kernel, 0)
        sums = kernel.sum(1)
        total += weight * kernel / np.sqrt(np.outer(sums, sums))
    unary = np.log(shares.reshape(len(shares), -1))
    marginals = np.exp(unary) / np.exp(unary).sum(0)
    for _ in range(crf.steps):
        heard = np.exp(unary + marginals @ total)
        marginals = heard / heard.sum(0)
    return marginals.reshape(shares.shape)


@pytest.mark.parametrize(
    ("shape", "spacing", "channels"),
    [((5, 6), (1.0, 1.0), 1), ((3, 4, 4), (2.0, 1.0, 1.0), 2)],
    ids=["picture", "thick slices"],
)
def test_with_a_window_as_large_as_the_image_it_is_the_whole_field(
    shape, spacing, channels
):
    rng = np.random.default_rng(3)
    shares = rng.dirichlet([2] * 3, shape).transpose(-1, *range(len(shape)))
    image = rng.normal(size=(channels, *shape))
    crf = DenseCrf(alike=2.0, contrast=0.8, reach=6, steps=3)

    found = mean_field(
        shares.astype(np.float32), image.astype(np.float32), spacing, crf
    )

    wanted = _by_all_pairs(np.maximum(shares, 0.5 / 255), image, spacing, crf)
    np.testing.assert_allclose(found, wanted, atol=2e-5)
    assert np.abs(found - shares).max() > 0.1  # it does something


def test_blocks_with_margins_give_what_the_whole_gives(monkeypatch):
    rng = np.random.default_rng(4)
    outputs = rng.integers(1, 255, (2, 30, 5)).astype(np.uint8)
    image = rng.normal(size=(1, 30, 5)).astype(np.float32)
    crf = DenseCrf(reach=1, steps=2)
    whole = refined([outputs], image, (1.0, 1.0), crf)

    monkeypatch.setattr(dense_crf, "AT_ONCE", 1)

    assert len(dense_crf._blocks(outputs.shape, 1, crf.margin((1.0, 1.0)))) == 10
    np.testing.assert_array_equal(refined([outputs], image, (1.0, 1.0), crf), whole)


def test_a_doubtful_border_moves_to_where_the_image_changes():
    outputs = np.full((2, 8, 12), 128, np.uint8)
    outputs[1, :, :4], outputs[1, :, 9:] = 20, 235  # sure at both ends only
    outputs[0] = 255 - outputs[1]
    image = np.where(np.arange(12) < 6, 10.0, 90.0)[None, None].repeat(8, 1)

    found = refined([outputs], image, (1.0, 1.0), DenseCrf(contrast=0.2))

    assert (found[1] > found[0]).all(0).tolist() == [False] * 6 + [True] * 6


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_what_cannot_be_is_refused(value):
    with pytest.raises(PlanError, match="contrast"):
        DenseCrf(contrast=value)
