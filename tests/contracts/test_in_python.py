"""From Python, what goes wrong is said in parameters, and train writes its page."""

import pickle

import pytest

import autoseg
from autoseg.errors import CaseErrors, UsageError, for_python
from autoseg.report import live


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: autoseg.train("D", "2d", 0, lr=-1), "lr is -1"),
        (
            lambda: autoseg.train("D", "2d", 0, epochs=1, time_budget="2h"),
            "epochs and time_budget both say",
        ),
        (lambda: autoseg.plan("D"), "Give a path, or root."),
    ],
    ids=["rate", "length", "root"],
)
def test_errors_name_parameters(call, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        call()
    assert said in str(caught.value) and "--" not in str(caught.value)


def test_commands_to_type_and_other_words_stay():
    text = "`autoseg plan D --name x` comes first.\nNext: autoseg train D 2d 0 --lr 1"
    assert for_python(text) == text
    assert for_python("a--b, -- and --max-memory 3") == "a--b, -- and max_memory 3"


def test_an_error_stays_what_it_is(monkeypatch):
    def evaluate(predictions):
        raise CaseErrors("evaluate", {"a": UsageError("give --overwrite.")}, 1)

    monkeypatch.setattr("autoseg.evaluate.stage.evaluate", evaluate)
    with pytest.raises(CaseErrors, match="give overwrite=True") as caught:
        autoseg.evaluate("x")
    assert list(caught.value.failures) == ["a"] and caught.value.exit_code == 1


def test_functions_travel_to_other_processes():
    assert pickle.loads(pickle.dumps(autoseg.plan)) is autoseg.plan


@pytest.mark.parametrize("given", [("D", "2d", 0, "root"), ("D", "2d", 0)], ids=len)
def test_train_writes_the_page_as_the_command_does(given, monkeypatch):
    pages = []

    def write_page(dataset, root, *, pictures=True):
        pages.append((dataset, root, pictures))

    monkeypatch.setattr(live, "write_page", write_page)

    def train(dataset, configuration, fold, root=None):
        return dataset

    monkeypatch.setattr("autoseg.train.stage.train", train)

    assert autoseg.train(*given) == "D"
    assert pages == [("D", given[3] if len(given) > 3 else None, True)]
