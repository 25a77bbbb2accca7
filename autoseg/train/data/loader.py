"""Batches, read and augmented by threads ahead of the trainer.

Legend: B batch, C channels, S stored spatial shape, P patch, D axes of the patch.
"""

from __future__ import annotations

import collections
import logging
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autoseg.augmentations.pipeline import Pipeline, Sample
from autoseg.errors import AutosegError, TrainingError
from autoseg.tasks.landmark import HEAD
from autoseg.train.data.sample import read_sample, target_of_points
from autoseg.train.data.sampler import Sampler

logger = logging.getLogger(__name__)

OPEN_CASES = 256  # stored cases kept open; each holds a few file handles
PATIENCE = 60.0  # seconds without a batch before a word is said


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What one iteration trains on.

    Parameters
    ----------
    images : Tensor of float32, shape (B, C, *P)
        Augmented, on the training device.
    labels : Tensor of int16 or int32, shape (B, *P), or None
        Inner labels, on the training device; None: the annotation is points.
    targets : dict of str to Tensor, or None
        What the losses learn, by head, on the training device; None: the labels.
    cases : tuple of str, length B
        Where the samples come from.
    iteration : int
        Number of the iteration.
    read_seconds, augment_seconds : float
        Time that threads spent on it.
    """

    images: torch.Tensor
    labels: torch.Tensor | None
    targets: dict[str, torch.Tensor] | None = None
    cases: tuple[str, ...]
    iteration: int
    read_seconds: float
    augment_seconds: float

    @property
    def learned(self) -> torch.Tensor | dict[str, torch.Tensor]:
        """What the criterion compares outputs with."""
        if self.targets is not None:
            return self.targets
        if self.labels is None:
            raise TrainingError("a batch has neither labels nor targets.")
        return self.labels


class OpenCases:
    """Stored cases by id, the last used ones kept open.

    Parameters
    ----------
    open_case : callable
        Opens one, such as `CaseStore.open`.
    limit : int
        How many are kept.
    """

    def __init__(
        self, open_case: Callable[[str], Any], limit: int = OPEN_CASES
    ) -> None:
        self._open = open_case
        self._limit = limit
        self._cases: collections.OrderedDict[str, Any] = collections.OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, case_id: str) -> Any:
        """Return the stored case of this id."""
        with self._lock:
            if case_id in self._cases:
                self._cases.move_to_end(case_id)
                return self._cases[case_id]
        case = self._open(case_id)
        with self._lock:
            self._cases[case_id] = case
            while len(self._cases) > self._limit:
                self._cases.popitem(last=False)
        return case


def _stacked(
    encode: Callable[[NDArray[Any]], dict[str, NDArray[Any]]], labels: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Return the targets (B, ...) of a batch of labels (B, *P), by head."""
    encoded = [encode(sample) for sample in labels.numpy()]
    return {
        head: torch.from_numpy(np.stack([one[head] for one in encoded]))
        for head in encoded[0]
    }


class Loader:
    """Iterate over batches in the order of iterations.

    Threads read and, on the CPU, augment. On a GPU, they read into pinned memory and
    augmentation is done there, for the batch at once, when it is asked for; unless
    targets have to be encoded, which threads do, on the CPU, after augmentation.

    Parameters
    ----------
    sampler : Sampler
        Draws the patches.
    pipeline : Pipeline
        Augments them.
    device : torch.device
        Where batches are needed.
    threads : int
        Number of threads; 0: all is done when a batch is asked for.
    ahead : int
        Batches prepared before they are asked for.
    previous : callable, optional
        In a cascade, gives the stored labels of the stage before for a case id.
    encode : callable, optional
        From the augmented labels of one sample, an array (*P), to the target of each
        head: what losses learn in place of the labels.
    swapped : sequence of int, optional
        Of landmarks, which each one is in a mirror.
    """

    def __init__(
        self,
        sampler: Sampler,
        pipeline: Pipeline,
        device: torch.device,
        *,
        threads: int,
        ahead: int = 3,
        previous: Callable[[str], Any] | None = None,
        encode: Callable[[NDArray[Any]], dict[str, NDArray[Any]]] | None = None,
        swapped: Sequence[int] = (),
    ) -> None:
        self.sampler = sampler
        self.pipeline = pipeline
        self.device = device
        self.threads = threads
        self.ahead = ahead
        self.previous = previous
        self.encode = encode
        self.swapped = swapped
        self._doing: dict[int, str] = {}  # by thread, for messages about a stall

    def batches(
        self, first: int, last: int | None = None
    ) -> Generator[Batch, None, None]:
        """Yield the batches of iterations ``first`` to ``last - 1``, or without end.

        Raises
        ------
        TrainingError
            If a case cannot be read or augmented; names the case and the stage.
        """
        if self.threads == 0:
            iteration = first
            while last is None or iteration < last:
                yield self._finish(*self._prepare(iteration))
                iteration += 1
            return
        pool = ThreadPoolExecutor(
            self.threads,
            "autoseg-loader",
            initializer=torch.set_num_threads,
            initargs=(1,),
        )
        waiting: collections.deque[Future[Any]] = collections.deque()
        try:
            iteration = first
            while True:
                while len(waiting) < self.ahead and (last is None or iteration < last):
                    waiting.append(pool.submit(self._prepare, iteration))
                    iteration += 1
                if not waiting:
                    return
                yield self._finish(*self._wait(waiting.popleft()))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _wait(self, future: Future[Any]) -> Any:
        while True:
            try:
                return future.result(timeout=PATIENCE)
            except FutureTimeout:
                if future.done():
                    return future.result()
                doing = "; ".join(self._doing.values()) or "nothing"
                logger.warning(
                    "No batch for %.0f s. The loader's threads are: %s", PATIENCE, doing
                )

    def _prepare(self, iteration: int) -> tuple[Any, ...]:
        """Read a batch and, on the CPU, augment it."""
        me = threading.get_ident()
        samples: list[Sample] = []
        points: list[torch.Tensor] = []
        cases: list[str] = []
        start = time.perf_counter()
        doing = "drawing"
        try:
            for number in range(self.sampler.batch_size):
                cases.append(self.sampler.case(iteration, number))
                doing = self._doing[me] = f"reading case {cases[-1]}"
                drawn = self.sampler.draw(iteration, number)
                stored = self.sampler.open_case(drawn.case)
                before = self.previous and self.previous(drawn.case)
                patch = self.sampler.patch_size
                sample = read_sample(stored, drawn, patch, before)
                samples.append(self._pin(sample))
                if sample.points is not None:
                    status = stored.points.status
                    points.append(
                        target_of_points(self.pipeline, sample, status, self.swapped)
                    )
            read = time.perf_counter() - start
            targets = {HEAD: torch.stack(points)} if points else None
            if self.device.type != "cpu" and self.encode is None:
                return iteration, samples, cases, read, None, targets
            doing = self._doing[me] = f"augmenting cases {', '.join(cases)}"
            images, labels = self.pipeline.apply(samples, torch.device("cpu"))
            doing = self._doing[me] = f"encoding cases {', '.join(cases)}"
            if self.encode is not None and labels is not None:
                targets = _stacked(self.encode, labels)
            spent = time.perf_counter() - start - read
            return iteration, samples, cases, read, ((images, labels), spent), targets
        except TrainingError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            if isinstance(error, AutosegError):  # says itself what is to be done
                reason = str(error)
            raise TrainingError(
                f"Training stopped while {doing} for iteration {iteration}: {reason}"
            ) from error
        finally:
            self._doing.pop(me, None)

    def _pin(self, sample: Sample) -> Sample:
        if self.device.type != "cuda":
            return sample
        sample.image = sample.image.pin_memory()
        if sample.labels is not None:
            sample.labels = sample.labels.pin_memory()
        if sample.previous is not None:
            sample.previous = sample.previous.pin_memory()
        return sample

    def _finish(
        self,
        iteration: int,
        samples: Sequence[Sample],
        cases: Sequence[str],
        read: float,
        done: tuple[Any, float] | None,
        targets: dict[str, torch.Tensor] | None,
    ) -> Batch:
        if done is None:
            start = time.perf_counter()
            augmented = self.pipeline.apply(samples, self.device)
            done = augmented, time.perf_counter() - start
        (images, labels), spent = done
        if targets is not None:
            targets = {
                head: target.to(self.device, non_blocking=True)
                for head, target in targets.items()
            }
        return Batch(
            images=images.to(self.device),
            labels=None if labels is None else labels.to(self.device),
            targets=targets,
            cases=tuple(cases),
            iteration=iteration,
            read_seconds=read,
            augment_seconds=spent,
        )
