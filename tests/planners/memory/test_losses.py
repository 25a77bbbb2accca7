"""What losses of label maps keep and take, against what PyTorch does."""

import torch

from autoseg.losses import LOSSES
from planners.memory.losses import LABEL_MAPS, PARTLY
from tests.each import each

from . import allocated

CASES = [(3, (40, 40)), (8, (12, 12, 12))]


def _made(name, channels, shape):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((2, channels, *shape), generator=generator).requires_grad_()
    target = torch.randint(0, channels, (2, *shape), generator=generator)
    if name == PARTLY:
        target[1][target[1] != 1] = channels
        row = [-1, *[0] * (channels - 2), -1]
        return LOSSES["dice_ce"](partly=[[channels, row]]), logits, target.short()
    return LOSSES[name](), logits, target.short()


def _kept(loss, logits, target):
    own = {one.untyped_storage()._cdata for one in (logits, target)}
    sizes, alive = {}, []

    def pack(tensor):
        sizes[tensor.untyped_storage()._cdata] = tensor.untyped_storage().nbytes()
        alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss(logits, target)
    return sum(size for key, size in sizes.items() if key not in own)


@each("name", LABEL_MAPS)
def test_no_loss_takes_more_than_is_planned_with(name):
    wanted = LABEL_MAPS[name]
    found = []
    for channels, shape in CASES:
        loss, logits, target = _made(name, channels, shape)
        sizes, value = allocated.followed(
            lambda one=loss, z=logits, g=target: one(z, g)
        )
        forward = allocated.most(sizes)
        backward = allocated.peak_of(value.backward)
        saved = _kept(loss, logits, target)
        unit = 4 * logits.numel()
        found.append([saved / unit, forward / unit, backward / unit])

    most = [max(numbers) for numbers in zip(*found, strict=True)]
    for real, planned in zip(most, wanted, strict=True):
        assert 0.6 * real <= planned <= 1.7 * real + 0.5, (most, wanted)
