"""Policies by name, and changes of them."""

import pytest

from autoseg.augmentations._policies import make_steps
from autoseg.errors import PluginError, UsageError


def _names(text):
    return [type(step).__name__ for step in make_steps(text)]


def test_nnunets_list_is_in_nnunets_order_with_its_probabilities():
    found = [(type(s).__name__, s.probability) for s in make_steps("nnunet")]

    assert found == [
        ("Spatial", 0.2),
        ("Noise", 0.1),
        ("Blur", 0.2),
        ("Brightness", 0.15),
        ("Contrast", 0.15),
        ("LowResolution", 0.25),
        ("Gamma", 0.1),
        ("Gamma", 0.3),
        ("Mirror", 0.5),
        ("CascadeMorphology", 0.4),
        ("CascadeComponents", 0.2),
    ]
    assert [s.invert for s in make_steps("nnunet")[6:8]] == [True, False]


def test_none_does_nothing():
    assert make_steps("none") == []


def test_an_augmentation_can_be_left_out_and_another_added():
    assert _names("none,+blur") == ["Blur"]
    assert _names("nnunet, -gamma, -mirror")[-3:] == [
        "LowResolution",
        "CascadeMorphology",
        "CascadeComponents",
    ]


def test_an_option_is_set_wherever_the_augmentation_occurs():
    steps = make_steps("nnunet,gamma.gamma=[0.5,2],gamma.probability=1,spatial.angle=5")

    assert [s.gamma for s in steps[6:8]] == [(0.5, 2.0)] * 2
    assert [s.probability for s in steps[6:8]] == [1, 1]
    assert steps[0].angle == 5
    assert [s.invert for s in steps[6:8]] == [True, False]


def test_an_unknown_policy_or_augmentation_is_named():
    with pytest.raises(PluginError, match="'heavy'.*light, nnunet, none"):
        make_steps("heavy")
    with pytest.raises(PluginError, match="Did you mean 'blur'"):
        make_steps("none,+blurr")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("-rotation", "fits none of its steps"),
        ("spatial", "NAME.OPTION=VALUE"),
        ("spatial.angle", "NAME.OPTION=VALUE"),
        ("spatial.angle=wide", "value in JSON"),
        ("spatial.bounce=1", "bounce"),
        ("spatial.probability=1.5", "give 0 to 1"),
        ("spatial.probability=true", "give a number"),
        ("spatial.scale=[1.4,0.7]", "lower and an upper bound"),
    ],
)
def test_a_change_that_is_none_is_refused(change, message):
    with pytest.raises(UsageError, match=message):
        make_steps(f"light,{change}")
