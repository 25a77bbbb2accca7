import pytest

from autoseg.errors import PlanError
from tests.spec.toy_configuration import configuration


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"patch_size": (32, 33)}, r"patch_size\[1\] is 33, which is no multiple of 2"),
        ({"patch_size": (32, 32, 32)}, "must have as many axes"),
        ({"batch_size": 0}, "must be positive"),
        ({"spacing": (0.0, 1.0)}, "must be positive"),
        ({"mirror_axes": (2,)}, "are no axes of a 2-D patch"),
    ],
)
def test_a_configuration_that_contradicts_itself_is_refused(changes, message):
    with pytest.raises(PlanError, match=message):
        configuration(**changes)


def test_all_faults_of_a_configuration_are_named_at_once():
    with pytest.raises(PlanError) as error:
        configuration(patch_size=(33, 35), batch_size=0, mirror_axes=(7,))

    for fault in ("patch_size[0]", "patch_size[1]", "positive", "mirror_axes [7]"):
        assert fault in str(error.value)
