"""Trainings of made-up batches, by processes that share them and by one alone.

Each of several processes, with RANK and so on set, calls `main`, which writes into
a folder what came of each training; the root has a trained fold "all" of the toy data.
"""

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import torch

from autoseg.errors import CaseErrors, TrainingError
from autoseg.networks import NETWORKS
from autoseg.predict.pipeline import Pipeline
from autoseg.tasks import TASKS
from autoseg.train.after.final_validation import validate_fold
from autoseg.train.data.batch import Batch
from autoseg.train.loop.checkpoint import Saver
from autoseg.train.loop.criterion import Criterion
from autoseg.train.loop.logbook import Logbook
from autoseg.train.loop.patch_score import PatchScore
from autoseg.train.loop.schedule import Clock
from autoseg.train.loop.trainer import Trainer
from autoseg.train.setup.hardware import Hardware
from autoseg.train.setup.job import find_job
from autoseg.train.setup.joined import joined
from autoseg.train.setup.options import Options
from autoseg.train.setup.ranks import ONE
from autoseg.train.setup.recipes import RECIPES

PATCH = (16, 16)
ITERATIONS = 12
SEMANTIC = {"labels": {"background": 0, "one": 1, "two": 2, "ignore": 3}}
LANDMARKS = {"landmarks": [f"p{i}" for i in range(17)]}  # more than are made at once
# Name: task, its options, batch, deep supervision, recipe, Dice over the batch.
CASES = {
    "three": ("semantic", SEMANTIC, 3, True, "nnunet", True),
    "four": ("semantic", SEMANTIC, 4, True, "fast", True),
    "flows": ("instance", "flow_distance", 3, True, "fast", True),
    "borders": ("instance", "border_core", 2, True, "nnunet", True),
    "embedding": ("instance", "embedding", 3, False, "nnunet", True),
    "landmarks": ("landmark", LANDMARKS, 3, True, "nnunet", False),
}


def make_task(kind, options):
    if kind == "instance":
        named = {"name": options, "options": {}}
        options = {"labels": {"cell": 1}, "representation": named, "axes": 2}
    return TASKS[kind](**options).for_axes(2)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exact(Hardware):
    """Computes in double precision."""

    kind: torch.dtype = torch.float64

    def place(self, network, dim):
        return network.to(self.kind)

    def arrange(self, images):
        return images.to(self.kind)


class Made:
    """A loader of batches that are a function of iteration and sample."""

    def __init__(self, task, batch_size, ranks, spoiled=None):
        self.task, self.spoiled, self.sampler = task, spoiled, self
        self.samples = range(ranks.number, batch_size, ranks.count)

    def batches(self, first, last=None):
        numbers = itertools.count(first) if last is None else range(first, last)
        for iteration in numbers:
            yield self._batch(iteration)

    def _batch(self, iteration):
        drawn = [self._sample(iteration, number) for number in self.samples]
        images, labels, targets = zip(*drawn, strict=True)
        learned = None
        if targets[0]:
            learned = {
                head: torch.stack([t[head] for t in targets]) for head in targets[0]
            }
        return Batch(
            images=torch.stack(images),
            labels=None if labels[0] is None else torch.stack(labels),
            targets=learned,
            cases=tuple(f"case{number}" for number in self.samples),
            iteration=iteration,
            read_seconds=0.0,
            augment_seconds=0.0,
        )

    def _sample(self, iteration, number):
        rng = np.random.default_rng([iteration, number])
        image = torch.from_numpy(rng.normal(size=(1, *PATCH)).astype(np.float32))
        if (iteration, number) == self.spoiled:
            image[0, 0, 0] = torch.nan
        if self.task.kind == "points":
            places = rng.uniform(0, 16, (len(self.task.classes), 2))
            status = rng.integers(0, 3, (len(self.task.classes), 1))
            target = torch.from_numpy(np.concatenate([places, status], 1)).float()
            return image, None, {self.task.heads[0].name: target}
        labels = np.zeros(PATCH, np.int16)
        # Sample 1 has no foreground now and then: its process must not stay away.
        if (iteration + number) % 3:
            low = rng.integers(0, 6, 2)
            labels[low[0] : low[0] + 6, low[1] : low[1] + 5] = 1
            labels[10:, 9:] = 2
            labels[15] = 3 if self.task.ignore_index == 3 else labels[15]
        if self.task.learns_map:
            return image, torch.from_numpy(labels), None
        encoded = self.task.targets(labels.astype(np.int32), (1.0, 1.0))
        return image, None, {k: torch.from_numpy(v) for k, v in encoded.items()}


def make_trainer(name, ranks, kind=torch.float64, spoiled=None, seconds=None):
    chosen, options, batch, deep, recipe, batch_dice = CASES[name]
    task = make_task(chosen, options)
    torch.manual_seed(0)
    heads = {head.name: head.channels for head in task.heads}
    network = NETWORKS["plain_unet"](
        1,
        heads,
        deep,
        dim=2,
        features=[4, 4, 8, 8],  # so many that two levels of supervision count
        kernels=[[3, 3]] * 4,
        strides=[[1, 1], [2, 2], [2, 2], [2, 2]],
        convs_encoder=[1] * 4,
        convs_decoder=[1] * 3,
    )
    network.late = task.learns_points
    hardware = Exact(
        device=torch.device("cpu"),
        precision="fp32",
        channels_last=False,
        compile=False,
        threads=1,
        loader_threads=0,
        ranks=ranks,
        kind=kind,
    )
    criterion, whole = (Criterion(task, batch_dice, (1.0, 1.0)) for _ in range(2))
    criterion.divide(ranks)
    numbers = dataclasses.replace(
        RECIPES[recipe], iterations_per_epoch=6, validation_batches=3
    )
    return Trainer(
        network=hardware.place(network, 2),
        criterion=criterion,
        recipe=numbers,
        hardware=hardware,
        clock=Clock(None if seconds else ITERATIONS, seconds),
        loader=Made(task, batch, ranks, spoiled),
        validate=PatchScore(task, whole, hardware, Made(task, batch, ONE), 3),
    )


class Kept(Saver):
    """Counts how often it is asked to write, and writes nothing."""

    def __init__(self, seconds=1e9):
        super().__init__(Path(), dict, seconds)
        self.written = 0

    def write(self):
        self.written += 1


class Book(Logbook):
    """Keeps the log, and draws nothing: that would take longer than the training."""

    def draw(self):
        pass


def book(folder, name, ranks):
    (folder / f"{name}_{ranks.number}").mkdir()
    return Book(folder / f"{name}_{ranks.number}", kept=ranks.first)


def train(name, ranks, logbook, **options):
    """Train to the end; return weights, the trainer, and its log."""
    trainer = make_trainer(name, ranks, **options)
    trainer.fit(logbook, Kept(), lambda: None)
    weights = {k: v.clone() for k, v in trainer.network.state_dict().items()}
    return weights, trainer, logbook.entries


def equal_weights(ranks, folder):
    for name in CASES:
        weights, *_ = train(name, ranks, book(folder, name, ranks))
        torch.save(weights, folder / f"{name}_{ranks.number}.pt")
    weights, _, entries = train(
        "three", ranks, book(folder, "single", ranks), kind=torch.float32
    )
    torch.save(weights, folder / f"single_{ranks.number}.pt")
    return {"entries": entries}


def wishes(ranks, folder):
    """Stop since the second process is asked to; both do, after the same iteration."""
    trainer = make_trainer("four", ranks)
    saver = Kept()
    before = trainer._agree

    def asked(stopped, saver):
        return before(ranks.number == 1 and trainer.clock.iteration == 7, saver)

    trainer._agree = asked
    finished = trainer.fit(book(folder, "wish", ranks), saver, lambda: None)
    return {
        "finished": finished,
        "iteration": trainer.clock.iteration,
        "written": saver.written,
    }


def no_number(ranks, folder):
    """Train on a batch whose second sample, of the second process, is spoiled."""
    try:
        train("four", ranks, book(folder, "spoiled", ranks), spoiled=(3, 1))
    except TrainingError as error:
        return {"error": str(error)}
    return {}


def by_time(ranks, folder):
    """Train for a time that only the first process's clock decides about."""
    trainer = make_trainer("four", ranks, seconds=0.2)
    tick = trainer.clock.tick
    trainer.clock.tick = lambda seconds: tick(0.03 if ranks.first else 1e3)
    trainer.fit(book(folder, "time", ranks), Kept(), lambda: None)
    return {"iteration": trainer.clock.iteration, "used": trainer.clock.used}


def talk(ranks, folder):
    """Say things to each other."""
    network = torch.nn.Linear(2, 1)
    network.weight.grad = torch.full((1, 2), 1.0 + ranks.number)
    ranks.add(network.parameters())
    seen = ranks.spread({"tensor": torch.arange(3) + ranks.number, "text": "x"})
    return {
        "texts": ranks.texts(f"I am {ranks.number}"),
        "told": ranks.told(lambda: f"by {ranks.number}"),
        "sums": ranks.sums([1.0, ranks.number]),
        "whole": ranks.whole(torch.full((2 - ranks.number,), ranks.number)).tolist(),
        "gradient": network.weight.grad.tolist(),
        "none": network.bias.grad is None,
        "spread": seen["tensor"].tolist(),
        "share": ranks.of("abcde"),
    }


def validation(ranks, root):
    """Predict a fold's cases, first with one that cannot be read."""
    where = root / "raw" / "Toy", "3d_fullres", "all", root, "unet", Options()
    job = find_job(*where)
    image = root / "raw" / "Toy" / "imagesTr" / "case_01_0000.nii.gz"
    folder = job.folder / "validation"
    content = image.read_bytes()
    ranks.alone(lambda: image.write_bytes(b"nothing"))
    error = ""
    try:
        validate_fold(job, "cpu", ranks)
    except CaseErrors as found:
        error = str(found)
    ranks.texts("")
    before = sorted(path.name for path in folder.glob("*.nii.gz"))
    ranks.alone(lambda: image.write_bytes(content))
    predicted = []
    run = Pipeline.run
    Pipeline.run = lambda self, jobs, *given: (
        predicted.extend(one.case.id for one in jobs),
        run(self, jobs, *given),
    )
    validate_fold(job, "cpu", ranks)
    return {"error": error, "before": before, "predicted": predicted}


SCENES = (equal_weights, wishes, no_number, by_time, talk)


def main(folder, root):
    with joined("cpu") as ranks:
        for scene in (*SCENES, validation):
            found = scene(ranks, root if scene is validation else folder)
            path = folder / f"{scene.__name__}_{ranks.number}.json"
            path.write_text(json.dumps(found))
