"""The loop: it learns, it goes on exactly, and it stops with a reason."""

import dataclasses
import math

import pytest
import torch

from autoseg.errors import TrainingError
from autoseg.train.assemble import make_trainer
from autoseg.train.begin import new_run
from autoseg.train.loop.checkpoint import Saver
from autoseg.train.loop.logbook import Logbook
from autoseg.train.loop.muon import Muon
from autoseg.train.loop.optimizer import make_optimizer
from autoseg.train.setup.hardware import choose_hardware
from autoseg.train.setup.job import find_job
from autoseg.train.setup.options import Options
from autoseg.train.setup.recipes import RECIPES

CPU = choose_hardware("cpu", precision="fp32", threads=1, loader_threads=1)


@pytest.fixture
def make(prepared, tmp_path):
    """Return a function that makes a trainer of the toy data."""

    def build(hardware=CPU, **options):
        options = {"iterations": 30, "recipe": "fast", **options}
        asked = Options(device="cpu", **options)
        job = find_job(prepared.dataset, "3d_fullres", 0, prepared.root, "unet", asked)
        return make_trainer(job, new_run(job, asked, hardware), hardware)

    return build


class Never(Saver):
    """Writes no checkpoint."""

    def __init__(self, folder):
        super().__init__(folder, dict, 1e9)


def fit(trainer, folder):
    return trainer.fit(Logbook(folder), Never(folder), lambda: None)


def test_it_learns_what_is_easy(make, tmp_path):
    settings = {"train.augmentation": "none"}
    trainer = make(iterations=120, lr=0.03, settings=settings)
    logbook = Logbook(tmp_path)

    finished = trainer.fit(logbook, Never(tmp_path), lambda: None)

    losses = [entry["loss"] for entry in logbook.entries]
    assert finished and trainer.clock.iteration == 120
    assert losses[0] > losses[-1] and logbook.entries[-1]["score"] > 0.8


def weights(trainer):
    return {k: v.clone() for k, v in trainer.network.state_dict().items()}


def test_equal_seeds_give_equal_weights_and_others_do_not(make, tmp_path):
    runs = [make(seed=seed, iterations=6) for seed in (0, 0, 1)]
    for trainer in runs:
        fit(trainer, tmp_path)

    first, second, third = (weights(trainer) for trainer in runs)

    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], third[name]) for name in first)


@pytest.mark.parametrize("recipe", ["fast", "nnunet", "adamw"])
def test_going_on_from_a_state_is_exact(make, tmp_path, recipe):
    # The rise of adamw ends after it is stopped: at 6.4 of 8 iterations.
    settings = {"train.warmup": 0.8, "train.gradient_clip": 0.1}
    whole = make(recipe=recipe, iterations=8, settings=settings)
    fit(whole, tmp_path)
    first = make(recipe=recipe, iterations=8, settings=settings)
    batches = first.loader.batches(0, 5)
    for _ in range(5):
        first._iterate(batches)
    state = first.state()
    second = make(recipe=recipe, iterations=8, seed=0, settings=settings)
    torch.manual_seed(99)  # what came before must not matter

    second.load(state)
    fit(second, tmp_path)

    ends = weights(whole), weights(second)
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_the_gradient_is_clipped_to_the_recipes_norm(make):
    trainer = make(settings={"train.gradient_clip": 1e-3})
    trainer.step(next(trainer.loader.batches(0, 1)))

    # The coarsest output has no weight in the loss, so no gradient either.
    gradients = [p.grad for p in trainer.network.parameters() if p.grad is not None]
    squares = [gradient.square().sum() for gradient in gradients]

    assert math.sqrt(sum(squares)) == pytest.approx(1e-3, rel=1e-3)


def spoiled(batch, value):
    images = batch.images.clone()
    images[1, 0, 0, 0, 0] = value
    return dataclasses.replace(batch, images=images, cases=("good", "bad"))


def test_a_loss_that_is_no_number_names_the_case_whose_image_is_bad(make):
    trainer = make()
    before = weights(trainer)
    batch = spoiled(next(trainer.loader.batches(0, 1)), math.nan)

    with pytest.raises(TrainingError, match="images of bad hold values that are no"):
        trainer.step(batch)

    assert all(torch.equal(before[k], v) for k, v in weights(trainer).items())


def test_a_loss_that_is_no_number_though_the_images_are_fine_says_so(make):
    trainer = make()
    with torch.no_grad():
        next(trainer.network.parameters()).fill_(math.nan)
    batch = dataclasses.replace(next(trainer.loader.batches(0, 1)), cases=("p", "q"))

    with pytest.raises(TrainingError, match="case p, q.*The images are fine") as error:
        trainer.step(batch)

    assert "lower --lr" in str(error.value)


def test_losses_that_are_looked_at_later_still_name_their_own_cases(make):
    trainer = make()
    trainer.hardware = dataclasses.replace(CPU, device=torch.device("meta"))
    for number, loss in enumerate((1.0, math.inf, 2.0)):
        seen = type("Seen", (), {})()
        seen.iteration, seen.cases = number, (f"case{number}",)
        seen.loss = torch.tensor(loss)
        trainer._unseen.append(seen)

    with pytest.raises(TrainingError, match="iteration 1 is inf.*case case1"):
        trainer.look()


def test_the_best_weights_are_those_of_the_best_average(make):
    trainer = make()
    scores = iter([0.5, 0.9, 0.1, 1.0])
    trainer.validate = lambda network: {"score": next(scores)}
    kept = []

    for number in range(4):
        trainer._validation(lambda number=number: kept.append(number))

    # 0.5, 0.9 * 0.5 + 0.1 * 0.9 = 0.54, 0.9 * 0.54 + 0.01 = 0.496, 0.5464
    assert kept == [0, 1, 3]
    assert trainer.best == pytest.approx(0.5464)


def test_validation_changes_nothing_in_training(make, tmp_path):
    often = make(iterations=6, settings={"train.iterations_per_epoch": 2})
    never = make(
        iterations=6,
        settings={"train.iterations_per_epoch": 2, "train.validation_batches": 0},
    )
    for trainer in (often, never):
        fit(trainer, tmp_path)

    first, second = weights(often), weights(never)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_slow_loader_is_mentioned_once(make, tmp_path, caplog):
    trainer = make()
    trainer.clock.iteration = 1000

    trainer._warn_of_slow_loader(0.8)
    trainer._warn_of_slow_loader(0.9)

    assert caplog.text.count("waits for its data") == 1
    assert "80 %" in caplog.text


def test_optimizers_have_the_recipes_numbers():
    network = torch.nn.Linear(2, 2)

    sgd = make_optimizer(RECIPES["nnunet"], network)
    muon = make_optimizer(RECIPES["fast"], network)
    by_hand = dataclasses.replace(RECIPES["fast"], optimizer="adamw", momentum=0.9)
    adamw = make_optimizer(by_hand, network)

    assert isinstance(sgd, torch.optim.SGD) and sgd.defaults["nesterov"]
    assert (sgd.defaults["momentum"], sgd.defaults["weight_decay"]) == (0.99, 3e-5)
    assert isinstance(muon, Muon) and muon.defaults["momentum"] == 0.95
    assert isinstance(adamw, torch.optim.AdamW)
    assert adamw.defaults["betas"] == (0.9, RECIPES["fast"].second_momentum)


@pytest.mark.parametrize(
    ("name", "theirs"), [("nnunet", torch.optim.SGD), ("adamw", torch.optim.AdamW)]
)
def test_steps_are_those_of_torchs_own_optimizer(name, theirs):
    torch.manual_seed(0)
    weights = torch.randn(3, 2)
    one, other = (torch.nn.Linear(2, 3) for _ in range(2))
    ours = make_optimizer(RECIPES[name], one)
    options = {key: ours.defaults[key] for key in ("lr", "weight_decay")}
    if name == "nnunet":
        options |= {key: ours.defaults[key] for key in ("momentum", "nesterov")}
    else:
        options["betas"] = ours.defaults["betas"]
    own = theirs(other.parameters(), **options)

    for network, optimizer in ((one, ours), (other, own)):
        with torch.no_grad():
            network.weight.copy_(weights)
            network.bias.zero_()
        for number in range(3):
            optimizer.zero_grad()
            (network(weights[number]) - 1).pow(2).sum().backward()
            optimizer.step()

    assert torch.equal(one.weight, other.weight) and torch.equal(one.bias, other.bias)
    assert not torch.equal(one.weight, weights)
