"""Losses that the user chose are held against their heads before there is a plan."""

import pytest

from autoseg.errors import PluginError, UsageError
from autoseg.tasks import make_task
from planners import PLANNERS
from planners._losses import check_losses, put_together
from planners.base import Budget


def test_keys_are_put_together_whatever_way_they_are_given():
    loss = {"name": "tversky", "options": {"alpha": 0.2}}
    for given in (
        {"losses.classes": "tversky", "losses.classes.alpha": 0.2},
        {"losses.classes": loss},
        {"losses.classes": {"name": "tversky", "alpha": 0.2}},
        {"losses": {"classes": loss}},
        {"losses.classes.name": "tversky", "losses.classes.options.alpha": 0.2},
    ):
        assert put_together(given, False) == {"losses": {"classes": loss}}


def test_of_landmarks_they_are_the_options_that_there_were_before():
    given = {"losses.points": "dsnt", "losses.points.weight": 2}

    assert put_together(given, True) == {"loss": "dsnt", "loss_options": {"weight": 2}}


def test_options_need_a_name():
    with pytest.raises(UsageError, match="task.losses.classes has options, and no"):
        put_together({"losses.classes.alpha": 0.2}, False)


def test_the_plan_keeps_what_was_chosen_and_says_that_it_was(fingerprint, task):
    settings = {"task.losses.classes": "tversky", "task.losses.classes.beta": 0.8}
    images = fingerprint((40, 40, 40), (1, 1, 1))

    plan = PLANNERS["unet"](images, task(), Budget(overrides=settings))

    (head,) = make_task(plan.task).heads
    assert head.loss.name == "tversky"
    assert head.loss.options == {"ignore_index": None, "beta": 0.8}
    assert any(d.field == "task.losses.classes" for d in plan.decisions)


LABELS = {"background": 0, "a": [1, 2], "b": [2]}
WRONG = {
    "another head": ("semantic", {"maps": "dice"}, "maps: the task has no such head"),
    "points": ("semantic", {"classes": "dsnt"}, "it compares points"),
    "numbers": ("semantic", {"classes": "flow"}, "it learns maps of numbers"),
    "labels": ("instance", {"flow": "dice"}, "it learns label maps"),
    "regions": ("regions", {"classes": "dice_ce"}, "not for regions that may overlap"),
    "an option": ("semantic", {"classes": ("tversky", "gamma")}, "no option 'gamma'"),
}


@pytest.mark.parametrize("which", WRONG)
def test_a_loss_that_cannot_learn_what_its_head_says_is_refused(which, task):
    kind, chosen, said = WRONG[which]
    losses = {
        head: {"name": loss} if isinstance(loss, str) else _with(*loss)
        for head, loss in chosen.items()
    }
    made = {
        "semantic": task(losses=losses),
        "regions": task(labels=LABELS, regions_class_order=[1, 2], losses=losses),
        "instance": type(task())(
            name="instance", options={"labels": {"cell": 1}, "losses": losses}
        ),
    }[kind]

    with pytest.raises(UsageError, match=said):
        check_losses(make_task(made), losses)


def _with(name, option):
    return {"name": name, "options": {option: 2.0}}


def test_a_name_that_is_no_loss_is_answered_with_the_nearest(task):
    losses = {"classes": {"name": "tverski"}}

    with pytest.raises(PluginError, match="Did you mean 'tversky'"):
        check_losses(make_task(task(losses=losses)), losses)
