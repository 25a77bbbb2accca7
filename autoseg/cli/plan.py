"""Decide how to train, and print each decision with its reason.

Reads the fingerprint of the data set and writes plans/NAME.json beside it. Opens no
image and needs no GPU. --set fixes values, and the rest is planned around them; a plan
may also be edited by hand: docs/plan.md explains each field.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from autoseg.cli._arguments import add_planning, budget_of
from autoseg.cli._which import add_dataset, chosen_dataset
from autoseg.gpu import gpu_memory_gb, has_gpu
from autoseg.workspace import Workspace

if TYPE_CHECKING:  # help is asked for more often than a plan, and needs no planner
    from autoseg.spec.plan import Plan

RESULT = "the plan"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""
    add_dataset(parser)
    add_planning(parser)
    parser.add_argument(
        "--explain",
        action="store_true",
        help="print a page: data, decisions, memory by part, work, room on disk, time",
    )
    parser.add_argument(
        "--measure",
        action="store_true",
        help="do a training step on this machine: time, and peak memory against what "
        "was predicted",
    )
    parser.add_argument(
        "-c",
        "--configurations",
        nargs="+",
        metavar="NAME",
        help="what --measure does a step of; by default 3d_fullres, else 2d",
    )
    parser.add_argument(
        "--device",
        "-device",
        default="auto",
        metavar="DEVICE",
        help="for --measure: auto, cpu, cuda, cuda:N or mps",
    )


def run(arguments: argparse.Namespace) -> None:
    """Plan, and print what was decided and why."""
    from autoseg.spec.fingerprint import Fingerprint
    from planners.explain import decisions, explain, overview
    from planners.stage import plan

    chosen = chosen_dataset(arguments)
    made = plan(
        chosen,
        arguments.root,
        planner=arguments.planner,
        name=arguments.name or arguments.network,
        budget=budget_of(arguments),
    )
    place = Workspace.find(chosen, arguments.root)
    for warning in _too_large(made):
        print(f"warning: {warning}", file=sys.stderr)
    measured = _measurements(made, place, arguments)
    arguments.result = {
        "dataset": made.dataset,
        "file": place.plan(made.name),
        "plan": made,
        "measured": measured,
    }
    if arguments.explain:
        fingerprint = Fingerprint.load(place.fingerprint)
        print(explain(made, fingerprint, measured))
        return
    print(f"Plan {made.name} for {made.dataset}")
    print("\n".join((*overview(made), "", *decisions(made.decisions))))
    for name, found in measured.items():
        print(f"measured {name}: {json.dumps(found)}")
    print(f"Written to {place.plan(made.name)}")
    print(_length(measured))


ITERATIONS = 250_000  # of nnU-Net's 1000 epochs
DAY, HOUR = 86_400, 3600


def _length(measured: dict[str, Any]) -> str:
    """Return how long a training of the usual length will take, as far as known."""
    said = []
    for name, entry in measured.items():
        hours = entry["seconds_per_step"] * ITERATIONS / HOUR
        text = f"{hours:.1f} h" if hours * HOUR < 2 * DAY else f"{hours / 24:.1f} days"
        said.append(f"1000 epochs of {name} take about {text} on this machine.")
    if not has_gpu():
        said.append(
            "No GPU was found: `train --time-budget 2h` or `run` make the network fit "
            "a time."
        )
    elif not said:
        said.append("--measure says how long a step, and 1000 epochs, take here.")
    return "\n".join(said)


def _too_large(made: Plan) -> list[str]:
    """Say which configurations will not fit the GPU that is there."""
    from planners.memory.model import GIB

    there = gpu_memory_gb()
    if there is None:
        return []
    return [
        f"{name} needs {sum(chosen.memory.values()) / GIB:.1f} GB by our count, and "
        f"the GPU here has {there:.1f}: --budget-rule bytes plans for it."
        for name, chosen in made.configurations.items()
        if sum(chosen.memory.values()) > there * GIB
    ]


def _measurements(
    made: Plan, place: Workspace, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Measure if asked for; return all that was measured of this very plan."""
    from autoseg.spec.json import dumps, write_text

    path = place.measurement(made.name)
    found: dict[str, Any] = {}
    if path.is_file():
        recorded = json.loads(path.read_text(encoding="utf-8"))
        found = {
            name: entry
            for name, entry in recorded.items()
            if name in made.configurations and entry["patch"] == _patch(made, name)
        }
    if arguments.measure:
        from autoseg.cli._measure import measure_step

        for name in arguments.configurations or [_best(made)]:
            entry = measure_step(made, name, arguments.device)
            found[name] = {**entry, "patch": _patch(made, name)}
            write_text(path, dumps(found))
    return found


def _patch(made: Plan, name: str) -> list[int]:
    """Return what a step's cost hangs on: batch and patch."""
    chosen = made.configurations[name]
    return [chosen.batch_size, *chosen.patch_size]


def _best(made: Plan) -> str:
    names = list(made.configurations)
    return "3d_fullres" if "3d_fullres" in names else names[0]
