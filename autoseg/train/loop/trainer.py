"""The training loop, for every task, network and recipe.

Legend: B batch, C channels, K classes, P patch.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from autoseg.errors import TrainingError
from autoseg.progress import Progress
from autoseg.train.data.batch import Batch
from autoseg.train.loop.checkpoint import Saver
from autoseg.train.loop.early import EarlyEnd
from autoseg.train.loop.gradients import Gradients
from autoseg.train.loop.interrupt import stop_requests
from autoseg.train.loop.logbook import Logbook, Meter, in_a_line, memory_of, waits
from autoseg.train.loop.not_finite import Seen, not_finite
from autoseg.train.loop.optimizer import load_optimizer, make_optimizer, set_rates
from autoseg.train.loop.schedule import Clock
from autoseg.train.loop.taught import Batches, Judge
from autoseg.train.setup.hardware import Hardware, try_compile
from autoseg.train.setup.recipes import Recipe

logger = logging.getLogger(__name__)

LOG_EVERY = 50  # iterations between two lines of the log
LOOK_SECONDS = 1.0  # a GPU's losses are looked at no more often: looking waits for it
LOOK_ITERATIONS = 100  # ... and at least this often
REHEARSAL = 0.6  # of a time budget: then it is looked how long validation will take
PATIENCE = 5.0  # seconds in which several processes may get one wish to stop twice


@dataclass(frozen=True)
class _Agreed:
    """What all processes do after an iteration."""

    stop: bool  # since somebody was asked to
    look: bool  # at losses
    save: bool  # a checkpoint is due


class Trainer:
    """Train one network, from where a checkpoint left it to the end.

    Parameters
    ----------
    network : Module
        On its device; gives a mapping of heads to logits.
    criterion : Judge
        Gives the loss.
    recipe : Recipe
        Numbers of the optimizer and the schedule.
    hardware : Hardware
        Precision and layout.
    clock : Clock
        Length of the training.
    loader : Batches
        Gives batches.
    validate : callable
        Called with the network at the end of an epoch; gives numbers for the log.
    """

    def __init__(
        self,
        *,
        network: nn.Module,
        criterion: Judge,
        recipe: Recipe,
        hardware: Hardware,
        clock: Clock,
        loader: Batches,
        validate: Callable[[nn.Module], dict[str, Any]],
    ) -> None:
        self.network = network
        self.criterion = criterion
        self.recipe = recipe
        self.hardware = hardware
        self.clock = clock
        self.loader = loader
        self.validate = validate
        self.optimizer = make_optimizer(recipe, network)
        self.scaler = hardware.scaler()
        self.ranks = hardware.ranks
        samples = len(loader.sampler.samples)
        self.gradients = Gradients(network, criterion, hardware, samples)
        self.meter = Meter()
        self.average: float | None = None  # of the validation score, moving
        self.best: float | None = None
        self.early = EarlyEnd(recipe.patience)
        self.rehearse: Callable[[], float | None] | None = None
        self._unseen: list[Seen] = []
        self._looked = -float("inf")
        self._last_loss = float("nan")
        self._warned = False

    def compile(self, example: Batch) -> str | None:
        """Compile the network if that works; return why it did not."""

        def once(network: nn.Module) -> None:
            self.gradients.network = network
            self.gradients(example.images, example.learned, self.scaler)
            self.optimizer.zero_grad(set_to_none=True)

        parts, self.gradients.parts = self.gradients.parts, 1
        # Where it fails here, the others cannot know.
        self.gradients.ranks = self.ranks.silent
        self.criterion.divide(self.ranks.silent)
        self.gradients.network, reason = try_compile(self.network, once)
        self.gradients.ranks = self.ranks
        self.criterion.divide(self.ranks)
        if reason is not None:
            self.gradients.parts = parts
        return reason

    def step(self, batch: Batch) -> Tensor:
        """Do one step of the optimizer; return the loss, still on its device.

        Raises
        ------
        TrainingError
            If the loss is not finite; on a GPU, this is seen some iterations later.
        """
        set_rates(self.optimizer, self.recipe, self.clock.scheduled)
        loss = self.gradients(batch.images, batch.learned, self.scaler)
        self._unseen.append(Seen(batch.iteration, batch.cases, loss))
        if self.hardware.device.type == "cpu":
            self.look(batch)  # before a loss that is no number spoils the weights
        if self.recipe.gradient_clip:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(
                self.network.parameters(), self.recipe.gradient_clip
            )
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss

    def look(self, batch: Batch | None = None) -> None:
        """Read the losses that were not read yet; raise if one is no number."""
        if not self._unseen:
            return
        values = torch.stack([seen.loss for seen in self._unseen]).float().tolist()
        unseen, self._unseen = self._unseen, []
        self._looked = time.perf_counter()
        for seen, value in zip(unseen, values, strict=True):
            if value != value or value in (float("inf"), -float("inf")):
                # The same number in all processes, so all of them are here.
                raise TrainingError(not_finite(seen, value, batch, self.hardware))
            self.meter.add_loss(value)
            self._last_loss = value

    def fit(self, logbook: Logbook, saver: Saver, best: Callable[[], None]) -> bool:
        """Train to the end.

        Parameters
        ----------
        logbook : Logbook
            Written to now and then.
        saver : Saver
            Writes checkpoints.
        best : callable
            Keeps the present weights as the best; called after a validation.

        Returns
        -------
        bool
            False if the training was stopped by Ctrl-C or SIGTERM before its end;
            `early` says whether that came early.
        """
        self.network.train()
        timed = self.clock.iterations is None
        total = self.clock.iterations or 1000
        done = self._position()
        batches = self.loader.batches(self.clock.iteration, self.clock.iterations)
        with (
            Progress(total - done, "train", percent=timed) as bar,
            stop_requests(PATIENCE if self.ranks.count > 1 else 0.0) as stopped,
            self.hardware.thread_limit(),
        ):
            try:
                while not (self.clock.finished or self.early.reached):
                    self._iterate(batches)
                    agreed = self._agree(stopped.is_set(), saver)
                    if agreed.look:
                        self.look()
                    position = self._position()
                    bar.step(self._words(), position - done)
                    done = position
                    self._look_up(logbook, best)
                    if agreed.stop or agreed.save:
                        self._save(saver)
                    if agreed.stop:
                        return False
                    self._rehearse()
            finally:
                batches.close()
                self.gradients.close()
        return True

    def _rehearse(self) -> None:
        """Find out once how long what follows takes, and train the longer or less."""
        late = self.clock.seconds is not None and self.clock.progress >= REHEARSAL
        over = self.clock.finished or self.early.reached
        if self.rehearse is None or not late or over:
            return
        rehearse, self.rehearse = self.rehearse, None
        start = time.perf_counter()
        seconds = rehearse()
        self.network.train()
        self.clock.used += time.perf_counter() - start  # once: no pace to expect again
        if seconds is not None:
            self.clock.seconds = max(self.clock.used, seconds)

    def _position(self) -> int:
        """Return where the bar stands: iterations, or thousandths of a time budget."""
        if self.clock.iterations is None:
            return int(self.clock.progress * 1000)
        return self.clock.iteration

    def _iterate(self, batches: Iterator[Batch]) -> None:
        start = time.perf_counter()
        batch = next(batches)
        waited = time.perf_counter() - start
        self.step(batch)
        seconds = time.perf_counter() - start
        self.meter.add(
            seconds=seconds,
            waiting=waited,
            reading=batch.read_seconds,
            augmenting=batch.augment_seconds,
        )
        self.clock.tick(seconds)

    def _agree(self, stopped: bool, saver: Saver) -> _Agreed:
        """Return what is done next; the first process says so, and how late it is."""
        late = time.perf_counter() - self._looked > LOOK_SECONDS
        look = late or len(self._unseen) >= LOOK_ITERATIONS
        if self.ranks.count == 1:
            return _Agreed(stopped, look, saver.is_due())
        mine = [float(look), float(saver.is_due()), *self.clock.numbers()]
        if not self.ranks.first:
            mine = [0.0] * len(mine)
        wishes, look_now, save, *clock = self.ranks.sums([float(stopped), *mine])
        self.clock.set(clock)
        return _Agreed(wishes > 0, look_now > 0, save > 0)

    def _save(self, saver: Saver) -> None:
        start = time.perf_counter()
        self.look()
        if self.ranks.first:
            saver.write()
        self.clock.spend(time.perf_counter() - start)

    def _look_up(self, logbook: Logbook, best: Callable[[], None]) -> None:
        """Write to the log where it is time to, with a validation after an epoch."""
        iteration = self.clock.iteration
        epoch_ends = iteration % self.recipe.iterations_per_epoch == 0
        if not (epoch_ends or iteration % LOG_EVERY == 0 or self.clock.finished):
            return
        self.look()
        start = time.perf_counter()
        entry: dict[str, Any] = {
            "iteration": iteration,
            "epoch": iteration // self.recipe.iterations_per_epoch,
            "progress": round(self.clock.progress, 6),
            "seconds": round(self.clock.used, 3),
            "learning_rate": float(self.optimizer.param_groups[0]["lr"]),
            **self.meter.summary(),
            "memory_bytes": memory_of(self.hardware.device),
        }
        self._warn_of_slow_loader(entry["waiting_for_loader"])
        self.meter.clear()
        if epoch_ends or self.clock.finished:
            entry |= self._validation(best)
        if self.ranks.first:
            logbook.add(entry)
            if epoch_ends or self.clock.finished:
                logger.info("%s", in_a_line(entry, self.criterion.lowest))
        self.clock.spend(time.perf_counter() - start)

    def _validation(self, best: Callable[[], None]) -> dict[str, Any]:
        self.network.eval()
        with torch.no_grad():
            numbers = self.validate(self.network)
        self.network.train()
        score = numbers.get("score")
        if score is None:
            return numbers
        # A moving average, since a few patches tell little: nnU-Net's 0.9 and 0.1.
        before = self.average
        self.average = score if before is None else 0.9 * before + 0.1 * score
        numbers["average_score"] = self.average
        better = self.best is None or self.average > self.best
        if better:
            self.best = self.average
            if self.ranks.first:
                best()
        epoch = self.clock.iteration // self.recipe.iterations_per_epoch
        self.early.look(epoch, self.clock.progress, better)
        return numbers

    def _warn_of_slow_loader(self, share: float) -> None:
        if not self._warned and self.clock.iteration > LOG_EVERY:
            self._warned = waits(share)

    def _words(self) -> str:
        words = f"step {self.clock.iteration}"
        if self._last_loss == self._last_loss:
            words += f", loss {self._last_loss - self.criterion.lowest:.3f}"
        return words

    def state(self) -> dict[str, Any]:
        """Return everything that the iterations to come depend on."""
        self.look()
        return {
            "weights": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "clock": self.clock.state(),
            "meter": dict(self.meter.sums),
            "average": self.average,
            "best": self.best,
            "early": self.early.state(),
            "random": torch.get_rng_state(),  # dropout draws from it
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.network.load_state_dict(state["weights"])
        load_optimizer(self.optimizer, self.network, state["optimizer"], self.recipe)
        if state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        self.clock.load(state["clock"])
        self.meter.sums.update(state["meter"])
        self.average, self.best = state["average"], state["best"]
        if "early" in state:  # not in checkpoints of versions before
            self.early.load(state["early"])
        torch.set_rng_state(state["random"])
