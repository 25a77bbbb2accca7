"""Keys of settings as people and plans spell them."""

import pytest

from autoseg.spec.settings.keys import one_spelling


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("task.representation", "task.representation"),
        ("task.representation.name", "task.representation"),
        ("task.representation.reach", "task.representation.reach"),
        ("task.representation.options.reach", "task.representation.reach"),
        ("task.options.representation.options.reach", "task.representation.reach"),
        ("task.losses.flow", "task.losses.flow"),
        ("task.losses.flow.name", "task.losses.flow"),
        ("task.losses.flow.options.power", "task.losses.flow.power"),
        ("task.losses.name", "task.losses.name"),  # a head may be called so
        ("task.labels.name", "task.labels.name"),
    ],
)
def test_parts_of_a_task_are_also_spelled_as_a_plan_has_them(given, meant):
    assert one_spelling({given: 1}) == {meant: 1}
