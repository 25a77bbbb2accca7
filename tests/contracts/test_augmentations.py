"""Every augmentation keeps the rules that are shipped for augmentations."""

import itertools

import pytest

from autoseg.augmentations import AUGMENTATIONS
from autoseg.augmentations._policies import POLICIES
from autoseg.testing import augmentation
from tests.each import assert_each


@pytest.mark.parametrize("name", AUGMENTATIONS.names())
def test_it_keeps_each_rule(name):
    assert_each(
        lambda rule, context: rule(AUGMENTATIONS[name], context),
        itertools.product(augmentation.RULES, augmentation.CONTEXTS),
        say=lambda rule, context: f"{rule.__name__}, {context.patch_size}",
    )


def test_every_policy_names_augmentations_that_exist():
    named = {name for steps in POLICIES.values() for name, _ in steps}

    assert named <= set(AUGMENTATIONS.names())
