"""Few frames lie between a command and its effect, and data do not climb back up."""

import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import autoseg
from autoseg.blueprints.modules.module import DrawnNetwork
from autoseg.cli.main import main
from autoseg.predict.backends.torch import TorchNetwork
from autoseg.predict.options import Options
from autoseg.predict.predictor import Predictor
from autoseg.spec.choice import Choice
from autoseg.spec.image import Geometry, Image
from tests import toy as data
from tests.predict import toy_model as toy

ROOT = Path(autoseg.__file__).parents[1]
FRAMES, CLIMBS = 9, 5
TASKS = {
    "labels": Choice(name="semantic", options={"labels": toy.LABELS}),
    "instances": Choice(
        name="instance",
        options={
            "labels": {"cell": 1},
            "representation": {"name": "border_core", "options": {}},
            "axes": 3,
        },
    ),
    "points": Choice(name="landmark", options={"landmarks": ["tip", "root"]}),
}
NAMES = {
    "labels": {},
    "instances": {"labels": {"background": 0, "cell": 1}, "task": "instance"},
    "points": {"landmarks": ["tip", "root"], "task": "landmark"},
}


def frames(frame):
    """Return the frames of the project's code below and at a frame, innermost first."""
    found = []
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT / "autoseg") or path.is_relative_to(
            ROOT / "planners"
        ):
            found.append(f"{path.stem}.{frame.f_code.co_name}")
        frame = frame.f_back
    return found


@pytest.fixture
def stacks(monkeypatch):
    """The frames from the command to each call of a network.

    A thread that computes for another one continues the stack of the network's call.
    """
    found, called = [], {}
    forward, call = DrawnNetwork.forward, TorchNetwork.__call__

    def listen(self, image):
        mine = frames(sys._getframe(1))
        if threading.current_thread() is not threading.main_thread():
            mine += called[self]
        found.append(mine)
        return forward(self, image)

    def note(self, batch):
        called[self.module] = ["torch.__call__", *frames(sys._getframe(1))]
        return call(self, batch)

    monkeypatch.setattr(DrawnNetwork, "forward", listen)
    monkeypatch.setattr(TorchNetwork, "__call__", note)
    return found


def command(tmp_path, *words):
    image = np.random.default_rng(0).normal(size=(12, 12, 12))
    data.write_nifti(tmp_path / "in" / "a_0000.nii.gz", image, (1.0, 1.0, 1.0))
    folder, out = str(tmp_path / "in"), str(tmp_path / "out")
    return main(["predict", "-i", folder, "-o", out, *map(str, words)])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", TASKS)
def test_from_the_command_to_the_network_there_are_few_frames(
    tmp_path, stacks, kind, threads
):
    plan = replace(toy.plan(), task=TASKS[kind])
    model = toy.saved(tmp_path, plan, **NAMES[kind])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        code = command(tmp_path, "-m", model, "-device", "cpu", "--tta")
    finally:
        torch.set_num_threads(before)

    assert code == 0
    assert {stack[-1] for stack in stacks} == {"main.main"}
    assert max(map(len, stacks)) <= FRAMES, max(stacks, key=len)


def test_both_stages_of_a_cascade_are_as_near(tmp_path, stacks):
    plan = toy.plan(cascade=True)
    toy.saved(tmp_path, plan)
    second = toy.saved(tmp_path, plan, configuration="second")

    assert command(tmp_path, "-m", second, "-device", "cpu") == 0

    assert max(map(len, stacks)) <= FRAMES, max(stacks, key=len)


# From top to bottom: the layers of setup.cfg, with the floors of prediction.
FLOORS = (
    ("autoseg.cli",),
    ("autoseg.predict",),
    ("autoseg.predict.readouts",),
    ("autoseg.predict.backends",),
    ("autoseg.predict.windows",),
    ("autoseg.model",),
    ("autoseg.preprocess", "autoseg.evaluate", "autoseg.fingerprint", "planners"),
    ("autoseg.networks", "autoseg.datasets"),
    ("autoseg.pointfiles", "autoseg.instancefiles"),
    ("autoseg.tasks", "autoseg.formats", "autoseg.normalizers"),
    ("autoseg.representations",),
    ("autoseg.geometry", "autoseg.metrics", "autoseg.landmarks"),
    ("autoseg.parallel", "autoseg.workspace", "autoseg.machine"),
    ("autoseg.spec",),
    ("autoseg.atomic", "autoseg.registry", "autoseg.errors"),
)
LEVELS = {name: level for level, names in enumerate(FLOORS) for name in names}
INSIDE = "autoseg.preprocess"
HOLDERS = ("Image", "Prepared", "Begun", "Sight", "Block")


def level_of(module):
    """Return the floor of a module, by the longest name in `FLOORS`; None: on none."""
    while module not in LEVELS and module:
        module = module.rpartition(".")[0]
    return LEVELS.get(module)


def carries(value):
    """Return whether an argument is the image, a part of it, or what became of it."""
    if isinstance(value, np.ndarray | torch.Tensor):
        return len(value.shape) > 1
    if isinstance(value, list | tuple):
        return any(carries(one) for one in value)
    return type(value).__name__ in HOLDERS


class Journey:
    """The floors on which an image is, call by call."""

    def __init__(self):
        self.floors, self.seen, self.inside = [], {}, []

    def __call__(self, frame, event, argument):
        code, module = frame.f_code, str(frame.f_globals.get("__name__"))
        if event == "return" and self.inside and frame is self.inside[-1]:
            self.inside.pop()
        if event != "call" or not module.startswith("autoseg.") or self.inside:
            return
        if code.co_name == "__init__":  # holds it, and does nothing with it
            return
        if code.co_flags & 0x20:  # a generator that goes on is no new call
            if id(frame) in self.seen:
                return
            self.seen[id(frame)] = frame
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        values = (frame.f_locals.get(name) for name in names if name != "self")
        level = level_of(module)
        if level is not None and any(carries(value) for value in values):
            self.floors.append(level)
            if module.startswith(INSIDE):
                self.inside.append(frame)

    @property
    def climbs(self):
        """Pairs of floors, the lower first, in the order of the journey."""
        steps = zip(self.floors, self.floors[1:], strict=False)
        return list(dict.fromkeys((a, b) for a, b in steps if b < a))


@pytest.mark.parametrize("kind", TASKS)
def test_an_image_goes_down_and_its_prediction_comes_out(kind):
    """Count how often data climb from a lower floor to a higher one in one prediction.

    A climb: a function of the project is called with the image (or a part of it, or
    what became of it: windows, outputs, labels), and the last function that was called
    with it before lies on a lower floor of `FLOORS`. Windows and rows repeat, so each
    pair of floors counts once. Generators count when they begin, methods by what they
    are given, constructors not at all, and preprocessing as one call, for what it does
    inside is its own matter.
    """
    plan = replace(toy.plan(spacing=(1.0, 1.2, 0.9)), task=TASKS[kind])
    predictor = Predictor(toy.model(plan), Options(device="cpu", mirror=True))
    array = np.random.default_rng(0).normal(size=(1, 12, 14, 16)).astype(np.float32)
    geometry = Geometry(shape=array.shape[1:], spacing=(1.0, 1.0, 1.0))
    image = Image(array=array, geometry=geometry)
    predictor.networks()
    journey = Journey()

    sys.setprofile(journey)
    try:
        predictor.predict_image(image)
    finally:
        sys.setprofile(None)

    assert {0, 1, 2, 4} - set(journey.floors) == {0}  # it did see the journey
    assert len(journey.climbs) <= CLIMBS, journey.climbs
