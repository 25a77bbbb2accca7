"""The configurations of a plan: 2d, 3d_fullres and those that go with them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from autoseg.errors import UsageError
from autoseg.spec.choice import Decision
from autoseg.spec.configuration import Configuration, Resampling
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.settings.recipe import AUTO
from autoseg.tasks.base import Task
from planners._family import Family
from planners._landmarks import (
    FINE,
    FINE_BATCH,
    FINE_EDGE,
    NO_FINE,
    NO_HEAD_STAGE,
    about_fine,
    about_outputs,
    lacking_fine,
    too_coarse,
)
from planners._operations import about_operations
from planners._overrides import Overrides
from planners._reasons import about_configuration, about_lowres, left_out
from planners.base import Budget
from planners.grids.patch import Cost, Fit, Request, TooLarge, fit_patch
from planners.grids.spacing import LOWRES_GAIN, LOWRES_SHARE, Grid, coarser, voxels
from planners.memory.bytes import ByteBudget
from planners.memory.costs import heads_of, inputs_of
from planners.memory.elements import ElementBudget
from planners.memory.measured import looked_at
from planners.network import declared, is_declared
from planners.setting import Setting

LOWRES = "3d_lowres"
COVER = 0.05  # most of the data set's voxels in one batch, when bytes are counted
CASCADE = "3d_cascade_fullres"


@dataclass(frozen=True, kw_only=True)
class _Target:
    """A grid that a configuration is planned for.

    Parameters
    ----------
    name : str
        Of the configuration.
    spacing, shape : tuple of float, length D
        Edge of a voxel; median shape.
    voxels : float
        Of the whole data set, for the limit of the batch.
    """

    name: str
    spacing: tuple[float, ...]
    shape: tuple[float, ...]
    voxels: float


@dataclass(kw_only=True)
class Planning:
    """Plans configuration after configuration.

    Parameters
    ----------
    fingerprint : Fingerprint
        The data set.
    task : Task
        With its options.
    family : Family
        Kind and size of the network.
    budget : Budget
        What a step may cost.
    overrides : Overrides
        What the user fixed.
    configurations : dict
        What was planned, in the order of a plan.
    decisions : list of Decision
        Why.
    least_gb : float
        What the cheapest of those needs that did not fit.
    """

    fingerprint: Fingerprint
    task: Task
    family: Family
    budget: Budget
    overrides: Overrides
    configurations: dict[str, Configuration] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    least_gb: float = math.inf
    _transpose: tuple[int, ...] = ()
    _costs: dict[tuple[str, int], tuple[Family, ByteBudget, Cost]] = field(
        default_factory=dict
    )

    @property
    def fixed(self) -> Mapping[str, Any]:
        """What the user fixed, by key."""
        return self.overrides.values

    @property
    def full_resolution(self) -> Configuration | None:
        """The configuration on the grid itself, None if nothing fits."""
        planned = self.configurations
        return planned.get("3d_fullres") or planned.get("2d")

    @property
    def gb(self) -> float:
        """The budget in GB."""
        given = self.budget.memory_gb
        return self.family.memory_gb if given is None else given

    @property
    def _cover(self) -> float:
        # nnU-Net's presets let a batch hold the whole data set.
        return COVER if self.budget.rule == "bytes" else self.family.cover

    @property
    def words(self) -> str:
        """The budget, as a person says it."""
        rule = {
            "nnunet": "counted as nnU-Net does",
            "bytes": "counted in bytes",
        }[self.budget.rule]
        return f"{self.gb:g} GB ({rule})"

    def on(self, grid: Grid) -> Planning:
        """Plan a grid; what networks cost is counted once for all grids."""
        planning = replace(self, configurations={}, decisions=[])
        planning.run(grid)
        return planning

    def run(self, grid: Grid) -> None:
        """Plan all configurations that a full-resolution grid allows."""
        self._transpose = grid.transpose
        spacing, shape = grid.ordered(grid.spacing), grid.ordered(grid.median_shape)
        total = voxels(shape) * self.fingerprint.num_cases
        plane = slice(len(spacing) - 2, None)
        if len(spacing) == 2 or not self.task.no_slices:
            self._add(self._target("2d", spacing[plane], shape[plane], total))
        else:
            self.decisions.append(left_out("2d", self.task.no_slices))
        if len(spacing) == 2:
            return
        if shape[0] == 1:
            self.decisions.append(left_out("3d_fullres", "cases are one slice"))
            return
        target = self._target("3d_fullres", spacing, shape, total)
        fit = self._try(target)
        if fit is not None:
            self._add_volumes(target, fit)

    def add_fine(self, own: Grid) -> None:
        """Add the fine stage of landmarks, where the grid that holds them is coarse.

        Parameters
        ----------
        own : Grid
            Of the images themselves.
        """
        coarse = self.full_resolution
        if not self.task.fine_reach:
            if any(map(self.overrides.has_own, FINE.values())):
                raise UsageError(NO_FINE)
            return
        if coarse is None:
            return
        name = FINE[coarse.dim]
        spacing, shape = (
            tuple(values[axis] for axis in self._transpose)
            for values in (own.spacing, own.median_shape)
        )
        wanted = self.overrides.has_own(name)
        free = "spacing" not in self.fixed  # or the user has said what he wants
        if not wanted and not (free and too_coarse(coarse, spacing)):
            self.decisions.append(about_fine(name, coarse, spacing, self.fingerprint))
            return
        fixed = f"{name}.spacing" in self.fixed
        own_spacing = spacing
        while True:
            total = voxels(shape) * self.fingerprint.num_cases
            target = self._target(name, spacing, shape, total)
            fit = self._try(target, FINE_EDGE[coarse.dim])
            if fit is None:
                return
            most = max(FINE_BATCH, self.budget.gpus)
            if fit.batch_size > most and fit.limit != "user":
                fit = replace(fit, batch_size=most, limit="fine")
            made = self._configuration(target, fit)
            lacking = lacking_fine(made, coarse, self.task.fine_reach)
            if fixed or lacking <= 1:
                break
            spacing = tuple(edge * lacking for edge in spacing)
            shape = tuple(size / lacking for size in shape)
        self.decisions.append(
            about_fine(name, coarse, own_spacing, self.fingerprint, made, wanted)
        )
        previous = next(n for n, c in self.configurations.items() if c is coarse)
        self._enter(replace(made, previous=previous), target, fit)

    def _try(self, target: _Target, largest: int | None = None) -> Fit | None:
        """Return a patch and batch; None if none fits, with a decision on why."""
        try:
            return self._fit(target, largest)
        except TooLarge as error:
            self.least_gb = min(self.least_gb, error.needed_gb)
            because = f"{error}; the budget is {self.words}"
            self.decisions.append(left_out(target.name, because))
            return None

    def _add(self, target: _Target) -> None:
        fit = self._try(target)
        if fit is not None:
            self._enter(self._configuration(target, fit), target, fit)

    def _enter(self, made: Configuration, target: _Target, fit: Fit) -> None:
        self.configurations[target.name] = made
        stage = self.task.output_stage(made.spacing)
        if stage is not None and self._has_coarser_outputs(target.name):
            self.decisions.append(about_outputs(target.name, made, stage))
        self.decisions += about_configuration(
            target.name,
            made,
            fit,
            budget=self.words,
            cover=self._cover,
            unit=self.fingerprint.unit,
            gpus=self.budget.gpus,
            largest=None if made.previous is None else FINE_EDGE.get(made.dim),
            unknown=self._cost(target.name, target.spacing)[0].unknown,
        )

    def _target(
        self,
        name: str,
        spacing: Sequence[float],
        shape: Sequence[float],
        total: float,
    ) -> _Target:
        """Return the grid of a configuration, as the user has it if he says so."""
        own = self.fixed.get(f"{name}.spacing")
        if own is not None:
            factors = [old / new for old, new in zip(spacing, own, strict=True)]
            shape = [
                float(max(1, round(f * n))) for f, n in zip(factors, shape, strict=True)
            ]
            total *= math.prod(factors)
            spacing = [float(edge) for edge in own]
        return _Target(
            name=name, spacing=tuple(spacing), shape=tuple(shape), voxels=total
        )

    def _fit(self, target: _Target, largest: int | None = None) -> Fit:
        family, _, cost = self._cost(target.name, target.spacing)
        dim = len(target.spacing)
        request = Request(
            spacing=target.spacing,
            median_shape=target.shape,
            most_voxels=target.voxels * self._cover,
            batch_size=self.overrides.get(target.name, "batch_size"),
            most_stages=family.most_stages,
            largest=largest,
            divisors=family.divisors,
            least=family.least,
            gpus=self.budget.gpus,
        )
        patch = self.overrides.get(target.name, "patch_size", dim)
        if patch is not None:
            if target.name == LOWRES and f"{LOWRES}.patch_size" not in self.fixed:
                # Meant for full resolution; this grid may be halved along other axes.
                patch = request.topology(patch).patch_size
            request = replace(request, patch_size=tuple(patch))
        return fit_patch(request, cost)

    def _cost(
        self, name: str, spacing: Sequence[float] = ()
    ) -> tuple[Family, ByteBudget, Cost]:
        """Return the network's family, its bytes, and what decides."""
        options = self.overrides.options(name, "network")
        stage = self.task.output_stage(spacing)
        if stage is not None:
            if self._has_coarser_outputs(name):
                options.setdefault("head_stage", stage.stage)
        elif options.get("head_stage"):
            raise UsageError(NO_HEAD_STAGE)
        key = name, options.get("head_stage", 0)
        if key not in self._costs:
            family = self.family.changed(self.overrides.get(name, "network"), options)
            family = replace(family, operations=self.budget.operations)
            inputs = inputs_of(
                self.task,
                len(self.fingerprint.channel_names),
                cascade=name == CASCADE,
            )
            heads = heads_of(self.task)
            setting = Setting(
                precision=self.budget.precision,
                recompute=self.overrides.values.get("train.recompute", AUTO),
            )
            if family.other is not None:
                dim = 2 if name.startswith("2d") else 3
                family = looked_at(family, dim, inputs, heads, setting)
            exact = ByteBudget(
                family=family,
                memory_gb=self.gb,
                in_channels=inputs,
                heads=heads,
                setting=setting,
            )
            rough = ElementBudget(
                family=family,
                memory_gb=self.gb,
                channels=self.task.planned_channels,
            )
            # Of grids that are alike, patches are counted once.
            known = (cost for _, cost, _ in self._costs.values())
            exact = next((cost for cost in known if cost == exact), exact)
            by_bytes = self.budget.rule == "bytes"
            self._costs[key] = family, exact, exact if by_bytes else rough
        return self._costs[key]

    def _has_coarser_outputs(self, name: str) -> bool:
        """Return whether a network can be read off at a coarser stage."""
        network = self.overrides.get(name, "network")
        if network is not None and not is_declared(network):
            return True  # one that is written in torch says so itself
        kind = self.family.declaration if network is None else declared(network)
        return "head_stage" in kind.options()

    def _configuration(self, target: _Target, fit: Fit) -> Configuration:
        family, exact, _ = self._cost(target.name, target.spacing)
        dim, overrides = len(target.spacing), self.overrides
        batch_dice = overrides.get(target.name, "batch_dice")
        mirror = overrides.get(target.name, "mirror_axes")
        if mirror is None:
            mirror = self.mirror_axes(dim)
        options: dict[str, Any] = overrides.options(target.name, "resampling")
        if family.operations is not None and family.other is None:
            about = about_operations(
                target.name,
                family.declaration,
                family.options(fit.topology),
                fit.topology,
                family.operations,
            )
            self.decisions.append(about)
        return Configuration(
            spacing=target.spacing,
            patch_size=fit.topology.patch_size,
            batch_size=fit.batch_size,
            median_shape=tuple(map(float, target.shape)),
            network=family.choice(fit.topology),
            batch_dice=dim == 2 if batch_dice is None else batch_dice,
            resampling=Resampling(**options),
            mirror_axes=tuple(axis for axis in mirror if axis < dim),
            memory=exact.parts(fit.topology, self._share(fit.batch_size)),
        )

    def _share(self, batch_size: int) -> int:
        """Return the most samples of a batch that one GPU has."""
        return -(-batch_size // self.budget.gpus)

    def mirror_axes(self, dim: int) -> Sequence[int]:
        """Return the axes of a patch that may be flipped: all, unless the task says."""
        own = self.task.mirror_axes
        if own is None:
            sided = self.task.sided(self.fingerprint.annotation)
            own = tuple(a for a in self._transpose if a not in sided)
        # A slice has the last axes of the volume.
        first = len(self._transpose) - dim
        places = sorted(self._transpose.index(axis) - first for axis in own)
        return [place for place in places if place >= 0]

    # Low resolution and cascade ------------------------------------------------------

    def _add_volumes(self, target: _Target, fit: Fit) -> None:
        """Add 3d_fullres, and what goes with it if its patch sees too little."""
        full = self._configuration(target, fit)
        share = voxels(full.patch_size) / voxels(full.median_shape)
        low, low_fit, gain = self._search_lowres(full)
        if low is None or low_fit is None or (gain or 0) < LOWRES_GAIN:
            self.decisions += about_lowres(share, gain, "")
            self._enter(full, target, fit)
            return
        cascade = ""
        if not self.task.previous_channels:
            cascade = "the task's annotation is not made of label values"
        self.decisions += about_lowres(share, gain, cascade)
        self._enter(self._configuration(low, low_fit), low, low_fit)
        if self.overrides.get(target.name, "batch_dice") is None:
            full = replace(full, batch_dice=True)
        self._enter(full, target, fit)
        if not cascade:
            self._add_cascade(full, fit)

    def _search_lowres(
        self, full: Configuration
    ) -> tuple[_Target | None, Fit | None, float | None]:
        """Coarsen the grid until a patch sees enough of the median case."""
        name, cases = LOWRES, self.fingerprint.num_cases
        if f"{name}.spacing" in self.fixed:
            total = voxels(full.median_shape) * cases
            wanted = self._target(name, full.spacing, full.median_shape, total)
            reached = voxels(full.median_shape) / voxels(wanted.shape)
            return wanted, self._fit(wanted), max(reached, LOWRES_GAIN)
        target: _Target | None = None
        fit: Fit | None = None
        gain: float | None = None
        spacing, count = full.spacing, voxels(full.median_shape)
        patch = voxels(full.patch_size)
        while patch / count < LOWRES_SHARE:
            spacing = coarser(spacing)
            pairs = zip(full.spacing, spacing, full.median_shape, strict=True)
            exact = [old / new * n for old, new, n in pairs]
            count = voxels(exact)
            target = _Target(
                name=name,
                spacing=spacing,
                shape=tuple(float(max(1, round(n))) for n in exact),
                voxels=count * cases,
            )
            fit = self._fit(target)
            patch = voxels(fit.topology.patch_size)
            gain = voxels(full.median_shape) / count
        return target, fit, gain

    def _add_cascade(self, full: Configuration, fit: Fit) -> None:
        if self.budget.rule == "nnunet" and not self.overrides.has_own(CASCADE):
            # nnU-Net's cascade is 3d_fullres with more inputs, whatever they take.
            _, exact, _ = self._cost(CASCADE)
            share = self._share(full.batch_size)
            made = replace(full, memory=exact.parts(fit.topology, share))
        else:
            total = voxels(full.median_shape) * self.fingerprint.num_cases
            target = self._target(CASCADE, full.spacing, full.median_shape, total)
            found = self._try(target)
            if found is None:
                return
            made = self._configuration(target, found)
            if self.overrides.get(CASCADE, "batch_dice") is None:
                made = replace(made, batch_dice=full.batch_dice)
            self._enter(made, target, found)
        self.configurations[CASCADE] = replace(made, previous=LOWRES)
