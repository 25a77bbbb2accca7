"""Steps along orthogonal matrices."""

import torch

from autoseg.networks.plain_unet import PlainUNet
from autoseg.train.loop.muon import Muon, orthogonalized
from autoseg.train.loop.optimizer import make_optimizer
from autoseg.train.setup.recipes import RECIPES

NUMBERS = {"lr": 0.01, "momentum": 0.95, "second_momentum": 0.999}


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_directions_stay_and_get_about_the_same_length():
    for shape in ((6, 6), (4, 90), (90, 4)):
        left, _, right = torch.linalg.svd(drawn(*shape), full_matrices=False)
        values = torch.linspace(10, 1, min(shape))

        found = orthogonalized(left @ torch.diag(values) @ right)

        inner = left.T @ found @ right.T  # diagonal in the matrix's own directions
        off = inner - torch.diag(inner.diag())
        assert off.abs().max() < 1e-3
        assert inner.diag().min() > 0.6 and inner.diag().max() < 1.3


def by_rounds(matrix):
    """Newton and Schulz's rounds one by one, in double precision."""
    x = matrix.double() / matrix.double().norm()
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.float()


def test_one_product_of_all_rounds_is_what_the_rounds_give_one_by_one():
    falling = drawn(32, 90) * torch.logspace(0, -5, 90)
    one_direction = torch.ones(30, 200)
    few = drawn(40, 3) @ drawn(3, 200, seed=1)
    for matrix in (falling, one_direction, few, drawn(24, 24)):
        torch.testing.assert_close(
            orthogonalized(matrix), by_rounds(matrix), rtol=1e-3, atol=1e-4
        )


def test_a_gradient_of_zeros_moves_nothing():
    assert not orthogonalized(torch.zeros(3, 5)).any()


def test_what_is_no_hidden_weight_moves_as_by_adamw():
    ours, theirs = (torch.nn.Parameter(drawn(7)) for _ in range(2))
    muon = Muon([], [ours], **NUMBERS, weight_decay=0.1)
    adamw = torch.optim.AdamW([theirs], lr=0.01, betas=(0.95, 0.999), weight_decay=0.1)
    for round_ in range(5):
        ours.grad = theirs.grad = drawn(7, seed=round_)
        muon.step()
        adamw.step()

    torch.testing.assert_close(ours, theirs)


def test_a_first_step_has_the_size_of_adams():
    # The root mean square of an orthogonal m x n matrix is max(m, n) ** -0.5; so a
    # step's is 0.2 times the learning rate, whatever the gradient's size.
    weights = torch.nn.Parameter(torch.zeros(8, 4, 3, 3))
    muon = Muon([weights], [], **NUMBERS, weight_decay=0.0)
    for scale in (1e-4, 1.0):
        weights.data.zero_()
        weights.grad = scale * drawn(8, 4, 3, 3)
        muon.state.clear()
        muon.step()

        size = float(weights.data.square().mean().sqrt())
        assert 0.8 * 0.002 < size < 1.2 * 0.002


def test_weights_shrink_by_the_decay_alone_where_the_gradient_is_zero():
    weights = torch.nn.Parameter(torch.ones(2, 3))
    weights.grad = torch.zeros(2, 3)
    Muon([weights], [], **NUMBERS, weight_decay=0.5).step()

    torch.testing.assert_close(weights.data, torch.full((2, 3), 1 - 0.01 * 0.5))


def test_the_last_layer_biases_and_norms_are_no_hidden_weights():
    options, _ = PlainUNet.example(2)
    network = PlainUNet(in_channels=1, heads={"labels": 2}, **options)

    optimizer = make_optimizer(RECIPES["fast"], network)

    hidden, others = (group["params"] for group in optimizer.param_groups)
    names = {id(p): name for name, p in network.named_parameters()}
    assert {names[id(p)].rsplit(".", 1)[1] for p in hidden} == {"weight"}
    assert all(p.dim() == 4 for p in hidden)
    assert all("seg_layers" not in names[id(p)] for p in hidden)
    assert len(hidden) + len(others) == len(names)


def test_a_state_that_was_saved_goes_on_the_same():
    def step(weights, optimizer, seed):
        weights.grad = drawn(4, 6, seed=seed)
        optimizer.step()

    one, two = (torch.nn.Parameter(drawn(4, 6)) for _ in range(2))
    straight = Muon([one], [], **NUMBERS, weight_decay=0.0)
    before = Muon([two], [], **NUMBERS, weight_decay=0.0)
    step(one, straight, 1)
    step(two, before, 1)
    after = Muon([two], [], **NUMBERS, weight_decay=0.0)
    after.load_state_dict(before.state_dict())
    step(one, straight, 2)
    step(two, after, 2)

    assert torch.equal(one, two)
