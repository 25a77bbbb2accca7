"""The page that explains a plan."""

import pytest

from planners import PLANNERS
from planners.base import Budget
from planners.explain import decisions, explain, overview

LIVER = ((200, 500, 500), (1.5, 0.8, 0.8))


@pytest.fixture
def page(fingerprint, task):
    def made(measured=None, **more):
        classes = {
            "class1": {
                "cases_present": 19,
                "frequency": 0.0123,
                "median_object_size": 4200.0,
            }
        }
        found = fingerprint(*LIVER, annotation={"classes": classes}, **more)
        plan = PLANNERS["unet"](found, task(), Budget())
        return plan, explain(plan, found, measured)

    return made


def test_the_data_are_shown_in_numbers(page):
    _, text = page(names=("CT",))

    assert "20" in text and "1 (CT)" in text
    assert "200 x 500 x 500" in text and "1.5 x 0.8 x 0.8" in text
    assert "mean 90, std 70, 0.5 to 99.5 percentile -100 to 300" in text
    assert "1.23%" in text and "4.2e+03" in text and "median object [mm^3]" in text


def test_every_decision_is_shown_and_each_rule_once(page):
    plan, text = page()
    flat = " ".join(text.split())

    for decision in plan.decisions:
        assert f"{decision.field} = {decision.value}" in text
        assert " ".join(decision.because.split()) in flat
        assert flat.count(" ".join(decision.rule.split())) >= 1
    rule = "as many patches as fit, at least 2"
    assert flat.count(rule) == 1


def test_memory_is_shown_by_part_and_adds_up(page):
    plan, text = page()

    column = list(plan.configurations).index("3d_fullres") + 1
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    total = sum(plan.configuration("3d_fullres").memory.values()) / 2**30
    assert float(rows["together"][column]) == pytest.approx(total, abs=0.01)
    assert float(rows["activations"][column]) > 1


def test_what_making_maps_again_saves_is_shown(page, fingerprint, task):
    plan, text = page()
    budget = Budget(overrides={"train.recompute": "off"})
    kept = PLANNERS["unet"](fingerprint(*LIVER), task(), budget)

    without = " ".join(explain(kept, fingerprint(*LIVER)).split())
    of_kept, of_plan = (
        f"3d_fullres {sum(p.configuration('3d_fullres').memory.values()) / 2**30:.1f}"
        for p in (kept, plan)
    )
    assert f"With train.recompute=off it would be {'2d '}" in " ".join(text.split())
    assert of_kept in text and of_kept != of_plan
    assert "train.recompute is off" in without and of_plan in without


def test_work_room_and_time_are_shown(page):
    _, text = page()

    assert "parameters [million]" in text
    assert "operations per epoch of 250 steps [TFLOP]" in text
    assert "preprocessed data, uncompressed [GB]" in text
    assert "--measure" in text


def test_a_measurement_becomes_hours(page):
    measured = {
        "3d_fullres": {
            "device": "cuda",
            "precision": "bf16",
            "seconds_per_step": 0.144,
            "measured_bytes": 2**30,
            "predicted_bytes": 1.05 * 2**30,
        }
    }

    _, text = page(measured)

    # 0.144 s * 250 = 0.6 minutes; * 1000 = 10 hours
    assert "0.6 minutes an epoch, 10 hours for 1000 epochs" in " ".join(text.split())
    assert "(+5%)" in text


def test_on_a_cpu_the_growth_of_the_process_is_no_error_of_the_prediction(page):
    measured = {
        "3d_fullres": {
            "device": "cpu",
            "precision": "fp32",
            "seconds_per_step": 0.1,
            "measured_bytes": 2**27,
            "predicted_bytes": 2**24,
        }
    }

    text = " ".join(page(measured)[1].split())

    assert "grew by 0.12 GB, libraries included; 0.02 GB are predicted" in text


def test_lines_fit_a_page(page):
    _, text = page()

    assert max(map(len, text.splitlines())) <= 100


def test_the_overview_has_a_line_for_each_configuration(page):
    plan, _ = page()

    lines = overview(plan)

    assert len(lines) == 1 + len(plan.configurations)
    assert "GB" in lines[1]


def test_a_plan_of_nnunet_is_explained_without_its_memory(page, fingerprint):
    import dataclasses

    plan, _ = page()
    bare = {
        name: dataclasses.replace(chosen, memory={})
        for name, chosen in plan.configurations.items()
    }

    text = explain(dataclasses.replace(plan, configurations=bare), fingerprint(*LIVER))

    assert "unknown: no planner of ours made this plan" in text


def test_a_rule_is_told_where_it_is_first_used(page):
    plan, _ = page()

    lines = decisions(plan.decisions)

    assert sum("rule: as many patches as fit" in line for line in lines) == 1


def test_objects_of_an_instance_data_set_are_counted_by_class(fingerprint, page):
    plan, _ = page()
    counted = {"classes": {"nucleus": 2362, "debris": 17}}

    text = explain(plan, fingerprint(*LIVER, annotation=counted))

    rows = [line.split() for line in text.splitlines()]
    assert ["class", "objects"] in rows
    assert ["nucleus", "2362"] in rows and ["debris", "17"] in rows


def test_a_data_set_of_landmarks_is_explained_without_classes(fingerprint, page):
    plan, _ = page()
    measured = {"landmarks": ["AC", "PC"], "present": {"AC": 1.0, "PC": 0.5}}

    text = explain(plan, fingerprint(*LIVER, annotation=measured))

    assert "left after cropping" in text
    assert "class " not in text.split("Configurations")[0]


def test_a_stage_that_follows_another_is_held_against_the_default_network(
    fingerprint, task
):
    found = fingerprint(*LIVER)
    plan = PLANNERS["unet"](found, task(), Budget(overrides={"network": "light_unet"}))
    assert any(made.previous for made in plan.configurations.values())

    (row,) = [
        line
        for line in explain(plan, found).splitlines()
        if "operations beside plain_unet" in line
    ]
    ratios = row.split("patch")[1].split()
    assert len(ratios) == len(plan.configurations)
    assert all(0 < float(ratio) < 1 for ratio in ratios)


def test_axes_along_which_classes_have_sides_are_not_mirrored_and_it_is_said_why(
    fingerprint, task
):
    even, sided = [9, 2, 9], [1, 0, 29]
    thick_last = ((500, 480, 40), (0.8, 0.8, 5.0))  # so the last axis comes first
    plans = {
        axis: PLANNERS["unet"](
            fingerprint(
                *thick_last,
                annotation={
                    "classes": {},
                    "sides": {
                        "class1": [sided if n == axis else even for n in range(3)]
                    },
                },
            ),
            task(2),
            Budget(),
        )
        for axis in range(3)
    }

    assert plans[0].transpose == (2, 0, 1)
    found = {
        axis: [c.mirror_axes for c in plan.configurations.values()]
        for axis, plan in plans.items()
    }
    assert found == {
        0: [(1,), (0, 2)],  # in slices of the volume, and in the volume
        1: [(0,), (0, 1)],
        2: [(0, 1), (1, 2)],
    }
    why = {d.field: d.because for d in plans[0].decisions}["mirror_axes"]
    assert why == (
        "along z, class1 lies on one side in 29 of 30 cases, on the other in 1"
    )


def test_without_sides_all_axes_are_mirrored(page):
    plan, _ = page()

    assert all(
        c.mirror_axes == (0, 1, 2)[: c.dim] for c in plan.configurations.values()
    )
    said = {d.field: d for d in plan.decisions}["mirror_axes"]
    assert said.value == "all axes" and said.because.startswith("no class does")
