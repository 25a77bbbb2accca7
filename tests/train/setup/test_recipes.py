"""Every number of the recipes, and which one is taken when."""

import pytest

from autoseg.errors import UsageError
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
        ({"schedule": "cosine"}, "polynomial or one_cycle"),
    ],
)
def test_what_cannot_be_is_refused_with_its_name(changes, words):
    with pytest.raises(UsageError, match=words):
        choose_recipe("nnunet", None, changes)


def test_an_unknown_recipe_lists_those_that_there_are():
    with pytest.raises(UsageError, match="auto, nnunet, fast"):
        choose_recipe("slow", None, {})
