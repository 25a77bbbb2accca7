"""Networks of torch are measured without numbers, and the planner plans with it."""

import contextlib
import math

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils import flop_counter

from autoseg.errors import PlanError
from autoseg.networks import NETWORKS, measured
from autoseg.networks._trial import Operations, unmarked
from autoseg.networks.base import Network
from autoseg.networks.measured import Unmeasurable, measure, remembered_in

CONV = {2: nn.Conv2d, 3: nn.Conv3d}
UP = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
INSTANCE = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
BATCH = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
POOL = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
UNPOOL = {2: nn.MaxUnpool2d, 3: nn.MaxUnpool3d}


class Plug(Network):
    """What the networks of these tests have in common."""

    def __init__(
        self, in_channels, heads, deep_supervision=False, *, dim: int, width: int = 8
    ):
        super().__init__()
        self.heads, self.deep_supervision = dict(heads), deep_supervision
        self.make(in_channels, sum(heads.values()), dim, width)

    def forward(self, image):
        parts = [
            level.split(list(self.heads.values()), 1) for level in self.levels(image)
        ]
        if self.deep_supervision:
            return {k: [p[i] for p in parts] for i, k in enumerate(self.heads)}
        return dict(zip(self.heads, parts[0], strict=True))

    @classmethod
    def example(cls, dim):
        return {"dim": dim}, (24,) * dim


class Straight(Plug):
    """The example of docs/extending.md."""

    def make(self, channels, outputs, dim, width):
        self.first = CONV[dim](channels, width, 3, padding=1)
        self.last = CONV[dim](width, outputs, 1)

    def levels(self, image):
        return [self.last(self.first(image).relu())]


class Halves(Plug):
    """A U-Net of two stages, with deep supervision."""

    def make(self, channels, outputs, dim, width):
        def block(before, after, stride):
            return nn.Sequential(
                CONV[dim](before, after, 3, stride, 1),
                INSTANCE[dim](after, affine=True),
                nn.LeakyReLU(inplace=True),
            )

        self.fine, self.coarse = block(channels, width, 1), block(width, 2 * width, 2)
        self.up = UP[dim](2 * width, width, 2, 2)
        self.joined = block(2 * width, width, 1)
        self.heads_of = nn.ModuleList(
            CONV[dim](w, outputs, 1) for w in (width, 2 * width)
        )

    def levels(self, image):
        skip = self.fine(image)
        below = self.coarse(skip)
        joined = self.joined(torch.cat([self.up(below), skip], 1))
        return [head(x) for head, x in zip(self.heads_of, (joined, below), strict=True)]


class Attends(Plug):
    """Tokens of 8 voxels a side that look at each other, fused and written out."""

    def make(self, channels, outputs, dim, width):
        self.embed = CONV[dim](channels, width, 8, 8)
        self.norm = nn.LayerNorm(width)
        self.fused = nn.MultiheadAttention(width, 2, batch_first=True)
        self.back = UP[dim](width, outputs, 8, 8)

    def levels(self, image):
        grid = self.embed(image)
        x = self.norm(grid.flatten(2).transpose(1, 2))
        x = x + self.fused(x, x, x, need_weights=False)[0]
        x = x + torch.softmax(x @ x.transpose(1, 2), -1) @ x
        return [self.back(functional.gelu(x.transpose(1, 2).reshape(grid.shape)))]


class Places(Plug):
    """Pools by two and by three, and puts back where it took."""

    def make(self, channels, outputs, dim, width):
        self.first, self.norm = (
            CONV[dim](channels, width, 3, padding=1),
            BATCH[dim](width),
        )
        self.pools = nn.ModuleList(POOL[dim](n, return_indices=True) for n in (2, 3))
        self.unpools = nn.ModuleList(UNPOOL[dim](n) for n in (2, 3))
        self.last = CONV[dim](width, outputs, 1)

    def levels(self, image):
        x = functional.elu(self.norm(self.first(image)))
        x, two = self.pools[0](x)
        x, three = self.pools[1](x)
        return [self.last(self.unpools[0](self.unpools[1](x, three), two))]


class Cut(Straight):
    """Convolutions that are not padded, put back into the image's frame."""

    def levels(self, image):
        margins = [1] * (2 * (image.dim() - 2))
        inside = functional.conv2d(image, self.first.weight, self.first.bias)
        return [self.last(functional.pad(inside.relu(), margins))]


def kept_bytes(kind, dim, shape, precision):
    """What autograd keeps of a batch of two, weights and image left out."""
    network = kind(1, {"outputs": 3}, True, dim=dim).train()
    image = torch.randn(2, 1, *shape)
    storages, own = {}, {image.untyped_storage().data_ptr()}
    own |= {t.untyped_storage().data_ptr() for t in network.state_dict().values()}

    def note(tensor):
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    low = precision == "bf16"
    with (
        torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=low),
    ):
        outputs = network(image)
    del outputs
    return sum(s.nbytes() for place, s in storages.items() if place not in own)


def measured_of(kind, dim, precision="fp32", **more):
    options = {"dim": dim}
    with NETWORKS.holding("plug", kind):
        return measure(
            "plug", options, dim, in_channels=1, outputs=3, precision=precision, **more
        )


@pytest.mark.parametrize(
    ("kind", "dim", "precision"),
    [
        (Straight, 2, "fp32"),
        (Halves, 2, "fp32"),
        (Halves, 2, "bf16"),
        (Halves, 3, "fp32"),
        (Attends, 2, "fp32"),
        (Attends, 2, "bf16"),
        (Attends, 3, "fp32"),
        (Places, 2, "fp32"),
        (Places, 3, "fp32"),
        (Cut, 2, "fp32"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_kept_bytes_are_those_of_autograd_at_sizes_that_were_not_fitted(
    kind, dim, precision
):
    found = measured_of(kind, dim, precision)

    for shape in [(24, 48, 24)[:dim], (48, 24, 24)[:dim]]:
        kept = kept_bytes(kind, dim, shape, precision)
        predicted = 2 * found.at("saved", shape) + found.fixed
        assert predicted == pytest.approx(kept, rel=0.03)


@pytest.mark.parametrize(
    ("kind", "divisor", "least"),
    [
        (Straight, (1, 1), (1, 1)),
        # One voxel at the bottom has no deviation to normalize by.
        (Halves, (2, 2), (4, 4)),
        (Attends, (8, 8), (8, 8)),
        (Places, (6, 6), (6, 6)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_edges_must_be_is_found_by_trying(kind, divisor, least):
    found = measured_of(kind, 2)

    assert (found.divisor, found.least) == (divisor, least)


def test_levels_operations_and_parameters_are_those_of_the_module():
    found = measured_of(Halves, 2)
    made = Halves(1, {"outputs": 3}, True, dim=2)

    assert found.levels == (1.0, 0.25)
    assert found.parameters == sum(p.numel() for p in made.parameters())
    # By hand, for each voxel: 9 * 1 * 8; a quarter of 9 * 8 * 16 and of the transposed
    # 16 * 8 * 4; 9 * 16 * 8; heads of 8 * 3, and of a quarter of 16 * 3.
    each = 72 + 288 + 128 + 1152 + 24 + 12
    assert found.at("multiply_adds", (40, 24)) == pytest.approx(each * 960, rel=1e-6)


def test_a_network_says_its_divisor_itself_where_it_wants():
    class Says(Straight):
        @classmethod
        def divisor(cls, options):
            return (4,) * options["dim"]

    assert measured_of(Says, 3).divisor == (4, 4, 4)


def test_what_was_measured_is_remembered_in_a_file(tmp_path, monkeypatch):
    file = tmp_path / "networks.json"
    with remembered_in(file):
        first = measured_of(Straight, 2, "fp16")
    monkeypatch.setattr(measured, "_KNOWN", {})
    monkeypatch.setattr(measured, "_measured", None)  # would raise if it were called

    with remembered_in(file):
        again = measured_of(Straight, 2, "fp16")

    assert again == first


class Needs(Straight):
    """Wants to know a number."""

    def levels(self, image):
        return super().levels(image / (1 + image.abs().max().item()))


class Odd(Straight):
    """Takes one shape of image, and does not say so."""

    def make(self, channels, outputs, dim, width):
        super().make(channels, outputs, dim, width)
        self.place = nn.Parameter(torch.zeros(64, 64))

    def levels(self, image):
        return super().levels(image + self.place)


class Small(Straight):
    """Gives outputs that are smaller than the image."""

    def levels(self, image):
        return [functional.avg_pool2d(super().levels(image)[0], 2)]


def test_a_network_that_needs_numbers_is_told_apart():
    with pytest.raises(Unmeasurable, match="without numbers"):
        measured_of(Needs, 2)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Odd, "64 voxels along axis 0, and none of a little more.*fixed_shape = True"),
        (Small, r"none of the images.*finest output has the shape \(32, 32\)"),
    ],
    ids=["one-shape", "small-output"],
)
def test_a_network_that_cannot_be_planned_says_what_its_class_must_say(kind, words):
    with pytest.raises(PlanError, match=words):
        measured_of(kind, 2)


def test_one_shape_is_measured_on_its_own():
    found = measured_of(Odd, 2, shape=(64, 64))

    kept = kept_bytes(Odd, 2, (64, 64), "fp32")
    assert 2 * found.at("saved", (64, 64)) + found.fixed == pytest.approx(
        kept, rel=0.03
    )
    assert math.prod(found.shape) == 64 * 64


class _Whole(contextlib.nullcontext):
    """Says of each operation that it is of the whole, whichever module it is of."""

    parents = frozenset(["Global"])


@pytest.mark.parametrize("name", ["plain_unet", "swin_unet", "lightm_unet"])
def test_operations_are_those_of_torchs_own_counter(name, monkeypatch):
    # Convolutions, attention and products of rows, forward and backward.
    options, shape = NETWORKS[name].example(2)
    network = NETWORKS[name](2, {"classes": 3}, False, **options)
    image = torch.randn(2, 2, *shape)
    theirs, ours = flop_counter.FlopCounterMode(display=False), Operations()
    theirs.mod_tracker = _Whole()
    # Or torch's compiler is imported, which takes two seconds.
    mode = flop_counter._FlopCounterMode
    monkeypatch.setattr(mode, "__torch_dispatch__", mode.__torch_dispatch__)
    unmarked(mode)

    for counter in (theirs, ours):
        with counter:
            network(image)["classes"].sum().backward()

    assert 0 < ours.found == theirs.get_total_flops()
