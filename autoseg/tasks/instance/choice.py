"""Which representation a data set gets, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.errors import UsageError, amount
from autoseg.metrics.masks import LEAST_SHARED
from autoseg.representations import REPRESENTATIONS
from autoseg.spec.choice import Decision

PREFIX = "representation."
DEFAULT = "flow_distance"
MARGIN = 0.02  # of mean AP: what is further below the best ceiling is left out
APART = 0.05  # share of touching instances below which borders are enough
FEW_SLICES = 4.0
THICK = 2.0  # spacing of slices through that in the plane
CROWDED = 0.9  # share of foreground from which on there is hardly a background

SEEN = (10.0, 120.0)  # voxels across the median object that need no resampling
WANTED = (20.0, 40.0)
FINEST = 500.0  # times the voxels; preprocessing refuses twice as many
LEAST_SMALL = 6.0  # voxels across small objects (5th percentile)

RULE = (
    "of the representations whose ceiling (encode the annotation, decode it, compare: "
    "mean AP at IoU 0.5 to 0.9; where objects are cut by others on top, without those, "
    f"if that is better) is no more than {MARGIN} below the best, the first "
    f"of: border_core where fewer than {APART:.0%} of instances touch; affinities "
    f"where slices are thick and objects have fewer than {FEW_SLICES:g} of them, or "
    f"foreground fills over {CROWDED:.0%}; else flow_distance; but one that states no "
    "order of its own, where its ceiling is the best"
)
OVERLAP = 0.02  # share of objects that overlap from which on they decide
# Of mean AP: what holds overlaps is so far behind on objects that do not overlap after
# trainings of some minutes (docs/why/0008-held-overlaps-learn-later.md).
LATER = 0.05
RULE_OVERLAP = (
    "those that give each voxel to one object compete, unless at least "
    f"{OVERLAP:.0%} of the objects share more than {LEAST_SHARED:.0%} of their voxels "
    f"with others and the best of them loses more than {LATER} of mean AP by it: then "
    "only those that hold objects that overlap. These take longer to learn: about "
    f"twice the time, and {LATER} behind on objects that do not overlap while a "
    "training is short"
)


def choose(
    options: Mapping[str, Any], measured: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[Decision, ...]]:
    """Return the task's options with a representation made for the data set.

    Parameters
    ----------
    options : mapping
        Of dataset.json; ``representation``, a name, where the user fixed one.
    measured : mapping
        What `pool_instances` and `pool_trials` gave.

    Returns
    -------
    options : dict
        With ``representation`` and ``axes``.
    decisions : tuple of Decision
        The choice, the ceilings, and each option of the representation.
    """
    fixed = options.get("representation")
    own = {
        key.removeprefix(PREFIX): value
        for key, value in options.items()
        if key.startswith(PREFIX)
    }
    options = {k: v for k, v in options.items() if not k.startswith(PREFIX)}
    ceilings = measured.get("ceilings", {})
    if fixed is not None:
        name = fixed if isinstance(fixed, str) else fixed["name"]
        if name not in REPRESENTATIONS:
            raise UsageError(
                f"task.representation is {name!r}; there are "
                f"{', '.join(REPRESENTATIONS.names())}."
            )
        because = "asked for"
    else:
        name, because = _by_rule(ceilings, measured)
    made = {**REPRESENTATIONS[name].configure(measured), **own}
    chosen = {"name": name, "options": made}
    decisions = [
        *_about_overlaps(measured),
        *_about_choice(name, because, ceilings),
        Decision(
            field="task.representation.options",
            value=", ".join(f"{k} {v}" for k, v in made.items()) or "none",
            rule="from the sizes of objects, see docs/instance.md",
            because=_sizes(measured),
        ),
    ]
    made_options = {**options, "representation": chosen, "axes": int(measured["axes"])}
    if measured.get("ignored"):
        made_options["ignored"] = True
        decisions.append(
            Decision(
                field="task.ignored",
                value="yes",
                rule="where nobody annotated, nothing is learnt and nothing is scored",
                because=f"{measured['ignored']:.3g} of the voxels, in "
                f"{amount(measured['ignored_cases'], 'case')}",
            )
        )
    return made_options, tuple(decisions)


def _about_choice(
    name: str, because: str, ceilings: Mapping[str, Any]
) -> list[Decision]:
    """Return what is to be said of the choice, and of all ceilings if there are."""
    choice = Decision(
        field="task.representation", value=name, rule=RULE, because=because
    )
    ranked = sorted(ceilings.items(), key=lambda item: -reach(item[1]))
    listed = "; ".join(f"{other} {_said(ceiling)}" for other, ceiling in ranked)
    if not listed:
        return [choice]
    own = f"{reach(ceilings[name]):.3f}" if name in ceilings else "unknown"
    rule = "mean AP of annotations that were encoded and decoded again"
    return [
        choice,
        Decision(field="task.ceilings", value=own, rule=rule, because=listed),
    ]


def _said(ceiling: Mapping[str, Any]) -> str:
    """Return a ceiling, and what annotations themselves give, in words."""
    at = "/".join(f"{ceiling[f'ap_{t}']:.3f}" for t in (50, 70, 90))
    if "most" not in ceiling:
        return f"{ceiling['ap']:.3f} ({at} at 0.5/0.7/0.9)"
    return (
        f"{ceiling['most']:.3f} without what others cover ({ceiling['ap']:.3f} with "
        f"it, {at} at 0.5/0.7/0.9)"
    )


def _about_overlaps(measured: Mapping[str, Any]) -> list[Decision]:
    """Return what is to be said of objects that overlap, if any do."""
    if "overlapping" not in measured:
        return []
    return [
        Decision(
            field="task.overlaps",
            value="held" if overlaps_decide(measured) else "cut",
            rule=RULE_OVERLAP,
            because=f"{measured['overlapping']:.1%} of the objects overlap, "
            f"{measured['shared']:.1%} of what is covered is shared, "
            f"{amount(measured['layers'], 'layer')} hold all of them",
        )
    ]


def overlaps_decide(measured: Mapping[str, Any]) -> bool:
    """Return whether only what holds objects that overlap may be chosen."""
    ceilings = _known(measured.get("ceilings", {}))
    holding = [reach(c) for n, c in ceilings.items() if REPRESENTATIONS[n].holds]
    cutting = [reach(c) for n, c in ceilings.items() if not REPRESENTATIONS[n].holds]
    if measured.get("overlapping", 0.0) < OVERLAP or not holding:
        return False
    return bool(max(holding) > max(cutting, default=0.0) + LATER)


def reach(ceiling: Mapping[str, Any]) -> float:
    """Return the mean AP that a representation can reach, as `pool_trials` found it."""
    return float(ceiling.get("most", ceiling["ap"]))


def _known(ceilings: Mapping[str, Any]) -> dict[str, Any]:
    return {n: c for n, c in ceilings.items() if n in REPRESENTATIONS}


def fit_spacing(
    spacing: Sequence[float], measured: Mapping[str, Any]
) -> tuple[list[float] | None, tuple[Decision, ...]]:
    """Return a spacing in which objects have a size that the network sees well.

    References
    ----------
    .. [1] Stringer et al., "Cellpose: a generalist algorithm for cellular
       segmentation", Nature Methods 18, 2021: objects are brought to 30 (cells) or 17
       (nuclei) pixels. doi:10.1038/s41592-020-01018-x
    """
    edge = min(spacing)
    median, small = (
        measured["diameter"]["p50"] / edge,
        measured["diameter"]["p5"] / edge,
    )
    factor = 1.0
    if 0 < median < SEEN[0]:
        factor = min(WANTED[0] / median, FINEST ** (1 / len(spacing)))
    elif median > SEEN[1]:
        factor = max(WANTED[1] / median, min(1.0, LEAST_SMALL / small))
    fitting = None if factor == 1 else [round(s / factor, 5) for s in spacing]
    decision = Decision(
        field="task.object_size",
        value=f"{median * factor:.3g} voxels across",
        rule=(
            f"the median object stays as it is from {SEEN[0]:g} to {SEEN[1]:g} voxels "
            f"across; else the grid is made finer or coarser to see {WANTED[0]:g} or "
            f"{WANTED[1]:g}, small ones (5 %) not below {LEAST_SMALL:g}, with at most "
            f"{FINEST:g} times the voxels"
        ),
        because=f"{median:.3g} voxels at {edge:g}, small ones {small:.3g}",
    )
    return fitting, (decision,)


def _by_rule(
    ceilings: Mapping[str, Any], measured: Mapping[str, Any]
) -> tuple[str, str]:
    held = overlaps_decide(measured)
    ceilings = {
        n: c for n, c in _known(ceilings).items() if REPRESENTATIONS[n].holds == held
    }
    if not ceilings:
        return DEFAULT, "no ceilings were measured"
    best = max(map(reach, ceilings.values()))
    good = [n for n, ceiling in ceilings.items() if reach(ceiling) >= best - MARGIN]
    situation, why = _situation(measured)
    orders = {name: REPRESENTATIONS[name].order for name in good}
    ranked = sorted(good, key=lambda n: (-reach(ceilings[n]), not orders[n]))
    name = ranked[0]
    if orders[name]:  # one without an order is taken for being the best
        placed = {n: orders[n][situation] for n in ranked if orders[n]}
        name = min(placed, key=placed.__getitem__)  # of equals, the best
    return name, f"{why}; within the margin: {', '.join(ranked)}"


def _situation(measured: Mapping[str, Any]) -> tuple[str, str]:
    """Return which of `SITUATIONS` a data set is, and the numbers that say so."""
    touching, foreground = measured["touching"], measured["foreground"]
    spacing, along = measured["spacing"], measured["voxels_along"]
    thick = len(spacing) == 3 and spacing[0] >= THICK * min(spacing[1:])
    if touching < APART:
        return "apart", f"{touching:.1%} of instances touch"
    if (thick and along[0] < FEW_SLICES) or foreground > CROWDED:
        return (
            "crowded",
            f"{along[0]:.1f} slices for each object, {foreground:.0%} foreground",
        )
    return (
        "touching",
        f"{touching:.1%} of instances touch, {foreground:.0%} foreground",
    )


def _sizes(measured: Mapping[str, Any]) -> str:
    diameter, inner = measured["diameter"], measured["inner_radius"]
    return (
        f"{measured['objects']} objects, diameter {diameter['p5']:.3g} / "
        f"{diameter['p50']:.3g} / {diameter['p95']:.3g} (5 / 50 / 95 %), inner "
        f"radius from {inner['p5']:.3g}, solidity {measured['solidity']['p50']:.2f}, "
        f"seen from the middle {measured['star']['p5']:.0%} or more in 95 %"
    )
