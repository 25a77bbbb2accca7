"""A plan for a network that is written in torch: with what was measured of it."""

import pytest
from torch import nn
from torch.nn import functional

from autoseg.networks import NETWORKS, measured
from autoseg.networks.base import Network
from planners import PLANNERS
from planners.base import Budget
from planners.memory.costs import cost_of
from planners.setting import Setting

from ..conftest import make_fingerprint, make_task

LARGE = ((90, 300, 300), (1.0, 0.8, 0.8))


class Thirds(Network):
    """Makes everything three times smaller, and larger again."""

    def __init__(
        self, in_channels, heads, deep_supervision=False, *, dim: int, width: int = 24
    ):
        super().__init__()
        conv = {2: nn.Conv2d, 3: nn.Conv3d}[dim]
        back = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}[dim]
        self.heads, self.deep_supervision = dict(heads), deep_supervision
        self.first = conv(in_channels, width, 3, padding=1)
        self.down, self.up = conv(width, width, 3, 3), back(width, width, 3, 3)
        self.last = conv(width, sum(heads.values()), 1)

    def forward(self, image):
        fine = functional.elu(self.first(image))
        logits = self.last(fine + self.up(functional.elu(self.down(fine))))
        parts = logits.split(list(self.heads.values()), 1)
        found = dict(zip(self.heads, parts, strict=True))
        if self.deep_supervision:
            return {name: [output] for name, output in found.items()}
        return found

    @classmethod
    def example(cls, dim):
        return {"dim": dim, "width": 4}, (12,) * dim


@pytest.fixture(scope="module")
def planned():
    found = make_fingerprint(*LARGE)
    with NETWORKS.holding("thirds", Thirds), pytest.MonkeyPatch.context() as patch:
        patch.setattr(NETWORKS, "names", lambda: ("plain_unet", "thirds"))
        plans = [
            PLANNERS["unet"](
                found,
                make_task(2),
                Budget(memory_gb=gb, overrides={"network": "thirds"}),
            )
            for gb in (0.8, 1.6)
        ]
        setting = Setting(precision="fp32", device="cpu")
        yield plans, cost_of(plans[0], "3d_fullres", setting)


def test_patch_and_batch_fit_the_budget_and_the_network(planned):
    small, large = planned[0]

    for plan, gb in ((small, 0.8), (large, 1.6)):
        for chosen in plan.configurations.values():
            assert all(edge % 3 == 0 for edge in chosen.patch_size)
            assert 0.5 * gb < sum(chosen.memory.values()) / 2**30 <= gb
    voxels = [
        chosen.batch_size * chosen.patch_size[0] * chosen.patch_size[1]
        for chosen in (p.configuration("2d") for p in (small, large))
    ]
    assert voxels[0] < voxels[1]


def test_the_decision_says_that_torch_measured_it(planned):
    told = {decision.field: decision for decision in planned[0][0].decisions}

    assert "multiples of 3 x 3 x 3" in told["3d_fullres.network"].because
    assert "torch runs it without numbers" in told["3d_fullres.network"].rule


def test_a_step_is_counted_like_one_of_a_declared_network(planned):
    plan, cost = planned[0][0], planned[1]
    voxels, width = 1, 24
    for edge in plan.configuration("3d_fullres").patch_size:
        voxels *= edge

    # Kept by hand, in float32: what elu is given and gives, fine and coarse (1/27), the
    # sum that the last convolution reads; the probabilities of three classes; the image
    # and its labels of int16.
    maps = width * (2 + 2 / 27 + 1)
    assert cost.saved_per_sample == pytest.approx(
        voxels * (4 * (maps + 3 + 1) + 2), rel=0.03
    )
    assert cost.total(2) > cost.saved(2) + 4 * cost.parameters


def test_planning_again_measures_nothing(planned, monkeypatch):
    monkeypatch.setattr(measured, "_measured", None)  # would raise if it were called
    first = planned[0][0]
    with NETWORKS.holding("thirds", Thirds):
        monkeypatch.setattr(NETWORKS, "names", lambda: ("plain_unet", "thirds"))
        again = PLANNERS["unet"](
            make_fingerprint(*LARGE),
            make_task(2),
            Budget(memory_gb=0.8, overrides={"network": "thirds"}),
        )

    assert again == first
