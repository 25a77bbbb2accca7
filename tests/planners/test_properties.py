"""What holds for every fingerprint."""

import math
import tracemalloc
from unittest import mock

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from autoseg.networks.build import build_network
from autoseg.spec.choice import Choice
from autoseg.spec.fingerprint import Fingerprint, Intensity
from planners import PLANNERS
from planners.base import Budget

CT = Intensity(
    mean=9.0,
    median=9.0,
    std=7.0,
    min=0.0,
    max=30.0,
    percentile_00_5=1.0,
    percentile_99_5=20.0,
)
# Neither changes a shape, and without values each takes torch ten milliseconds.
UNCHANGED = {
    "norm": mock.patch("torch.batch_norm", lambda x, *_: x),
    "activation": mock.patch("torch._C._nn.leaky_relu_", lambda x, *_: x),
}
few = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def fingerprints(draw, dims=(2, 3)):
    """Cases that scatter about a shape and a spacing."""
    dim = draw(st.sampled_from(dims))
    shape = draw(st.tuples(*[st.integers(1, 900)] * dim))
    spacing = draw(st.tuples(*[st.floats(0.1, 8)] * dim))
    cases = draw(st.integers(1, 5))
    scatter = st.tuples(*[st.floats(0.8, 1.25)] * dim)
    factors = [draw(scatter) for _ in range(cases)]
    names = draw(
        st.lists(st.sampled_from(["CT", "MRI", "noNorm"]), min_size=1, max_size=3)
    )
    return Fingerprint(
        dataset="Dataset001_Any",
        unit="mm",
        channel_names=tuple(names),
        num_cases=draw(st.sampled_from([cases, 100, 2000])),
        shapes=tuple(
            tuple(max(1, round(n * f)) for n, f in zip(shape, row, strict=True))
            for row in factors
        ),
        spacings=tuple(
            tuple(s * f for s, f in zip(spacing, reversed(row), strict=True))
            for row in factors
        ),
        relative_size_after_crop=draw(st.sampled_from([0.5, 1.0])),
        intensities=(CT,) * len(names),
    )


def task(classes):
    labels = {"background": 0, **{f"class{n}": n for n in range(1, classes + 1)}}
    return Choice(name="semantic", options={"labels": labels})


planners = st.sampled_from(
    [("unet", None), ("residual_unet", "M"), ("residual_unet", "L")]
)
memory = st.floats(1.5, 60)
rules = st.sampled_from(["nnunet", "bytes"])


def plan_of(found, planner, classes, **budget):
    name, preset = planner
    return PLANNERS[name](found, task(classes), Budget(preset=preset, **budget))


def voxels(chosen):
    return math.prod(chosen.patch_size) * chosen.batch_size


@few
@given(fingerprints(), planners, memory, memory, st.integers(1, 117))
def test_a_step_fits_the_budget_and_more_memory_never_gives_it_fewer_voxels(
    found, planner, a, b, classes
):
    budgets = sorted((a, b))
    less, more = plans = [
        plan_of(found, planner, classes, memory_gb=gb, rule="bytes") for gb in budgets
    ]

    for plan, gb in zip(plans, budgets, strict=True):
        for chosen in plan.configurations.values():
            assert sum(chosen.memory.values()) <= gb * 2**30
            assert chosen.batch_size >= 2
    for configuration in ("2d", "3d_fullres"):
        if configuration in less.configurations:
            assert voxels(more.configuration(configuration)) >= voxels(
                less.configuration(configuration)
            )


@few
@given(fingerprints(), planners, memory, memory)
def test_more_memory_never_gives_a_smaller_patch_by_nnunets_rule(found, planner, a, b):
    less, more = (plan_of(found, planner, 2, memory_gb=gb) for gb in sorted((a, b)))

    for configuration in less.configurations.keys() & {"2d", "3d_fullres"}:
        small, large = (p.configuration(configuration) for p in (less, more))
        assert math.prod(small.patch_size) <= math.prod(large.patch_size)
        if small.patch_size == large.patch_size:
            assert small.batch_size <= large.batch_size


@settings(few, max_examples=8)
@given(fingerprints(), planners, memory, rules)
def test_the_same_fingerprint_gives_the_same_plan(found, planner, gb, rule):
    once, again = (plan_of(found, planner, 2, memory_gb=gb, rule=rule) for _ in "ab")

    assert once == again


@settings(few, max_examples=4)
@given(fingerprints(), planners, rules)
def test_every_plan_builds_a_network_that_gives_its_input_shape(found, planner, rule):
    plan = plan_of(found, planner, 2, memory_gb=4, rule=rule)

    for configuration, chosen in plan.configurations.items():
        with torch.device("meta"):
            network = build_network(plan, configuration)
        channels = len(found.channel_names) + 2 * (chosen.previous is not None)
        images = torch.zeros((1, channels, *chosen.patch_size), device="meta")
        with torch.no_grad(), UNCHANGED["norm"], UNCHANGED["activation"]:
            outputs = network(images)
        assert outputs["classes"].shape == (1, 3, *chosen.patch_size)


def _permuted(found, order):
    def rows(table):
        return tuple(tuple(row[axis] for axis in order) for row in table)

    return Fingerprint(
        dataset=found.dataset,
        unit=found.unit,
        channel_names=found.channel_names,
        num_cases=found.num_cases,
        shapes=rows(found.shapes),
        spacings=rows(found.spacings),
        relative_size_after_crop=found.relative_size_after_crop,
        intensities=found.intensities,
    )


@few
@given(fingerprints(dims=(3,)), st.permutations(range(3)))
def test_permuting_the_axes_of_the_data_permutes_the_plan(found, order):
    # A budget so large that no axis is shortened: of equally long ones nnU-Net takes
    # the last, whichever that is.
    budget = Budget(memory_gb=2000)
    plan = PLANNERS["unet"](found, task(2), budget)
    moved = PLANNERS["unet"](_permuted(found, order), task(2), budget)
    assume("3d_fullres" in plan.configurations)
    full, other = (p.configuration("3d_fullres") for p in (plan, moved))
    assume(len(set(full.spacing)) == 3)

    def by_axis(p, values):
        """Values in the order of the images' axes."""
        return {p.transpose[i]: value for i, value in enumerate(values)}

    for field in ("spacing", "patch_size", "median_shape"):
        here = by_axis(plan, getattr(full, field))
        there = by_axis(moved, getattr(other, field))
        assert {order.index(axis): value for axis, value in here.items()} == there
    assert full.batch_size == other.batch_size
    assert order[moved.transpose[0]] == plan.transpose[0]


def _many_cases(cases):
    rows = range(cases)
    return Fingerprint(
        dataset="Dataset001_Many",
        unit="mm",
        channel_names=("CT",),
        num_cases=100_000,
        shapes=tuple((200 + n % 7, 512, 512) for n in rows),
        spacings=tuple((1.0 + n % 5 / 10, 0.7, 0.7) for n in rows),
        intensities=(CT,),
    )


@pytest.mark.parametrize("planner", ["unet", "residual_unet"])
@pytest.mark.parametrize("rule", ["nnunet", "bytes"])
def test_a_plan_for_a_hundred_thousand_cases_takes_little_memory(planner, rule):
    # A fingerprint keeps a few thousand cases as a sample of all of them.
    found = _many_cases(4000)
    tracemalloc.start()

    plan = PLANNERS[planner](found, task(2), Budget(rule=rule))

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6
    assert plan.configuration("3d_fullres").batch_size >= 2


def test_all_hundred_thousand_cases_may_be_in_the_fingerprint():
    whole, sample = _many_cases(100_000), _many_cases(3500)  # both whole cycles of 35

    plans = [PLANNERS["unet"](f, task(2), Budget()) for f in (whole, sample)]

    assert plans[0] == plans[1]


def test_planning_does_little_work():
    # Counted in calls, not in seconds: a plan took 0.05 to 0.3 s when it was written.
    import cProfile
    import pstats

    profile = cProfile.Profile()
    found = _many_cases(35)
    budget = Budget(memory_gb=2, rule="bytes", preset="XL")

    profile.runcall(PLANNERS["residual_unet"], found, task(2), budget)

    assert pstats.Stats(profile).total_calls < 3_000_000
