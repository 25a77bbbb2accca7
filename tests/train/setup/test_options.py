"""What is asked for, and what it comes to."""

import re

import pytest

from autoseg.errors import TrainingError, UsageError
from autoseg.spec.choice import Choice
from autoseg.spec.run import Run
from autoseg.train.setup.options import (
    Options,
    check_same,
    resolve_recipe,
    seconds_of,
    with_changes,
)
from autoseg.train.setup.settings import change_configuration

from ..conftest import tiny_plan

PLAN = tiny_plan()
VOLUME = PLAN.configuration("3d_fullres")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45m", 2700), ("2h30m", 9000), ("90s", 90), ("1.5h", 5400), ("1d 2h", 93600)],
)
def test_times_are_read(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["45", "m", "an hour", "45m!", "", "-3m"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(UsageError, match="is no time"):
        seconds_of(text)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"epochs": 1, "iterations": 5}, "--epochs and --iterations"),
        ({"iterations": 5, "time_budget": 5.0}, "--iterations and --time-budget"),
        ({"lr": 0}, "--lr is 0"),
        ({"batch_size": -1}, "--batch-size is -1"),
        ({"seed": -1}, "--seed is -1"),
    ],
)
def test_options_that_contradict_each_other_are_refused(given, words):
    with pytest.raises(UsageError, match=words):
        Options(**given)


def test_epochs_are_turned_into_iterations():
    recipe, because, iterations = resolve_recipe(Options(epochs=4), PLAN, "3d_fullres")

    assert (iterations, recipe.name) == (1000, "fast")
    assert "1000 iterations" in because


def test_what_is_asked_for_comes_before_what_the_plan_says():
    plan = PLAN.__class__(
        **{
            **PLAN.__dict__,
            "training": Choice(name="nnunet", options={"momentum": 0.8, "epochs": 3}),
        }
    )
    asked = Options(settings={"train.momentum": 0.7}, lr=0.5)

    recipe, _, iterations = resolve_recipe(asked, plan, "3d_fullres")

    assert (recipe.name, recipe.momentum, recipe.learning_rate) == ("nnunet", 0.7, 0.5)
    assert iterations == 750


def test_with_a_time_budget_the_recipe_follows_the_iterations_that_fit():
    asked = Options(time_budget=60.0)

    assert resolve_recipe(asked, PLAN, "3d_fullres", 100)[0].name == "fast"
    assert resolve_recipe(asked, PLAN, "3d_fullres", 10**6)[0].name == "nnunet"
    assert resolve_recipe(asked, PLAN, "3d_fullres", 100)[2] is None


def test_a_network_that_is_set_brings_its_recipe():
    settings = {"network": "mednext", "train.gradient_clip": 0.5}
    asked = Options(epochs=4, settings=settings)
    plan = with_changes(PLAN, "3d_fullres", asked)

    recipe, because, _ = resolve_recipe(asked, plan, "3d_fullres")

    # MedNeXt's authors: AdamW at 0.001.
    assert (recipe.name, recipe.learning_rate) == ("adamw", 1e-3)
    assert recipe.gradient_clip == 0.5 and "depthwise" in because


def test_a_network_with_fewer_stages_needs_only_its_features():
    changed = change_configuration(VOLUME, {"network.features": [6, 12]}, "x")

    options = changed.network.options
    assert options["features"] == [6, 12]
    assert options["strides"] == [[1, 1, 1], [2, 2, 2]]
    assert (options["convs_encoder"], options["convs_decoder"]) == ([1, 1], [1])


def test_a_changed_patch_is_checked_like_one_from_a_file():
    assert change_configuration(VOLUME, {"patch_size": [4, 4, 8]}, "x").patch_size == (
        4,
        4,
        8,
    )
    with pytest.raises(UsageError, match="multiple of 4") as refused:
        change_configuration(VOLUME, {"patch_size": [6, 4, 8]}, "x")
    assert "autoseg plan --set patch_size=6,4,8 --name NAME" in str(refused.value)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("patchsize", "no such key. Did you mean 'patch_size'?"),
        ("network.a.b.c", "network.a.b.c: no such option"),
        ("network.feature", "no such option. Did you mean 'features'?"),
        ("batch_dice.x", "no such key"),
        ("x.y", "no such key"),
        ("memory", "cannot be set"),
        ("task.representation", "autoseg plan --set ... --name NAME"),
    ],
)
def test_a_field_that_is_not_there_is_refused(key, words):
    with pytest.raises(UsageError, match=re.escape(words)):
        change_configuration(VOLUME, {key: 1}, "x")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network.features": "8,16"}, "features: a list of whole numbers, got '8,16'"),
        ({"network.features": 8}, "features: a list of whole numbers, got 8"),
        ({"network.bias": "yes"}, "network.bias: true or false, got 'yes'"),
        ({"network.norm": "layer"}, "none, got 'layer'"),
        ({"patch_size": "32x32"}, "patch_size: a list of whole numbers, got '32x32'"),
        ({"batch_size": 2.5}, "batch_size: a whole number, got 2.5"),
        ({"batch_dice": 1}, "batch_dice: true or false, got 1"),
        ({"network": 3}, "network: a text, got 3"),
        ({"resampling.image_order": "3"}, "a whole number, got '3'"),
        ({"network": {}}, "network: a text, got {}"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_what_is_wanted(changes, words):
    with pytest.raises(UsageError, match=re.escape(words)):
        change_configuration(VOLUME, changes, "x")


def test_a_network_is_changed_by_its_name():
    changed = change_configuration(VOLUME, {"network": "residual_unet"}, "x").network
    plain = VOLUME.network.options

    # 3 stages have 1, 3, 4 blocks as planned, and one convolution a level on the way up
    assert (changed.name, changed.options["blocks"]) == ("residual_unet", [1, 3, 4])
    assert changed.options["convs_decoder"] == [1, 1]
    for name in ("dim", "features", "kernels", "strides"):
        assert changed.options[name] == plain[name]
    assert "convs_encoder" not in changed.options


@pytest.mark.parametrize(
    "spelled",
    [
        {"network.name": "residual_unet", "network.blocks": [1, 1, 1]},
        {"network": {"name": "residual_unet", "options": {"blocks": [1, 1, 1]}}},
        {"network": "residual_unet", "network.options.blocks": [1, 1, 1]},
    ],
)
def test_a_network_can_be_named_in_every_spelling(spelled):
    changed = change_configuration(VOLUME, spelled, "x").network

    assert (changed.name, changed.options["blocks"]) == ("residual_unet", [1, 1, 1])


def test_a_setting_of_one_configuration_comes_before_one_of_all():
    asked = Options(settings={"2d.batch_size": 7, "batch_size": 3, "train": "fast"})

    assert asked.of("2d").plan_changes == {"batch_size": 7}
    assert asked.of("3d_fullres", ("2d",)).plan_changes == {"batch_size": 3}
    assert asked.recipe == "fast"
    with pytest.raises(UsageError, match="3d_fullres is trained, not 2d"):
        asked.of("3d_fullres")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"train.momentm": 0.9}, "Did you mean 'train.momentum'?"),
        ({"patchsize": 3}, "Did you mean 'patch_size'?"),
        ({"train.epochs": "three"}, "train.epochs='three'"),
        ({"train.epochs": 1, "training.epochs": 2}, "twice"),
        ({"train": "slow"}, "No recipe is called 'slow'"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_anything_is_read(given, words):
    with pytest.raises(UsageError, match=re.escape(words)):
        Options(settings=given)


def recorded(**changes):
    asked = Options(iterations=500, lr=0.005, settings={"train.warmup": 0.15})
    recipe, because, _ = resolve_recipe(asked, PLAN, "3d_fullres")
    values = {
        "dataset": "Toy",
        "plan": "unet",
        "configuration": "3d_fullres",
        "fold": "0",
        "recipe": recipe.__dict__,
        "because": because,
        "iterations": 500,
        "batch_size": 2,
        "seed": 0,
        "device": "cpu",
        "precision": "fp32",
        "channels_last": True,
        "compiled": False,
        "threads": 1,
        "loader_threads": 1,
    }
    return Run(**{**values, **changes})


def test_the_same_command_again_is_the_same_run():
    asked = Options(iterations=500, seed=0, recipe="fast", precision="fp32")

    for same in (asked, Options(epochs=2), Options()):
        assert check_same(same, recorded(), "fold_0") is None  # it did not raise


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"iterations": 800}, "--iterations: 500 is recorded, 800 is asked for"),
        ({"epochs": 4}, "--epochs: 2.0 is recorded, 4.0"),
        ({"lr": 0.5}, "--lr: 0.005 is recorded, 0.5"),
        ({"seed": 3}, "--seed: 0 is recorded, 3"),
        ({"recipe": "nnunet"}, "--recipe: fast is recorded, nnunet"),
        ({"settings": {"train.warmup": 0.3}}, "train.warmup: 0.15 is recorded, 0.3"),
        ({"settings": {"patch_size": [8, 8, 8]}}, "patch_size: None is recorded"),
        ({"precision": "bf16"}, "--precision: fp32 is recorded, bf16"),
        ({"time_budget": 60.0}, "--time-budget: None is recorded, 60.0"),
    ],
)
def test_another_command_says_what_differs_and_what_to_do(given, words):
    with pytest.raises(TrainingError, match="--overwrite") as caught:
        check_same(Options(**given), recorded(), "fold_0")

    assert words in str(caught.value)


def test_everything_that_differs_is_said_at_once():
    with pytest.raises(TrainingError) as caught:
        check_same(Options(seed=1, lr=0.1, batch_size=4), recorded(), "fold_0")

    assert all(
        f"--{name}" in str(caught.value) for name in ("seed", "lr", "batch-size")
    )


def test_settings_of_the_plan_leave_other_configurations_alone():
    plan = with_changes(PLAN, "3d_fullres", Options(settings={"batch_dice": True}))

    assert plan.configuration("3d_fullres").batch_dice
    assert not VOLUME.batch_dice
