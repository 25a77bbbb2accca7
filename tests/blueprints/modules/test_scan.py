"""State spaces are computed in parallel as they are defined, token by token."""

import pytest
import torch
from torch.nn import functional

from autoseg.blueprints.drawing import Drawing
from autoseg.blueprints.modules import _scan
from autoseg.networks._trial import unmarked

CHANNELS, STATES = 5, 3


def by_definition(x, steps, given, taken, log_rates, skip):
    moved, rates = functional.softplus(steps), -log_rates.exp()
    state, said = torch.zeros(len(x), CHANNELS, STATES), []
    for token in range(x.shape[1]):
        here = moved[:, token, :, None]
        entered = here * x[:, token, :, None] * given[:, token, None]
        state = torch.exp(here * rates) * state + entered
        said.append((state * taken[:, token, None]).sum(-1) + skip * x[:, token])
    return torch.stack(said, 1)


def tensors(tokens):
    torch.manual_seed(tokens)
    wide, narrow = (2, tokens, CHANNELS), (2, tokens, STATES)
    shapes = [wide, wide, narrow, narrow, (CHANNELS, STATES), (CHANNELS,)]
    return [torch.randn(shape, requires_grad=True) for shape in shapes]


@pytest.mark.parametrize("tokens", [1, 2, 7, 30])
@pytest.mark.parametrize("at_once", [1, 2**20])
def test_outputs_and_gradients_are_those_of_a_loop(tokens, at_once, monkeypatch):
    monkeypatch.setattr(_scan, "SCANNED", at_once)  # one channel at a time, or all
    given = tensors(tokens)

    found, wanted = _scan._Scanned.apply(*given), by_definition(*given)

    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    weights = torch.randn_like(found)
    gradients, expected = (
        torch.autograd.grad((y * weights).sum(), given) for y in (found, wanted)
    )
    torch.testing.assert_close(gradients, expected, rtol=1e-4, atol=1e-4)


def test_steps_grow_with_the_root_of_the_tokens_only():
    @unmarked  # or torch's compiler is imported for it
    class Count(torch.utils._python_dispatch.TorchDispatchMode):
        calls = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            self.calls += 1
            return function(*args, **(kwargs or {}))

    def calls(tokens):
        with torch.no_grad(), Count() as counted:
            _scan._Scanned.apply(*tensors(tokens))
        return counted.calls

    assert calls(1600) < 5 * calls(64)  # 25 times as many tokens


def test_a_convolution_along_tokens_sees_those_before():
    net = Drawing(1, (6, 1), 2)
    net.causal(net.tokens(net.image), 3, name="before")
    made = _scan.Causal(net.layers[-1])
    with torch.no_grad():
        made.weight.copy_(torch.tensor([[1.0, 10.0, 100.0]]))
        made.bias.fill_(0.5)

    found = made(torch.arange(1.0, 5).view(1, 4, 1)).flatten()

    assert found.tolist() == [100.5, 210.5, 321.5, 432.5]


def test_steps_start_between_their_bounds():
    class Layer:
        options = {}

    steps = functional.softplus(_scan.Steps(Layer, 4, 64).bias)

    assert steps.min() >= 0.99e-3 and steps.max() <= 1.01e-1
