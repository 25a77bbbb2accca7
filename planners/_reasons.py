"""Decisions in words: what, by which rule, because of which numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from autoseg.networks.options import network_recipe
from autoseg.spec.choice import Decision
from autoseg.spec.configuration import Configuration
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.plan import Plan
from autoseg.spec.settings.recipe import AUTO
from autoseg.spec.settings.recipes import changed_recipe, in_words
from planners.grids.patch import LARGEST, Fit, times
from planners.grids.spacing import ANISOTROPY, LOWRES_GAIN, LOWRES_SHARE, Grid
from planners.network import is_declared

RULE_PATCH = (
    "as long on all axes in {unit} as {edge} voxels a side allow, no longer than the "
    "median case; the axis that is longest relative to the case is shortened until a "
    "step fits the budget"
)
LIMITS = {
    "memory": "more would not fit the budget",
    "data": "more would be over {cover:.0%} of the data set's voxels",
    "patch": "more memory would go to the next larger patch first",
    "fine": "more patches about single landmarks are not needed in one step",
    "least": "the least there is: batch statistics need two",
    "user": "set by the user",
}


def about_grid(fingerprint: Fingerprint, grid: Grid, fixed: bool) -> list[Decision]:
    """Return why the full-resolution grid and the order of the axes are as they are.

    Parameters
    ----------
    fingerprint : Fingerprint
        The data set.
    grid : Grid
        The grid.
    fixed : bool
        Whether the user set the spacing.
    """
    unit = fingerprint.unit
    target = f"{times(grid.spacing)} {unit}"
    if fixed:
        because = "set by the user"
    elif grid.thick:
        because = (
            f"axis {grid.transpose[0]} is more than {ANISOTROPY} times coarser and "
            "shorter than the others, so its 10th percentile is taken: thin slices "
            "are worth keeping"
        )
    else:
        because = (
            f"the {fingerprint.num_cases} cases have this median, and no axis is both "
            f"{ANISOTROPY} times coarser and {ANISOTROPY} times shorter than the others"
        )
    coarse = "the images are 2-D" if fingerprint.dim == 2 else f"spacing is {target}"
    return [
        Decision(
            field="orientation",
            value=fingerprint.orientation or "as in the files",
            rule="the commonest orientation if the cases differ, else no change",
            because=_orientations(fingerprint),
        ),
        Decision(
            field="spacing",
            value=target,
            rule="median of each axis; of an axis that is much coarser and shorter "
            "than the others, the 10th percentile",
            because=because,
        ),
        Decision(
            field="transpose",
            value=str(grid.transpose),
            rule="the coarsest axis first, the others as they are",
            because=coarse,
        ),
    ]


def _orientations(fingerprint: Fingerprint) -> str:
    found = fingerprint.orientations
    if not found:
        return "no orientation is known"
    return ", ".join(f"{count} cases are {code}" for code, count in found.items())


def about_configuration(
    name: str,
    made: Configuration,
    fit: Fit,
    *,
    budget: str,
    cover: float,
    unit: str,
    gpus: int = 1,
    largest: int | None = None,
    unknown: str | None = None,
) -> list[Decision]:
    """Return why a configuration is as it is.

    Parameters
    ----------
    name : str
        Its name.
    made : Configuration
        The configuration.
    fit : Fit
        How its patch was found.
    budget : str
        The budget in words.
    cover : float
        Most of the data set's voxels that one batch may hold.
    unit : str
        Of lengths.
    gpus : int
        How many share a batch.
    largest : int, optional
        Edge that planning started from, where it is not the usual one.
    unknown : str, optional
        Why nobody knows what its network needs.
    """
    median = times(made.median_shape)
    shared = ""
    if gpus > 1:
        each = -(-made.batch_size // gpus)
        shared = f"; {gpus} GPUs share it, up to {each} patches and this memory each"
    if fit.steps:
        because = (
            f"the median case is {median}; {times(fit.first)} was made smaller "
            f"{fit.steps} times to fit {budget}"
        )
    else:
        because = f"the median case is {median}, and this fits {budget}"
    return [
        Decision(
            field=f"{name}.patch_size",
            value=times(made.patch_size),
            rule=RULE_PATCH.format(unit=unit, edge=largest or LARGEST[made.dim]),
            because=because,
        ),
        _about_network(name, made, fit, unit, unknown),
        Decision(
            field=f"{name}.batch_size",
            value=str(made.batch_size),
            rule="as many patches as fit, at least 2",
            because=LIMITS[fit.limit].format(cover=cover) + shared,
        ),
        Decision(
            field=f"{name}.batch_dice",
            value=str(made.batch_dice),
            rule="Dice over the whole batch where a patch sees a small part of the "
            "case: in 2d, and in 3d_fullres beside a 3d_lowres",
            because=_share(made),
        ),
    ]


def _about_network(
    name: str, made: Configuration, fit: Fit, unit: str, unknown: str | None
) -> Decision:
    divisors = times(fit.topology.divisors)
    if not is_declared(made.network.name) and unknown is None:
        return Decision(
            field=f"{name}.network",
            value=made.network.name,
            rule="it is written in torch, so torch runs it without numbers on a few "
            "sizes; what is kept for the backward pass is fitted, and patch and batch "
            "are planned with that",
            because=f"set by the user; edges must be multiples of {divisors}",
        )
    if not is_declared(made.network.name):
        return Decision(
            field=f"{name}.network",
            value=made.network.name,
            rule="patch and batch are those of a U-Net in the same budget, since "
            "nobody knows what this network needs; `plan --measure` measures it",
            because=f"set by the user; {unknown}",
        )
    return Decision(
        field=f"{name}.network",
        value=f"{made.network.name} with {fit.topology.stages} stages, {divisors} "
        "times smaller at the bottom",
        rule="an axis is halved while it has 8 voxels and is not twice as coarse "
        "as the finest; kernels are 1 along axes that still are; 32 channels, "
        "doubled with each stage",
        because=f"patch {times(made.patch_size)}, spacing {times(made.spacing)} {unit}",
    )


def _share(made: Configuration) -> str:
    if made.dim == 2:
        return "a slice is a small part of its case"
    share = 1.0
    for edge, most in zip(made.patch_size, made.median_shape, strict=True):
        share *= edge / most
    return f"a patch has {min(share, 1):.0%} of the median case's voxels"


def about_lowres(share: float, gain: float | None, cascade: str) -> list[Decision]:
    """Return why there is a low-resolution configuration, or none.

    Parameters
    ----------
    share : float
        Of the median case's voxels, what a patch of full resolution has.
    gain : float or None
        How many times fewer voxels the low resolution has; None: there is no need.
    cascade : str
        Why there is no cascade; empty: there is one.
    """
    rule = (
        f"planned if a patch of 3d_fullres has less than {LOWRES_SHARE:.0%} of the "
        f"median case's voxels, and if that leaves less than 1/{LOWRES_GAIN} of them"
    )
    because = f"a patch has {min(share, 1):.0%} of the median case"
    planned = gain is not None and gain >= LOWRES_GAIN
    if gain is not None:
        because += f"; the coarser grid has {gain:.1f} times fewer voxels"
    decisions = [
        Decision(
            field="3d_lowres",
            value="planned" if planned else "left out",
            rule=rule,
            because=because,
        )
    ]
    if planned:
        decisions.append(
            Decision(
                field="3d_cascade_fullres",
                value="left out" if cascade else "planned",
                rule="3d_fullres with the prediction of 3d_lowres as further input",
                because=cascade or "there is a 3d_lowres to start from",
            )
        )
    return decisions


def left_out(name: str, because: str) -> Decision:
    """Return why a configuration is missing."""
    return Decision(
        field=name,
        value="left out",
        rule="planned if a step fits the budget",
        because=because,
    )


def about_the_rest(plan: Plan, sided: Mapping[int, str] | None) -> list[Decision]:
    """Return why mirroring, resampling and training are as they are.

    Parameters
    ----------
    plan : Plan
        With its configurations.
    sided : mapping of int to str, or None
        Axes of the image along which classes have sides, and why; see `Task.sided`.
        None: the user has said what is mirrored.
    """
    because = "; ".join(
        f"along {'zyx'[-len(plan.transpose) :][axis]}, {why}"
        for axis, why in (sided or {}).items()
    )
    if sided is None:
        because = "set by the user"
    mirror = Decision(
        field="mirror_axes",
        value=_mirrored(plan),
        rule="all axes but those along which a class lies on the same side of the "
        "others in nearly every case",
        because=because or "no class does, as far as the cases show",
    )
    # Landmarks say themselves what may be mirrored.
    decided = [] if "mirror_axes" in plan.task.options else [mirror]
    return [
        *decided,
        Decision(
            field="resampling",
            value=_methods(plan.configurations.values()),
            rule="cubic for images, linear for annotations and outputs, nearest "
            "along an axis more than 3 times coarser than the finest",
            because="nnU-Net's rules",
        ),
        _about_training(plan),
    ]


def _mirrored(plan: Plan) -> str:
    """Return along which axes patches are mirrored, as a person reads it."""
    configurations = plan.configurations.values()
    if all(len(c.mirror_axes) == c.dim for c in configurations):
        return "all axes"
    if not any(c.mirror_axes for c in configurations):
        return "none"
    return str({name: c.mirror_axes for name, c in plan.configurations.items()})


def _about_training(plan: Plan) -> Decision:
    """Return which recipe is taken, with the numbers of those that networks bring."""
    own = {}
    for name in dict.fromkeys(c.network.name for c in plan.configurations.values()):
        wanted = network_recipe(name)
        if wanted is not None:
            changes = {**wanted.changes, **plan.training.options}
            numbers = in_words(changed_recipe(wanted.base, changes))
            own[name] = f"{name} brings its own: {numbers}; {wanted.because}"
    because = (
        "the recipe that is ahead depends on the number of iterations, which is known "
        "when training starts"
    )
    if plan.training.name != AUTO:
        because = "set by the user"
    elif own:
        because = "; ".join(own.values())
    return Decision(
        field="training",
        value=plan.training.name,
        rule="auto: the network's own recipe, else `fast` for short trainings, "
        "`nnunet` for long ones",
        because=because,
    )


def _methods(configurations: Iterable[Configuration]) -> str:
    found = {c.resampling.method for c in configurations}
    return ", ".join(sorted(found))
