"""Memory of queries and regions, and of what their masks are compared with."""

import pytest
import torch

from autoseg.losses import _masks, _told
from autoseg.losses.located_masks import LocatedMasks
from autoseg.losses.prototype_masks import PrototypeMasks
from autoseg.losses.set_matching import SetMatching
from autoseg.networks import _looks, _queries, _regions, _tellers
from autoseg.networks._queries import QueryReader
from autoseg.networks._reading import READERS
from autoseg.spec.choice import Choice
from planners.memory import reading
from planners.memory.model import step_cost
from planners.memory.reading import Reading
from planners.setting import LossCost, Setting


def reader(queries=30, features=16, blocks=1, dim=2, fine=False):
    options = {"queries": queries, "blocks": blocks, "fine": fine}
    made = QueryReader(features, dim, **options)
    return made, Reading(features=features, options=options)


def test_what_it_is_counted_with_is_what_it_is():
    for name, there in (
        ("WIDTH", _queries),
        ("OCTAVES", _queries),
        ("MOST_TOKENS", _looks),
        ("MOST_TOLD", _masks),
        ("POINTS", _told),
    ):
        assert getattr(reading, name) == getattr(there, name)
    assert reading.REGION == _regions.WIDTH
    assert reading.WIDTH == _tellers.WIDTH
    assert reading.KINDS.keys() == READERS.keys()


@pytest.mark.parametrize("dim", [2, 3])
def test_its_parameters_are_counted_to_the_last(dim):
    for options in ({}, {"queries": 7, "features": 5, "blocks": 3}, {"blocks": 0}):
        made, said = reader(dim=dim, **options)

        assert said.parameters(dim) == sum(p.numel() for p in made.parameters())


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("locations", {"locations": 9}),
        ("regions", {"regions": 9, "edge": 5}),
        ("tellers", {"told": 11, "maps": 3}),
    ],
)
def test_those_of_other_readers_are_counted_to_the_last(kind, options):
    for dim in (2, 3):
        made = READERS[kind](7, dim, **options)
        said = reading.KINDS[kind](features=7, options=options)

        assert said.parameters(dim) == sum(p.numel() for p in made.parameters())


@pytest.mark.parametrize(
    ("dim", "edge", "options"),
    [
        (2, 64, {}),
        (2, 96, {"queries": 60}),
        (2, 64, {"blocks": 3, "features": 32}),
        (3, 24, {}),
        (2, 64, {"fine": True}),
        (3, 24, {"fine": True}),
    ],
    ids=["small", "queries", "rounds", "volume", "fine", "fine_volume"],
)
def test_what_autograd_keeps_is_what_was_said(dim, edge, options):
    made, said = reader(dim=dim, **options)
    read, compared = kept_by(
        made, said.features, dim, edge, said.queries, SetMatching()
    )
    voxels = [(edge >> n) ** dim for n in range(3)]
    assert said.kept(dim, voxels) == pytest.approx(read, rel=0.1)
    assert said.loss(dim, voxels) == pytest.approx(compared, rel=0.2)


@pytest.mark.parametrize(("dim", "edge"), [(2, 64), (3, 24)])
def test_what_regions_keep_is_what_was_said(dim, edge):
    options = {"regions": 12, "edge": 8}
    made = READERS["regions"](16, dim, **options)
    said = reading.KINDS["regions"](features=16, options=options)

    read, compared = kept_by(made, 16, dim, edge, 12, LocatedMasks())

    voxels = [(edge >> n) ** dim for n in range(3)]
    assert said.kept(dim, voxels) == pytest.approx(read, rel=0.1)
    assert said.loss(dim, voxels) == pytest.approx(compared, rel=0.2)


@pytest.mark.parametrize(("dim", "edge"), [(2, 64), (3, 24)])
def test_what_tellers_keep_is_what_was_said(dim, edge):
    options = {"told": 2 * dim + 8, "maps": 8}
    made = READERS["tellers"](16, dim, **options)
    said = reading.KINDS["tellers"](features=16, options=options)

    read, _ = kept_by(made, 16, dim, edge, 12, PrototypeMasks(axes=dim))

    voxels = [(edge >> n) ** dim for n in range(3)]
    assert said.kept(dim, voxels) == pytest.approx(read, rel=0.1)


def kept_by(made, features, dim, edge, count, loss):
    """Return the bytes that autograd keeps of a reader, and of its outputs and loss."""
    levels = [
        torch.randn(1, features, *[edge >> n] * dim, requires_grad=True)
        for n in range(3)
    ]
    boxes = torch.randn(1, 1 + 2 * dim, *[edge] * dim)
    objects = torch.zeros((1, 2, *[edge] * dim), dtype=torch.int32)
    ids = torch.arange(edge**dim) * round(count / reading.ROOM) // edge**dim
    objects[0, 0] = ids.reshape([edge] * dim) + 1
    own = [*made.parameters(), *levels, boxes]
    known = {x.untyped_storage().data_ptr() for x in own}
    kept = {}

    def pack(x):
        storage = x.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = storage.nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        outputs = made(levels, {"boxes": [boxes]})
        read = sum(kept.values())
        losses = []
        for output in outputs:
            step = edge // output.shape[-1]
            cut = (..., *[slice(step // 2, None, step)] * dim)
            looks = output.dim() != objects.dim()
            losses.append(loss(output, objects if looks else objects[cut]))
    held = sum(x.numel() for x in outputs) * 4 + outputs[0].numel() * 4
    return read, sum(kept.values()) - read + held


def test_more_queries_make_a_step_dearer_by_about_what_they_take():
    network = {
        "features": [8, 16],
        "kernels": [[3, 3]] * 2,
        "strides": [[1, 1], [2, 2]],
        "convs_encoder": [1, 1],
        "convs_decoder": [1],
        "dim": 2,
    }

    def peak(queries):
        reader = Choice(name="queries", options={"queries": queries, "blocks": 1})
        return step_cost(
            "plain_unet",
            network,
            (64, 64),
            in_channels=1,
            heads=[LossCost(channels=16, loss="set_matching", reader=reader)],
            setting=Setting(precision="fp32", device="cpu"),
        ).total(4)

    one, other = (reader(queries=n)[1] for n in (20, 60))
    voxels = [64 * 64, 32 * 32]
    more = other.loss(2, voxels) - one.loss(2, voxels)
    more += other.kept(2, voxels) - one.kept(2, voxels)
    assert peak(60) - peak(20) == pytest.approx(4 * more, rel=0.1)
