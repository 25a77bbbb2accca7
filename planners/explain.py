"""A plan as a page that a person reads."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from autoseg.spec.choice import Choice, Decision
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.plan import Plan
from autoseg.spec.settings.recipe import AUTO
from planners.grids.patch import times
from planners.grids.topology import find_topology
from planners.memory.costs import cost_of, disk_bytes, window_bytes
from planners.memory.model import GIB, StepCost, reserve
from planners.memory.walk import PARTS
from planners.network import declared, is_declared
from planners.setting import Setting

WIDTH = 88
DEFAULT = "plain_unet"
STEPS = 250  # in an epoch, of nnU-Net's recipe
EPOCHS = 1000
MOST_CLASSES = 12  # shown one by one


def explain(
    plan: Plan, fingerprint: Fingerprint, measured: Mapping[str, Any] | None = None
) -> str:
    """Return data, decisions and costs of a plan as text.

    Parameters
    ----------
    plan : Plan
        The plan.
    fingerprint : Fingerprint
        The data set that it was made for.
    measured : mapping, optional
        By configuration, what `autoseg plan --measure` found.

    Returns
    -------
    str
        Several sections, lines of at most 88 characters.
    """
    title = f"Plan {plan.name} for {plan.dataset}"
    return "\n".join(
        [
            title,
            "=" * len(title),
            *_section("The data in numbers", _data(fingerprint)),
            *_section("Configurations", overview(plan)),
            *_section("Decisions", decisions(plan.decisions)),
            *_section("Memory of a training step", _memory(plan)),
            *_section("Work and room", _work(plan, fingerprint)),
            *_section("Time", _time(plan, measured or {})),
        ]
    )


def _section(title: str, lines: Iterable[str]) -> list[str]:
    return ["", title, "-" * len(title), *lines]


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows with columns of equal width; the first is left, the rest right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + row[0].ljust(widths[0])
        + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:]))  # noqa: B905
        for row in rows
    ]


def overview(plan: Plan) -> list[str]:
    """Return one line for each configuration."""
    rows = [("configuration", f"spacing [{plan.unit}]", "patch", "batch", "needs")]
    for name, chosen in plan.configurations.items():
        spacing = " x ".join(f"{edge:.3g}" for edge in chosen.spacing)
        need = f"{sum(chosen.memory.values()) / GIB:.1f} GB" if chosen.memory else "?"
        batch = str(chosen.batch_size)
        rows.append((name, spacing, times(chosen.patch_size), batch, need))
    return table(rows)


def decisions(made: Iterable[Decision]) -> list[str]:
    """Return each decision with its reason, and each rule where it is first used."""
    lines: list[str] = []
    told: set[str] = set()
    for decision in made:
        lines.append(f"{decision.field} = {decision.value}")
        lines += _wrap(f"because {decision.because}")
        if decision.rule not in told:
            lines += _wrap(f"rule: {decision.rule}")
            told.add(decision.rule)
    return lines


def _wrap(text: str) -> list[str]:
    indent = "    "
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  "
    )


def _data(fingerprint: Fingerprint) -> list[str]:
    shapes, spacings = np.array(fingerprint.shapes), np.array(fingerprint.spacings)
    unit = fingerprint.unit
    names = ", ".join(fingerprint.channel_names)
    rows = [
        ("cases", str(fingerprint.num_cases)),
        ("channels", f"{len(fingerprint.channel_names)} ({names})"),
        ("shape, median", times(np.median(shapes, axis=0))),
        ("shape, range", f"{times(shapes.min(0))} to {times(shapes.max(0))}"),
        (f"spacing, median [{unit}]", times(np.median(spacings, axis=0))),
        (
            f"spacing, range [{unit}]",
            f"{times(spacings.min(0))} to {times(spacings.max(0))}",
        ),
        ("left after cropping", f"{fingerprint.relative_size_after_crop:.0%}"),
    ]
    for name, found in zip(
        fingerprint.channel_names, fingerprint.intensities, strict=False
    ):
        numbers = (
            f"mean {found.mean:.4g}, std {found.std:.4g}, 0.5 to 99.5 percentile "
            f"{found.percentile_00_5:.4g} to {found.percentile_99_5:.4g}"
        )
        rows.append((f"foreground of {name}", numbers))
    wide = max(len(label) for label, _ in rows)
    lines = [f"  {label:<{wide}}  {value}" for label, value in rows]
    return lines + _classes(fingerprint)


def _classes(fingerprint: Fingerprint) -> list[str]:
    """Return a table of classes; a task that counts objects has a number for each."""
    classes = fingerprint.annotation.get("classes")
    if not isinstance(classes, Mapping) or not classes:
        return []
    rows: list[tuple[str, ...]]
    if not all(isinstance(numbers, Mapping) for numbers in classes.values()):
        rows = [("class", "objects")]
        rows += [(name, f"{n}") for name, n in list(classes.items())[:MOST_CLASSES]]
        return [*table(rows), *_more(classes)]
    rows = [
        (
            "class",
            "in cases",
            "share of voxels",
            f"median object [{_power(fingerprint)}]",
        )
    ]
    for name, numbers in list(classes.items())[:MOST_CLASSES]:
        size = numbers.get("median_object_size")
        rows.append(
            (
                name,
                f"{numbers.get('cases_present', '?')}",
                f"{numbers.get('frequency', 0):.2%}",
                "-" if size is None else f"{size:.3g}",
            )
        )
    return [*table(rows), *_more(classes)]


def _more(classes: Mapping[str, Any]) -> list[str]:
    more = len(classes) - MOST_CLASSES
    return [f"  ... and {more} more"] if more > 0 else []


def _power(fingerprint: Fingerprint) -> str:
    return f"{fingerprint.unit}^{fingerprint.dim}"


def _setting(plan: Plan) -> Setting:
    return Setting(
        precision=str(plan.budget.options.get("precision", "bf16")),
        recompute=str(plan.training.options.get("recompute", AUTO)),
    )


def _memory(plan: Plan) -> list[str]:
    budget = plan.budget.options
    names = [name for name, c in plan.configurations.items() if c.memory]
    if not names:
        return ["  unknown: no planner of ours made this plan, or knows its network"]
    rows: list[tuple[str, ...]] = [("GB", *names)]
    memory = [plan.configurations[name].memory for name in names]
    for part in (*PARTS, "reserve"):
        rows.append((part, *(f"{m.get(part, 0.0) / GIB:.2f}" for m in memory)))
    rows.append(("together", *(f"{sum(m.values()) / GIB:.2f}" for m in memory)))
    return [
        f"  predicted peak in {budget.get('precision', 'bf16')} on a GPU, budget "
        f"{budget.get('memory_gb', '?')} GB by the rule {plan.budget.name}"
        + (f", of each of {budget['gpus']} GPUs" if "gpus" in budget else ""),
        *table(rows),
        *_wrap(
            "activations: kept for the backward pass; backward: gradients of feature "
            "maps on their way; loss: logits and what the loss keeps; workspace: "
            "copies that convolutions make; reserve: what the driver and gaps take."
        ),
        *_wrap(_made_again(plan, names)),
    ]


def _made_again(plan: Plan, names: Sequence[str]) -> str:
    """Return a sentence about the memory that `train.recompute` saves, if it can."""
    known = [n for n in names if is_declared(plan.configuration(n).network.name)]
    if not known:
        return ""
    setting = _setting(plan)
    other = replace(setting, recompute="off" if setting.makes_again else "on")
    sizes = []
    for name in known:
        batch = plan.configuration(name).batch_size
        peak = cost_of(plan, name, other).total(batch)
        sizes.append(f"{name} {(peak + reserve(peak, other)) / GIB:.1f}")
    if not setting.makes_again:
        return (
            "train.recompute is off: all feature maps are kept. On, it would be "
            f"{', '.join(sizes)} GB together, with the same numbers."
        )
    return (
        "The backward pass makes norms and activations again instead of keeping them, "
        "with the same numbers. With train.recompute=off it would be "
        f"{', '.join(sizes)} GB together."
    )


def _work(plan: Plan, fingerprint: Fingerprint) -> list[str]:
    chosen = plan.configurations.items()
    names = [name for name, c in chosen if is_declared(c.network.name) or c.memory]
    if not names:
        return ["  unknown: the network is not one that the planners know"]
    rows: list[tuple[str, ...]] = [("", *names)]
    setting = _setting(plan)
    costs = {name: cost_of(plan, name, setting) for name in names}
    disk = disk_bytes(plan, fingerprint)
    batch = {name: plan.configurations[name].batch_size for name in names}
    rows.append(
        ("parameters [million]", *(f"{costs[n].parameters / 1e6:.1f}" for n in names))
    )
    rows.append(
        (
            f"operations per epoch of {STEPS} steps [TFLOP]",
            *(f"{costs[n].operations(batch[n]) * STEPS / 1e12:.0f}" for n in names),
        )
    )
    rows.append(
        (
            "memory to predict a window [GB]",
            *(_window(plan, n, setting) for n in names),
        )
    )
    rows.append(
        (
            "preprocessed data, uncompressed [GB]",
            *(f"{disk[plan.data_id(n)] / GIB:.2f}" for n in names),
        )
    )
    rows += _beside_default(plan, costs, setting)
    total = sum(disk.values()) / GIB
    return [
        *table(rows),
        f"  Preprocessed data together: {total:.2f} GB before compression; columns",
        "  with the same grid share theirs.",
    ]


def _window(plan: Plan, name: str, setting: Setting) -> str:
    """Return the GB of a window; of a network that was measured nobody knows them."""
    if not is_declared(plan.configuration(name).network.name):
        return "?"
    return f"{window_bytes(plan, name, setting) / GIB:.2f}"


def _beside_default(
    plan: Plan, costs: Mapping[str, StepCost], setting: Setting
) -> list[tuple[str, ...]]:
    """Compare networks with the default one, on the same patch and batch."""
    if all(plan.configuration(name).network.name == DEFAULT for name in costs):
        return []
    ratios: dict[str, list[str]] = {"parameters": [], "operations": [], "memory": []}
    for name, cost in costs.items():
        chosen = plan.configuration(name)
        topology = find_topology(chosen.spacing, chosen.patch_size)
        usual = declared(DEFAULT).plan(topology, {})
        network = Choice(name=DEFAULT, options=usual)
        patch = topology.patch_size  # of a network that divides otherwise, a bit more
        swapped = replace(chosen, network=network, patch_size=patch)
        # With the others, since a stage may name one of them as its previous.
        changed = {**plan.configurations, name: swapped}
        other = cost_of(replace(plan, configurations=changed), name, setting)
        batch = chosen.batch_size
        ratios["parameters"].append(f"{cost.parameters / other.parameters:.2f}")
        ratios["operations"].append(
            f"{cost.operations(batch) / other.operations(batch):.2f}"
        )
        ratios["memory"].append(f"{cost.total(batch) / other.total(batch):.2f}")
    return [
        (f"{what} beside {DEFAULT} on this patch", *values)
        for what, values in ratios.items()
    ]


def _peak(found: Mapping[str, Any]) -> str:
    """Return the memory that was measured, beside what was predicted, if anything."""
    real, predicted = float(found["measured_bytes"]), found["predicted_bytes"]
    grew = f"this process grew by {real / GIB:.2f} GB, libraries included"
    if predicted is None:
        return grew if found["device"] == "cpu" else f"peak {real / GIB:.2f} GB"
    if found["device"] == "cpu":
        return f"{grew}; {predicted / GIB:.2f} GB are predicted without them"
    share = f" ({predicted / real - 1:+.0%})" if real > 0 else ""
    return f"peak {real / GIB:.2f} GB, predicted {predicted / GIB:.2f} GB{share}"


def _time(plan: Plan, measured: Mapping[str, Any]) -> list[str]:
    if not measured:
        return _wrap(
            f"not measured yet: `autoseg plan {plan.dataset} --measure` does one step "
            "on this machine."
        )
    lines = []
    for name, found in measured.items():
        seconds = float(found["seconds_per_step"])
        epoch = seconds * STEPS
        lines += _wrap(
            f"{name} on {found['device']} in {found['precision']}: {seconds:.3g} s a "
            f"step, {epoch / 60:.3g} minutes an epoch, {epoch * EPOCHS / 3600:.3g} "
            f"hours for {EPOCHS} epochs of {STEPS} steps (reading not counted); "
            f"{_peak(found)}."
        )
    return lines
