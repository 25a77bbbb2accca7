"""What every network must do, whoever wrote it."""

from __future__ import annotations

import copy
import functools
import io
import json
from typing import Any, NamedTuple

import torch
from torch import Tensor

from autoseg.blueprints.declaration import Declaration
from autoseg.errors import PlanError
from autoseg.networks.base import Network
from autoseg.testing._contract import Contract, require
from autoseg.train.loop.optimizer import AdamW

Kind = type[Network] | type[Declaration]
HEADS = {"classes": 3, "distance": 1}
STEPS = 20  # of training, in which a loss has to fall
FALLEN = 0.9  # of what it was at first
CLEARLY = 0.8  # where nobody has to look further
RULES = Contract("network")


def check_network(kind: Kind) -> None:
    """Raise PluginError unless a class keeps the rules of a network.

    Parameters
    ----------
    kind : type
        The class; its ``example`` says which tiny options it is tried with, in 2-D and
        in 3-D.
    """
    RULES.check(kind.__name__, [(kind, 2), (kind, 3)])


def _make(
    kind: Kind,
    dim: int,
    channels: int = 2,
    levels: bool = False,
    seed: int = 0,
) -> tuple[Any, Tensor]:
    torch.default_generator.manual_seed(seed)  # those of GPUs take a while to be told
    options, shape = kind.example(dim)
    make: Any = kind
    return make(channels, HEADS, levels, **options), torch.randn(2, channels, *shape)


@functools.lru_cache(maxsize=2)  # of an example in 2-D and one in 3-D
def _predicting(kind: Kind, dim: int) -> tuple[Any, Tensor, dict[str, Tensor]]:
    """Return a network that only predicts, for all rules that change nothing in it.

    With an image, and what it gives for that.
    """
    network, image = _make(kind, dim)
    network.eval()
    with torch.no_grad():
        return network, image, network(image)


class Supervised(NamedTuple):
    """A network with deep supervision, and what it gives for an image of one channel.

    Its weights are not those that it began with: a residual block may ignore its own
    convolutions at first.
    """

    network: Any
    image: Tensor
    trained: dict[str, list[Tensor]]  # while it is trained, with what gradients need
    outputs: dict[str, list[Tensor]]  # once it only predicts, as it does now


@functools.lru_cache(maxsize=2)
def _supervised(kind: Kind, dim: int) -> Supervised:
    network, image = _make(kind, dim, channels=1, levels=True)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    trained = network(image)
    with torch.no_grad():
        return Supervised(network.eval(), image, trained, network(image))


@functools.lru_cache(maxsize=2)
def _trained(kind: Kind, dim: int) -> tuple[Any, Tensor]:
    """Return a network, for images of four channels, that a rule may have trained."""
    return _make(kind, dim, channels=4)


@RULES.add
def its_options_survive_a_plan(kind: Kind, dim: int) -> None:
    """A plan is a JSON file: no tuples, no arrays."""
    options, _ = kind.example(dim)
    known = issubclass(kind, (Network, Declaration))
    require(known, "it is no subclass of Network or Declaration")
    require(json.loads(json.dumps(options)) == options, f"example gives {options}")


@RULES.add
def every_head_has_the_resolution_of_the_image(kind: Kind, dim: int) -> None:
    """Whatever the number of channels is: four here, one and two in other rules."""
    network, image = _trained(kind, dim)
    with torch.no_grad():
        found = {name: tuple(out.shape) for name, out in network(image).items()}
    wanted = {name: (2, k, *image.shape[2:]) for name, k in HEADS.items()}
    require(found == wanted, f"shapes are {found}, not {wanted}")


@RULES.add
def deep_supervision_gives_finer_or_equal_outputs_first(kind: Kind, dim: int) -> None:
    """A list for each head, finest first; each grid divides the one before.

    All may have the image's resolution; then none is coarser.
    """
    _, image, outputs, _ = _supervised(kind, dim)
    require(list(outputs) == list(HEADS), f"heads are {list(outputs)}")
    for name, levels in outputs.items():
        shapes = [tuple(level.shape[2:]) for level in levels]
        require(shapes[0] == tuple(image.shape[2:]), f"the finest is {shapes[0]}")
        full = len(set(shapes)) == 1
        for fine, coarse in zip(shapes, shapes[1:], strict=False):
            divides = all(a % b == 0 for a, b in zip(fine, coarse, strict=True))
            require((full or coarse != fine) and divides, f"levels are {shapes}")
        require({level.shape[1] for level in levels} == {HEADS[name]}, "channels")


@RULES.add
def deep_supervision_can_be_switched_and_changes_no_output(
    kind: Kind, dim: int
) -> None:
    """The finest output is the only one, to the bit."""
    network, image, _, outputs = _supervised(kind, dim)
    network.deep_supervision = False
    try:
        with torch.no_grad():
            single = network(image)
    finally:
        network.deep_supervision = True
    for name in HEADS:
        torch.testing.assert_close(single[name], outputs[name][0], rtol=0, atol=0)


@RULES.add
def every_parameter_learns(kind: Kind, dim: int) -> None:
    """But a bias in front of a normalization over the same voxels, without effect."""
    network, _, trained, _ = _supervised(kind, dim)
    wrong: Any = sum(level.pow(2).sum() for out in trained.values() for level in out)
    wrong.backward(retain_graph=True)  # for who asks again
    silent = [
        name
        for name, p in network.named_parameters()
        if not name.endswith("conv.bias") and (p.grad is None or not p.grad.abs().any())
    ]
    require(not silent, f"{', '.join(silent)} got no gradient")


@RULES.add
def each_channel_of_the_image_matters(kind: Kind, dim: int) -> None:
    """Another second channel gives other outputs, for every head."""
    network, image, before = _predicting(kind, dim)
    changed = image.clone()
    changed[:, 1] += torch.randn_like(changed[:, 1])
    with torch.no_grad():
        after = network(changed)
    for name in HEADS:
        require(not torch.equal(before[name], after[name]), f"head {name}")


@RULES.add
def its_state_can_be_saved_and_loaded(kind: Kind, dim: int) -> None:
    """Without pickle, and with the same outputs to the bit."""
    network, image, outputs = _predicting(kind, dim)
    other, _ = _make(kind, dim, seed=1)
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    other.eval()
    with torch.no_grad():
        found = other(image)
    for name in HEADS:
        torch.testing.assert_close(found[name], outputs[name], rtol=0, atol=0)


@RULES.add
def the_same_seed_gives_the_same_weights(kind: Kind, dim: int) -> None:
    """Random numbers are torch's alone."""
    first, second = _predicting(kind, dim)[0], _make(kind, dim)[0]
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    require(all(torch.equal(a, b) for a, b in pairs))


@RULES.add
def samples_of_a_batch_do_not_mix_when_it_predicts(kind: Kind, dim: int) -> None:
    """One image alone gets the outputs that it gets beside another."""
    network, image, together = _predicting(kind, dim)
    with torch.no_grad():
        alone = network(image[1:])
        if not _same(together, alone):  # what rounding explains is gone in doubles
            network, image = copy.deepcopy(network).double(), image.double()
            together, alone = network(image), network(image[1:])
    for name in HEADS:
        torch.testing.assert_close(together[name][1:], alone[name])


def _same(together: dict[str, Tensor], alone: dict[str, Tensor]) -> bool:
    return all(torch.allclose(together[n][1:], alone[n], 1.3e-6, 1e-5) for n in HEADS)


@RULES.add
def an_image_of_any_size_is_segmented_or_refused_with_the_divisor(
    kind: Kind, dim: int
) -> None:
    """A network that cannot have it raises PlanError; one that can keeps the size."""
    network, image, _ = _predicting(kind, dim)
    odd = image[..., :-1]
    try:
        with torch.no_grad():
            outputs = network(odd)
    except PlanError as error:
        require("multiple of" in str(error), f"the message is {error}")
    else:
        for output in outputs.values():
            require(output.shape[2:] == odd.shape[2:], f"{tuple(output.shape)}")


@RULES.add
def its_weights_start_so_that_a_loss_falls(kind: Kind, dim: int) -> None:
    """In a few steps of AdamW on one batch, whose answer is the image's sign."""
    network, image = _trained(kind, dim)
    wanted = (image[:, :1] > 0).float()
    optimizer = AdamW(network.parameters(), lr=1e-2, fused=True)
    losses = []
    for _ in range(STEPS):
        outputs = network(image)
        loss = sum((out - wanted).pow(2).mean() for out in outputs.values())
        losses.append(loss.item())
        if losses[-1] < CLEARLY * losses[0]:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    first, last = losses[0], losses[-1]
    require(last < FALLEN * first, f"it goes from {first} to {last}")


@RULES.add
def a_declaration_counts_what_its_module_has(kind: Kind, dim: int) -> None:
    """The planner's parameters and shapes are those of torch; nothing else is said."""
    if not issubclass(kind, Declaration):
        return
    network, image, _ = _predicting(kind, dim)
    options, shape = kind.example(dim)
    drawing = kind.drawing(options, shape, image.shape[1], sum(HEADS.values()))
    found = sum(p.numel() for p in network.parameters())
    require(drawing.parameters == found, f"{drawing.parameters}, and torch has {found}")
    drawn = drawing.tensors[drawing.finest_first()[0].logits].shape
    require(drawn == shape, f"its finest output is drawn as {drawn}")


@RULES.add
def a_declaration_plans_patches_of_many_shapes(kind: Kind, dim: int) -> None:
    """Its options for a patch can be drawn on it, and survive a plan."""
    if not issubclass(kind, Declaration):
        return
    for edge, halvings in ((8, 1), (16, 2), (64, 4), (64, 5)):
        shapes = Patch(
            (edge,) * dim,
            ((1,) * dim, *[(2,) * dim] * halvings),
            ((3,) * dim,) * (halvings + 1),
        )
        options = kind.plan(shapes, {})
        require(json.loads(json.dumps(options)) == options, f"options are {options}")
        drawing = kind.drawing(options, shapes.patch_size, 1, 2)
        require(bool(drawing.heads), "it has no head")


class Patch(NamedTuple):
    """A patch and how it is halved."""

    patch_size: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]
    kernels: tuple[tuple[int, ...], ...]
