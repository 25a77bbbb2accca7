"""What folds have tuned is used by whatever loads their model."""

import json
from dataclasses import replace

import pytest

from autoseg.errors import ModelError
from autoseg.model.bundle import read_bundle, write_bundle
from autoseg.model.decoding import Decoding, Part, combined, task_options
from autoseg.model.load import load_model
from autoseg.predict.predictor import Predictor
from autoseg.spec.choice import Choice
from tests.predict import toy_model as toy

DEFAULTS = {"foreground": 0.5, "core": 0.5, "least": 7}
OPTIONS = {"thickness": [2.0, 2.0], "least": 7}


def decoding(core=0.6, least=7, kept=True, **change):
    best = {**DEFAULTS, "core": core, "least": least}
    used = best if kept else DEFAULTS
    return replace(
        Decoding(
            decoder="border_core",
            parameters=used,
            best=best,
            defaults=DEFAULTS,
            before=0.5,
            after=0.625,
            held_out=0.6,
            kept=kept,
            parts=(
                Part(cases=("a", "c"), parameters={**used, "foreground": 0.4}),
                Part(cases=("b",), parameters=used),
            ),
            objects=12,
            tried={
                "foreground": [[0.4, 0.61], [0.5, 0.625]],
                "core": [[0.5, 0.5], [0.6, 0.625]],
                "least": [[7, 0.625], [14, 0.6]],
            },
            evaluations=9,
        ),
        **change,
    )


def saved(tmp_path, tuned):
    """Save a model whose folds have tuned this; None: nothing."""
    representation = {"name": "border_core", "options": OPTIONS}
    options = {"labels": {"cell": 1}, "representation": representation, "axes": 2}
    of_plan = replace(
        toy.plan(2, unit="px"), task=Choice(name="instance", options=options)
    )
    place = toy.saved(tmp_path, of_plan, list(tuned), ending=".png")
    for fold, one in tuned.items():
        if one is not None:
            one.save(place / f"fold_{fold}" / "decoding.json")
    return place


def test_it_is_the_same_after_a_round_trip(tmp_path):
    decoding().save(tmp_path / "decoding.json")

    assert Decoding.load(tmp_path / "decoding.json") == decoding()


def test_a_case_is_decoded_by_parameters_in_which_it_had_no_say():
    found = decoding()

    assert found.for_case("c")["foreground"] == 0.4
    assert found.for_case("b") == found.for_case("z") == found.parameters


def test_the_table_shows_what_was_tried():
    assert decoding().text() == (
        "parameter   default  best  mean AP over IoU 0.50 to 0.90 of each value\n"
        "foreground      0.5   0.5  0.4: 0.610  0.5: 0.625\n"
        "core            0.5   0.6  0.5: 0.500  0.6: 0.625\n"
        "least             7     7  7: 0.625  14: 0.600\n"
        "3 cases, 12 objects: 0.5000 with the defaults, 0.6250 with the best, "
        "0.6000 on cases that had no say: the best are used."
    )


def test_prediction_uses_what_the_fold_has_tuned_and_keeps_the_other_options(tmp_path):
    place = saved(tmp_path, {"0": decoding(), "1": None})

    made = Predictor.load(place, folds=[0], device="cpu").task.representation
    plain = Predictor.load(place, folds=[1], device="cpu").task.representation

    assert (made.core, made.least, made.thickness) == (0.6, 7, (2.0, 2.0))
    assert (plain.core, plain.least, plain.thickness) == (0.5, 7, (2.0, 2.0))


def test_several_folds_take_the_median_of_each_parameter(tmp_path):
    tuned = {
        "0": decoding(0.3, 14),
        "1": decoding(0.7, 28),
        "2": decoding(0.6, kept=False),  # 0.5 and 7
        "3": None,
    }
    place = saved(tmp_path, tuned)

    made = Predictor.load(place, device="cpu").task.representation

    assert (made.core, made.least) == (0.5, 14)
    # Of two, the lower one, so that it is a value that was tried.
    assert combined([decoding(0.3, 28), decoding(0.7, 14)])["core"] == 0.3
    assert combined([decoding(0.3, 28), decoding(0.7, 14)])["least"] == 14


def test_the_fold_of_all_cases_takes_what_the_others_have_tuned(tmp_path):
    place = saved(tmp_path, {"0": decoding(), "all": None})

    assert load_model(place, folds=["all"]).postprocessing.task == {
        "representation": {
            "name": "border_core",
            "options": {**OPTIONS, "foreground": 0.5, "core": 0.6},
        }
    }


def test_a_bundle_of_a_folder_holds_it(tmp_path):
    place = saved(tmp_path, {"0": decoding()})

    path = write_bundle(load_model(place), tmp_path / "model.zip")

    assert Predictor(read_bundle(path)).task.representation.core == 0.6


def test_a_file_of_another_representation_or_schema_is_refused(tmp_path):
    place = saved(tmp_path, {"0": decoding(decoder="flow_distance")})
    file = place / "fold_0" / "decoding.json"

    with pytest.raises(ModelError, match=r"flow_distance.*Delete decoding\.json"):
        load_model(place)

    file.write_text(json.dumps({"schema": 9}))
    with pytest.raises(ModelError, match="schema 9"):
        load_model(place)
    file.write_text("{")
    with pytest.raises(ModelError, match=r"decoding\.json is no JSON"):
        load_model(place)


def test_a_parameter_out_of_range_is_refused(tmp_path):
    one = decoding()
    wrong = replace(one, parameters={**one.parameters, "core": "high"})
    place = saved(tmp_path, {"0": wrong})

    with pytest.raises(ModelError, match=r"fold_0.*core.*'high'"):
        load_model(place)


def test_nothing_tuned_changes_nothing():
    assert task_options(Choice(name="semantic", options={}), [], "m") == {}
