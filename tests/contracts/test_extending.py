"""The examples of docs/extending.md do what the page says."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from autoseg.augmentations import AUGMENTATIONS
from autoseg.augmentations.pipeline import Pipeline, Sample
from autoseg.networks import NETWORKS

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)


@pytest.fixture
def add(monkeypatch):
    """Register an example as if it were a file of its kind's folder."""

    def add_to(registry, name, word):
        (code,) = [example for example in EXAMPLES if word in example]
        monkeypatch.setattr(registry, "_plugins", dict(registry._plugins))
        exec(code, {"__name__": f"{registry.package}.{name}"})
        return registry._plugins[name]

    return add_to


@pytest.mark.parametrize("dim", [2, 3])
def test_the_network_has_an_output_for_each_head(add, dim):
    network = add(NETWORKS, "straight", "class Straight")
    options, shape = network.example(dim)

    outputs = network(2, {"a": 3, "b": 1}, **options)(torch.zeros(1, 2, *shape))
    levels = network(2, {"a": 3}, True, **options)(torch.zeros(1, 2, *shape))

    assert outputs["a"].shape == (1, 3, *shape)
    assert outputs["b"].shape == (1, 1, *shape)
    assert [level.shape for level in levels["a"]] == [(1, 3, *shape)]


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
