"""Every augmentation keeps the rules that are shipped for augmentations."""

import pytest

from autoseg.augmentations import AUGMENTATIONS
from autoseg.augmentations._policies import POLICIES
from autoseg.testing import augmentation


@pytest.mark.parametrize("rule", augmentation.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize(
    "context", augmentation.CONTEXTS, ids=lambda c: str(c.patch_size)
)
@pytest.mark.parametrize("name", AUGMENTATIONS.names())
def test_it_keeps_the_rule(name, context, rule):
    assert rule(AUGMENTATIONS[name], context) is None  # what is broken is raised


def test_every_policy_names_augmentations_that_exist():
    named = {name for steps in POLICIES.values() for name, _ in steps}

    assert named <= set(AUGMENTATIONS.names())
