"""Every number of the recipes, and which one is taken when."""

import pytest

from autoseg.errors import UsageError
from autoseg.spec.settings.recipes import OwnRecipe
from autoseg.train.setup.recipes import CROSSOVER, RECIPES, choose_recipe


def test_the_nnunet_recipe_has_nnunets_numbers():
    recipe = RECIPES["nnunet"]

    # nnU-Net v2 (doi:10.1038/s41592-020-01008-z and its package 2.8.1)
    assert (recipe.optimizer, recipe.nesterov, recipe.momentum) == ("sgd", True, 0.99)
    assert (recipe.learning_rate, recipe.weight_decay) == (0.01, 3e-5)
    assert (recipe.schedule, recipe.power) == ("polynomial", 0.9)
    assert (recipe.epochs, recipe.iterations_per_epoch) == (1000, 250)
    assert (recipe.gradient_clip, recipe.foreground) == (12, 0.33)
    assert recipe.deep_supervision and recipe.augmentation == "nnunet"
    assert recipe.overhang
    assert not RECIPES["fast"].overhang  # docs/benchmarks.md


def test_auto_takes_fast_for_short_trainings_and_nnunet_for_long_ones():
    short, reason = choose_recipe("auto", CROSSOVER - 1, {})

    assert short.name == "fast" and str(CROSSOVER) in reason
    assert choose_recipe("auto", CROSSOVER, {})[0].name == "nnunet"
    assert choose_recipe("auto", None, {})[0].name == "nnunet"  # 250,000 iterations


def test_adamw_has_the_numbers_of_primus():
    recipe = RECIPES["adamw"]

    # Trainer of Primus in nnU-Net (arXiv:2503.01835): 50 of 1000 epochs warm up.
    assert (recipe.optimizer, recipe.learning_rate) == ("adamw", 3e-4)
    assert (recipe.momentum, recipe.second_momentum) == (0.9, 0.98)
    assert (recipe.weight_decay, recipe.gradient_clip) == (5e-2, 1)
    assert (recipe.schedule, recipe.warmup) == ("warmup_polynomial", 50 / 1000)


def test_auto_takes_what_the_network_brings_and_a_name_does_not():
    own = OwnRecipe(base="adamw", changes={"learning_rate": 0.5}, because="it is deep")

    brought, reason = choose_recipe("auto", 10, {"momentum": 0.8}, own)
    named, _ = choose_recipe("fast", 10, {}, own)

    assert (brought.name, brought.learning_rate, brought.momentum, reason) == (
        "adamw",
        0.5,
        0.8,
        "it is deep",
    )
    assert named == RECIPES["fast"]


def test_a_network_cannot_bring_a_recipe_that_there_is_not():
    with pytest.raises(UsageError, match="'adam'. Did you mean 'adamw'"):
        OwnRecipe(base="adam", because="a slip")
    with pytest.raises(UsageError, match="train.warm"):
        OwnRecipe(base="adamw", changes={"warm": 0.1}, because="a slip")


def test_auto_counts_the_epochs_that_are_set():
    changes = {"epochs": 2, "iterations_per_epoch": 10}

    assert choose_recipe("auto", None, changes)[0].name == "fast"


def test_a_number_is_changed_by_its_name_and_the_others_stay():
    recipe, _ = choose_recipe("nnunet", None, {"momentum": 0.9, "epochs": 5.0})

    assert (recipe.momentum, recipe.epochs) == (0.9, 5)
    assert recipe.learning_rate == RECIPES["nnunet"].learning_rate


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"momentun": 0.9}, "momentun"),
        ({"name": "mine"}, "name"),
        ({"momentum": "high"}, "train.momentum='high'"),
        ({"momentum": True}, "train.momentum=True"),
        ({"momentum": 1.0}, r"\[0, 1\)"),
        ({"epochs": 2.5}, "train.epochs=2.5"),
        (
            {"schedule": "cosine"},
            "polynomial, one_cycle, warmup_polynomial or warmup_cosine",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_name(changes, words):
    with pytest.raises(UsageError, match=words):
        choose_recipe("nnunet", None, changes)


def test_an_unknown_recipe_lists_those_that_there_are():
    with pytest.raises(UsageError, match="auto, nnunet, fast, adamw"):
        choose_recipe("slow", None, {})
