"""What is wrong and what to do about it are told apart in a message."""

from pathlib import Path

from autoseg.errors import AutosegError
from autoseg.fingerprint.check.problem import problem_of
from tests.each import each

FILE = Path("/d/a.nii")


@each(
    "text, found, fix",
    [
        ("/d/a.nii is cut off. Get it again.", "It is cut off.", "Get it again."),
        ("/d/a.nii: two of 3 are bad. Mend them.", "two of 3 are bad.", "Mend them."),
        (
            "There is no x. Say y. Did you mean 'z'?",
            "There is no x.",
            "Say y. Did you mean 'z'?",
        ),
        (
            "It has a. It wants b. Give b, or c. If d, e.",
            "It has a. It wants b.",
            "Give b, or c. If d, e.",
        ),
        ("Give a. That is all.", "Give a.", "That is all."),
        ("One is left. Three are there.", "One is left.", "Three are there."),
        ("It is all", "It is all", ""),
        ("dataset.json has no x. Write one.", "dataset.json has no x.", "Write one."),
    ],
)
def test_the_fix_begins_where_something_is_to_be_done(text, found, fix):
    problem = problem_of(AutosegError(text), FILE)

    assert (problem.found, problem.fix) == (found, fix)
