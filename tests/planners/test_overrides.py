"""What is set is planned around."""

import math
from dataclasses import replace

import pytest

from autoseg.errors import UsageError
from planners import PLANNERS
from planners._overrides import check_overrides
from planners.base import Budget

LIVER = ((200, 500, 500), (1.5, 0.8, 0.8))


@pytest.fixture
def plan(fingerprint, task):
    def planned(images=LIVER, *, rule="nnunet", gb=None, **overrides):
        values = {key.replace("__", "."): value for key, value in overrides.items()}
        budget = Budget(memory_gb=gb, rule=rule, overrides=values)
        return PLANNERS["unet"](fingerprint(*images), task(), budget)

    return planned


def test_a_patch_gets_its_own_strides_and_batch(plan):
    free, fixed = plan(), plan(patch_size=[64, 64, 64])

    chosen = fixed.configuration("3d_fullres")
    assert chosen.patch_size == (64, 64, 64)
    assert len(chosen.network.options["strides"]) == 5  # 64 = 4 * 2 ** 4
    assert chosen.batch_size > free.configuration("3d_fullres").batch_size
    assert chosen.memory != free.configuration("3d_fullres").memory
    assert fixed.configuration("2d") == free.configuration("2d")


def test_a_batch_gets_its_own_patch(plan):
    chosen = plan(batch_size=6).configuration("3d_fullres")

    free = plan().configuration("3d_fullres")
    assert chosen.batch_size == 6
    assert sum(chosen.patch_size) < sum(free.patch_size)


def test_one_configuration_can_be_set_alone(plan):
    fixed = plan(**{"2d.batch_size": 5})

    assert fixed.configuration("2d").batch_size == 5
    assert fixed.configuration("3d_fullres") == plan().configuration("3d_fullres")


def test_a_spacing_is_followed_by_all_configurations(plan):
    fixed = plan(spacing=[3.0, 1.0, 1.0])

    full = fixed.configuration("3d_fullres")
    assert full.spacing == (3.0, 1.0, 1.0)
    # 200 slices of 1.5 mm are 100 of 3 mm; 500 of 0.8 mm are 400 of 1 mm
    assert full.median_shape == (100.0, 400.0, 400.0)
    assert fixed.configuration("2d").spacing == (1.0, 1.0)


def test_a_spacing_is_in_the_order_of_the_plan(plan):
    # The coarsest axis of the images is the last.
    sagittal = plan(((500, 500, 200), (0.8, 0.8, 1.5)))
    fixed = plan(((500, 500, 200), (0.8, 0.8, 1.5)), spacing=[3.0, 1.0, 0.9])

    assert sagittal.transpose == fixed.transpose == (2, 0, 1)
    assert fixed.configuration("3d_fullres").spacing == (3.0, 1.0, 0.9)


def test_the_spacing_of_one_configuration(plan):
    fixed = plan(**{"3d_lowres.spacing": [4.0, 4.0, 4.0]})

    assert fixed.configuration("3d_lowres").spacing == (4.0, 4.0, 4.0)
    assert fixed.configuration("3d_lowres").median_shape == (75.0, 100.0, 100.0)
    assert fixed.configuration("3d_fullres") == plan().configuration("3d_fullres")


def test_the_recipe_that_a_network_brings_is_told_with_its_numbers(plan):
    mednext, usual = plan(network="mednext"), plan()
    named = plan(network="mednext", train="fast")

    told = {d.field: d.because for d in mednext.decisions}["training"]
    assert "mednext brings its own: adamw at 0.001" in told
    assert "a rise over 5 %" in told and "depthwise" in told
    assert mednext.training.name == "auto" and not mednext.training.options
    assert {d.field: d for d in named.decisions}["training"].value == "fast"
    assert "brings" not in {d.field: d.because for d in usual.decisions}["training"]


@pytest.mark.parametrize("name", ["mednext", "unetr"])
def test_widths_say_how_many_stages_another_network_has_at_most(plan, name):
    chosen = plan(network=name, network__features=[8, 16, 24]).configurations
    small = plan(
        network=name, network__features=[8, 16, 24, 32], patch_size=[8, 8, 8]
    ).configuration("3d_fullres")

    assert all(c.network.options["features"] == [8, 16, 24] for c in chosen.values())
    # An edge of 8 is halved once.
    assert small.network.options["features"] == [8, 16][: 2 if name == "mednext" else 1]


def test_another_network_is_planned(plan):
    fixed = plan(network="residual_unet", rule="bytes", gb=8)

    plain = plan(rule="bytes", gb=8).configuration("3d_fullres")
    residual = fixed.configuration("3d_fullres")
    assert residual.network.name == "residual_unet"
    assert "blocks" in residual.network.options
    assert sum(residual.patch_size) < sum(plain.patch_size)


def test_features_limit_the_stages_and_leave_room(plan):
    small = plan(network__features=[8, 16, 32, 64], rule="bytes", gb=2)

    network = small.configuration("3d_fullres").network
    assert network.options["features"] == [8, 16, 32, 64]
    assert len(network.options["strides"]) == 4
    assert network.options["convs_decoder"] == [2, 2, 2]
    free = plan(rule="bytes", gb=2).configuration("3d_fullres")
    assert sum(small.configuration("3d_fullres").patch_size) > sum(free.patch_size)


def test_values_that_cost_nothing_are_taken_as_they_are(plan):
    fixed = plan(
        mirror_axes=[1, 2],
        batch_dice=True,
        training="fast",
        training__epochs=50,
        resampling__image_order=1,
    )

    assert fixed.configuration("3d_fullres").mirror_axes == (1, 2)
    assert fixed.configuration("2d").mirror_axes == (1,)
    assert fixed.configuration("3d_lowres").batch_dice
    assert fixed.configuration("2d").resampling.image_order == 1
    assert (fixed.training.name, fixed.training.options) == ("fast", {"epochs": 50})


def test_a_patch_that_does_not_fit_is_refused_with_what_does(plan):
    with pytest.raises(UsageError, match=r"fits with this (batch|patch)"):
        plan(patch_size=[256, 256, 256], rule="bytes", gb=8)


def test_a_patch_for_full_resolution_is_rounded_for_low_resolution(plan):
    # At low resolution the axes are alike, so that 12 slices are halved more often.
    fixed = plan(((60, 900, 900), (3, 0.5, 0.5)), patch_size=[12, 96, 96])

    assert fixed.configuration("3d_fullres").patch_size == (12, 96, 96)
    divisors = fixed.configuration("3d_lowres").patch_size
    assert divisors[0] % 4 == 0


def test_everything_that_is_wrong_is_said_at_once():
    given = {
        "patch": 3,
        "patch_size": [64, "64", 64],
        "2d.spacing": [1.0, 1.0, 1.0],
        "spacing": [0, 1, 1],
        "batch_size": 0,
        "network": "transformer",
        "network.strides": [[1, 1, 1]],
        "network.features": 32,
        "batch_dice": "yes",
        "mirror_axes": [0, 3],
        "training": "slow",
        "2d.training": "fast",
        "resampling.order": 3,
    }

    with pytest.raises(UsageError) as error:
        check_overrides(given, dim=3)

    lines = str(error.value).splitlines()
    assert len(lines) == 1 + len(given)
    assert all(f"  {key}=" in "\n".join(lines) for key in given)


def test_what_belongs_to_the_other_network_is_refused(plan):
    with pytest.raises(UsageError, match="plain_unet has no network.blocks"):
        plan(network__blocks=[1, 1, 1])


@pytest.fixture
def narrow(monkeypatch):
    """Register a network with one option of a U-Net's and one of its own."""
    from autoseg.networks import NETWORKS

    class Narrow:
        def __init__(
            self, in_channels, heads, deep_supervision=False, *, dim: int, width: int
        ):
            pass

    monkeypatch.setattr(NETWORKS, "names", lambda: ("narrow", "plain_unet"))
    monkeypatch.setitem(NETWORKS._plugins, "narrow", Narrow)


@pytest.mark.parametrize(
    "given",
    [
        {"network": "narrow", "network.width": 8},
        {"network": {"name": "narrow", "options": {"width": 8}}},
        {"network.name": "narrow", "network.options.width": 8},
    ],
)
def test_a_network_of_which_nothing_is_known_is_planned_like_the_unet(
    plan, narrow, given
):
    chosen, usual = plan(**given), plan()

    for name, configuration in chosen.configurations.items():
        same = usual.configuration(name)
        assert configuration.network.name == "narrow"
        assert configuration.network.options == {"dim": same.dim, "width": 8}
        assert configuration.patch_size == same.patch_size
        assert configuration.memory == {}  # nobody knows


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "network.width: a whole number is missing"),
        ({"network.width": "wide"}, "network.width: a whole number, got 'wide'"),
        ({"network.width": 8, "network.depth": 2}, "network.depth: no such option"),
    ],
)
def test_options_of_another_network_are_held_against_its_signature(
    plan, narrow, given, words
):
    with pytest.raises(UsageError, match=words):
        plan(**{"network": "narrow", **given})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"3d_fulres.patch_size": [8, 8, 8]}, "Did you mean '3d_fullres'?"),
        ({"train.momentm": 0.9}, "Did you mean 'train.momentum'?"),
        ({"network.feature": [8]}, "Did you mean 'features'?"),
        (
            {"network.norm": "layer"},
            "one of instance, batch, group, whole, none, got 'layer'",
        ),
        ({"resampling.image_order": "3"}, "a whole number, got '3'"),
        ({"train.epochs": "many"}, "a whole number is wanted"),
        ({"train": "fsat"}, "Did you mean 'fast'?"),
    ],
)
def test_what_is_set_wrong_is_told_with_what_was_meant(given, words):
    with pytest.raises(UsageError) as error:
        check_overrides(given, dim=3)

    assert words in str(error.value)


def test_the_same_bytes_give_more_where_maps_are_made_again(plan):
    more, less = (
        plan(rule="bytes", train__recompute=recompute).configuration("3d_fullres")
        for recompute in ("auto", "off")
    )

    assert _seen(more) >= 1.2 * _seen(less)
    assert all(sum(c.memory.values()) <= 8 * 2**30 for c in (more, less))


def _seen(configuration):
    """Voxels in a step."""
    return math.prod(configuration.patch_size) * configuration.batch_size


def test_nnunets_rule_does_not_ask_whether_maps_are_made_again(plan):
    on, off = (plan(train__recompute=recompute) for recompute in ("on", "off"))

    for name, chosen in on.configurations.items():
        other = off.configuration(name)
        assert sum(chosen.memory.values()) < sum(other.memory.values())
        assert replace(chosen, memory={}) == replace(other, memory={})
