"""The choice of a representation, by the rule that docs/instance.md states."""

import functools
from types import SimpleNamespace

import numpy as np
import pytest

from autoseg import registry
from autoseg.errors import UsageError
from autoseg.representations import REPRESENTATIONS
from autoseg.representations.flow_distance import FlowDistance
from autoseg.tasks.instance import InstanceTask
from autoseg.tasks.instance.choice import choose, fit_spacing
from autoseg.tasks.instance.trial import pool_trials, try_out, uncovered
from planners._rules import wishes_of
from tests.representations.maps import cells, rods


@functools.cache
def _of_cells():
    task = InstanceTask(labels={"cell": 1})
    return task.pool([task.measure(task.read(cells()), (1.0, 1.0))])


def _measured(touching=0.3, ceilings=None, **changes):
    measured = _of_cells() | {"touching": touching, "foreground": 0.5} | changes
    if ceilings is not None:
        measured["ceilings"] = {
            name: dict.fromkeys(("ap", "ap_50", "ap_70", "ap_90"), value)
            for name, value in ceilings.items()
        }
    return measured


def _chosen(measured, **options):
    return choose({"labels": {"cell": 1}, **options}, measured)[0]["representation"][
        "name"
    ]


ALL = {"flow_distance": 0.99, "border_core": 0.98, "affinities": 0.995}


@pytest.mark.parametrize(
    ("measured", "name"),
    [
        (_measured(0.3, ALL), "flow_distance"),
        (_measured(0.01, ALL), "border_core"),
        (_measured(0.01, ALL | {"border_core": 0.9}), "flow_distance"),
        (_measured(0.3, ALL, foreground=0.95), "affinities"),
        (_measured(0.3, ALL | {"flow_distance": 0.5}), "border_core"),
        (_measured(0.3), "flow_distance"),
    ],
    ids=["crowded", "apart", "ceiling", "no background", "flows fail", "unmeasured"],
)
def test_the_rule_goes_by_ceilings_and_by_what_touches(measured, name):
    assert _chosen(measured) == name


class _Spirals(FlowDistance):
    """A representation of another package."""

    order = {}


@pytest.fixture
def spirals(monkeypatch):
    entry = SimpleNamespace(name="spirals", load=lambda: _Spirals)
    groups = {"autoseg.representation": [entry]}
    monkeypatch.setattr(registry, "entry_points", lambda group: groups.get(group, []))
    yield
    REPRESENTATIONS._plugins.pop("spirals", None)


@pytest.mark.parametrize(
    ("ceiling", "name"),
    [(0.996, "spirals"), (0.995, "flow_distance"), (0.9, "flow_distance")],
    ids=["best", "as good", "worse"],
)
def test_a_representation_that_nobody_knows_wins_by_its_ceiling(spirals, ceiling, name):
    assert _chosen(_measured(0.3, ALL | {"spirals": ceiling})) == name


@pytest.mark.parametrize("touching", [0.01, 0.3])
def test_a_last_resort_is_taken_where_no_other_is_as_good(touching):
    better = {"star_convex": 0.999, "embedding": 0.998}

    assert _chosen(_measured(touching, ALL | better)) in (
        "flow_distance",
        "border_core",
    )
    poor = dict.fromkeys(ALL, 0.9)
    assert _chosen(_measured(touching, poor | better)) == "star_convex"


def test_a_ceiling_of_a_representation_that_is_gone_counts_for_nothing():
    assert _chosen(_measured(0.3, ALL | {"gone": 1.0})) == "flow_distance"


def test_thick_slices_of_few_each_go_to_affinities():
    measured = _measured(
        0.3, ALL, spacing=[6.0, 1.0, 1.0], voxels_along=[3.0, 20.0, 20.0], axes=3
    )

    assert _chosen(measured) == "affinities"


def test_the_user_decides_against_the_rule_and_sets_options():
    options, decisions = choose(
        {"labels": {}, "representation": "border_core", "representation.core": 0.7},
        _measured(0.3, ALL),
    )

    assert options["representation"]["name"] == "border_core"
    assert options["representation"]["options"]["core"] == 0.7
    assert decisions[0].because == "asked for"


def test_a_representation_is_asked_for_by_its_name_alone():
    asked = SimpleNamespace(values={"task.representation": "border_core"})

    assert wishes_of(InstanceTask, asked) == {"representation": "border_core"}
    assert InstanceTask({"cell": 1}, representation="border_core").decoding_name == (
        "border_core"
    )


def test_an_unknown_representation_is_named_with_those_there_are():
    with pytest.raises(UsageError, match="flow_distance"):
        choose({"representation": "magic"}, _measured())


def test_reasons_show_every_ceiling():
    _, decisions = choose({"labels": {}}, _measured(0.3, ALL))

    (ceilings,) = [d for d in decisions if d.field == "task.ceilings"]
    assert "affinities 0.995" in ceilings.because
    assert "border_core 0.980" in ceilings.because


@pytest.mark.parametrize(
    ("median", "small", "wanted"),
    [
        (30.0, 20.0, None),
        (5.0, 3.0, 1 / 4),  # seen 20 voxels across
        (200.0, 100.0, 5.0),  # seen 40 voxels across
        (200.0, 12.0, 2.0),  # small ones keep 6 voxels
    ],
)
def test_the_grid_shows_objects_in_a_size_that_is_seen_well(median, small, wanted):
    measured = {"diameter": {"p50": median, "p5": small}}

    spacing, _ = fit_spacing([1.0, 1.0], measured)

    assert spacing == (None if wanted is None else [wanted, wanted])


def test_a_grid_for_single_voxels_is_no_finer_than_is_prepared():
    measured = {"diameter": {"p50": 1.24, "p5": 1.24}}  # a ball of one voxel

    spacing, _ = fit_spacing([1.0, 1.0, 1.0], measured)

    # Seen 20 voxels across, 16 ** 3 would be over 4,000 times the voxels.
    assert 1 / spacing[0] ** 3 == pytest.approx(500, rel=1e-3)


def test_ceilings_of_every_representation_are_measured_on_annotations():
    task = InstanceTask(labels={"cell": 1})
    annotation = task.read(rods(seed=3))
    pooled = task.pool([task.measure(annotation, (1.0, 1.0))])

    ceilings = pool_trials([task.trial(annotation, (1.0, 1.0), pooled)])

    assert ceilings["flow_distance"]["ap_90"] > 0.95
    assert ceilings["border_core"]["ap_50"] > 0.95
    assert all(0 <= c["ap"] <= 1 for c in ceilings.values())


def test_counts_of_cases_are_added_before_they_are_divided():
    def trial(hits, missed, extra):
        count = 9
        return {
            "x": {
                "hits": [hits] * count,
                "missed": [missed] * count,
                "extra": [extra] * count,
                "quality": 0.9 * hits,
                "seconds": 1.0,
            }
        }

    pooled = pool_trials([trial(9, 1, 0), trial(1, 0, 9)])["x"]

    assert pooled["ap_50"] == 0.5
    np.testing.assert_allclose(pooled["sq"], 0.9)


def crossed():
    layers = np.zeros((2, 20, 40), np.int32)
    layers[0, 2:18, 8:12] = 4  # cut in two by the next one, a quarter of it covered
    layers[0, 2:18, 28:32] = 5  # covered at its end
    layers[1, 8:12, 2:22] = 9
    layers[1, 14:18, 26:38] = 10
    return layers


def test_what_others_cut_in_two_is_left_out_and_what_they_cover_a_little_stays():
    found = uncovered(crossed())

    assert found.max() == 3
    assert (found > 0).sum() == 16 * 4 - 16 + 4 * 20 + 4 * 12
    assert not found[2:8, 8:12].any() and found[2:14, 28:32].all()


def test_a_map_of_ids_reaches_more_than_the_annotation_that_it_is_made_of():
    measured = _measured(overlapping=0.5, layers=2)

    trial = try_out(crossed(), (1.0, 1.0), measured)["affinities"]
    found = pool_trials([{"affinities": trial}])["affinities"]

    # Both cut: of one are two pieces left, 3/8 of it each; of the other 3/4.
    assert trial["hits"][0] == 3 and trial["extra"][0] == 2
    assert trial["best"]["hits"][0] == 3 and trial["best"]["extra"][0] == 0
    # IoU over 0.50 to 0.70 and to 0.90: three and two of four objects.
    assert found["ap_50"] == pytest.approx(3 / 6)
    assert found["most"] == pytest.approx((5 * 3 / 4 + 4 * 2 / 5) / 9, abs=1e-4)


def test_what_can_be_reached_decides_whether_overlaps_are_held():
    known = {"flow_distance": 0.7, "queries": 1.0}
    measured = _measured(0.3, known, overlapping=0.2, shared=0.1, layers=2)
    assert _chosen(measured) == "queries"

    measured["ceilings"]["flow_distance"]["most"] = 0.96  # 0.04 less: it learns sooner

    assert _chosen(measured) == "flow_distance"
    _, decisions = choose({"labels": {}}, measured)
    (overlaps,) = [d for d in decisions if d.field == "task.overlaps"]
    assert overlaps.value == "cut" and "take longer to learn" in overlaps.rule


@pytest.mark.parametrize("ceiling, wanted", [(1.0, "prototypes"), (0.97, "queries")])
def test_prototypes_are_taken_unless_objects_are_covered_wholly(ceiling, wanted):
    known = {"flow_distance": 0.7, "queries": 1.0, "prototypes": ceiling}
    measured = _measured(0.3, known, overlapping=0.2, shared=0.1, layers=2)

    assert _chosen(measured) == wanted


def test_of_those_that_hold_overlaps_the_one_that_learns_fastest_is_taken():
    every = dict.fromkeys(("boxes", "centers", "queries", "locations"), 1.0)
    measured = _measured(
        0.3,
        ALL | every | {"flow_distance": 0.7, "affinities": 0.7, "border_core": 0.7},
        overlapping=0.2,
        shared=0.1,
        layers=2,
    )

    assert _chosen(measured) == "queries"
    measured["ceilings"]["queries"]["ap"] = 0.9
    assert _chosen(measured) == "boxes"  # of equals, the first by name
