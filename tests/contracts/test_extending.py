"""The examples of docs/extending.md do what the page says, as they stand there."""

import configparser
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from autoseg.augmentations import AUGMENTATIONS
from autoseg.augmentations.pipeline import Pipeline, Sample
from autoseg.errors import PluginError
from autoseg.networks import NETWORKS
from autoseg.networks.base import Network
from autoseg.networks.options import network_recipe
from autoseg.networks.plain_unet import PlainUNet
from autoseg.testing import check_augmentation, check_loss, check_network
from autoseg.testing._contract import Contract, require

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
EXAMPLES = [text for language, text in BLOCKS if language == "python"]


@pytest.fixture
def add(monkeypatch):
    """Register an example as if it were a file of its kind's folder."""

    def add_to(registry, name, word):
        (code,) = [example for example in EXAMPLES if word in example]
        monkeypatch.setattr(registry, "_plugins", dict(registry._plugins))
        exec(code, {"__name__": f"{registry.package}.{name}"})
        return registry._plugins[name]

    return add_to


def test_the_network_keeps_the_rules_as_it_stands_there(add):
    network = add(NETWORKS, "straight", "class Straight")

    assert check_network(network) is None  # what is broken is raised


def test_the_row_is_planned_and_keeps_the_rules_as_it_stands_there(add):
    row = add(NETWORKS, "refined", "class Refined")
    options, shape = row.example(2)

    more = row.drawing(options, shape, 1, 2).parameters
    less = PlainUNet.drawing(options, shape, 1, 2).parameters

    assert check_network(row) is None  # what is broken is raised
    # A block for each of the two skips, of 2 and of 4 channels, with kernels of 9.
    assert more - less == sum(9 * c * c + 3 * c for c in (4, 2))


def test_the_recipe_is_that_of_a_network_that_brings_it(add):
    network = add(NETWORKS, "straight", "class Straight")
    (code,) = [example for example in EXAMPLES if "OwnRecipe" in example]
    names = {}
    exec(code, names)
    network.recipe = names["recipe"]

    asked = network_recipe("straight").recipe()

    assert (asked.optimizer, asked.learning_rate) == ("adamw", 1e-4)


def test_the_augmentation_keeps_the_rules_as_it_stands_there(add):
    augmentation = add(AUGMENTATIONS, "shift", "class Shift")

    assert check_augmentation(augmentation) is None


def test_the_test_of_a_package_of_ones_own_passes(add, monkeypatch):
    network = add(NETWORKS, "straight", "class Straight")
    (code,) = [example for example in EXAMPLES if "autoseg.testing" in example]
    code = code.replace("from my_package.straight import Straight", "")
    names = {"Straight": network}

    exec(code, names)

    assert names["test_it_is_a_network"]() is None


def test_every_block_of_the_page_is_tried():
    tried = [
        e
        for e in EXAMPLES
        if re.search("Refined|Straight|Shift|autoseg.testing|OwnRecipe", e)
    ]
    others = [text for language, text in BLOCKS if language != "python"]

    assert tried == EXAMPLES
    for text in others:  # the entry points are read as setuptools reads them
        config = configparser.ConfigParser()
        config.read_string(text)
        assert "wide_unet" in config["options.entry_points"]["autoseg.network"]


def test_the_augmentation_can_be_added_to_a_policy(add, monkeypatch):
    add(AUGMENTATIONS, "shift", "class Shift")
    policy = "none,+shift,shift.probability=1,shift.by=[0.5,0.5]"

    pipeline = Pipeline(policy, (4, 4))
    draw = pipeline.draw(np.random.default_rng(0))
    labels = torch.zeros((4, 4), dtype=torch.int16)
    sample = Sample(image=torch.zeros(1, 4, 4), labels=labels, draw=draw)

    assert torch.equal(
        pipeline.apply([sample], torch.device("cpu"))[0], torch.full((1, 1, 4, 4), 0.5)
    )


class Forgetful(Network):
    """It leaves out a head, and mixes the samples of a batch."""

    def __init__(self, in_channels, heads, deep_supervision=False, *, dim):
        super().__init__()
        self.layer = {2: torch.nn.Conv2d, 3: torch.nn.Conv3d}[dim](in_channels, 3, 1)

    def forward(self, image):
        return {"classes": self.layer(image + image.mean())}

    @classmethod
    def example(cls, dim):
        return {"dim": dim}, (4,) * dim


def test_everything_that_a_network_breaks_is_said_at_once():
    with pytest.raises(PluginError) as error:
        check_network(Forgetful)

    text = str(error.value)
    assert text.startswith("Forgetful breaks ")
    assert "every head has the resolution of the image: shapes are" in text
    assert "samples of a batch do not mix when it predicts" in text


def test_a_loss_without_an_example_is_said_to_be_none():
    class Nothing:
        @classmethod
        def example(cls):
            raise NotImplementedError("not yet")

    with pytest.raises(PluginError, match="it raised NotImplementedError: not yet"):
        check_loss(Nothing)


def test_a_rule_that_holds_says_nothing():
    rules = Contract("thing")

    @rules.add
    def it_is_small(thing):
        require(thing < 3, f"it is {thing}")

    assert rules.check("two", [(2,)]) is None
    with pytest.raises(PluginError, match="it is small: it is 5"):
        rules.check("five", [(5,), (2,)])
