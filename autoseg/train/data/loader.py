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
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from autoseg.augmentations.pipeline import Pipeline, Sample
from autoseg.errors import AutosegError, TrainingError
from autoseg.train.data.batch import Batch as Batch
from autoseg.train.data.sample import PointTarget, read_sample, target_of_points
from autoseg.train.data.sampler import Sampler

logger = logging.getLogger(__name__)

PATIENCE = 60.0  # seconds without a batch before a word is said


class _Doing:
    """What a thread is doing, for messages."""

    def __init__(self) -> None:
        self.what = "drawing"

    def __str__(self) -> str:
        return self.what


class _Augmented(NamedTuple):
    """Images and labels as a network sees them, and how long it took."""

    images: torch.Tensor
    labels: torch.Tensor | None
    seconds: float


@dataclass(frozen=True, kw_only=True)
class _Read:
    """What a thread has made of an iteration.

    Parameters
    ----------
    iteration : int
        Its number.
    samples : list of Sample
        The patches as they were read.
    cases : tuple of str
        Where they come from.
    seconds : float
        That reading took.
    targets : dict of str to Tensor, or None
        What the losses learn, by head; None: the labels.
    augmented : _Augmented or None
        None: that is still to be done.
    """

    iteration: int
    samples: list[Sample]
    cases: tuple[str, ...]
    seconds: float
    targets: dict[str, torch.Tensor] | None = None
    augmented: _Augmented | None = None


def _stacked(
    encode: Callable[..., dict[str, NDArray[Any]]],
    labels: torch.Tensor,
    samples: Sequence[Sample],
) -> dict[str, torch.Tensor]:
    """Return the targets (B, ...) of a batch of labels (B, *P), by head."""
    encoded = [
        encode(one) if sample.shares is None else encode(one, sample.shares)
        for one, sample in zip(labels.numpy(), samples, strict=True)
    ]
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
        head: what losses learn in place of the labels. Where labels stand for several
        objects that overlap, `Shares` are given after them.
    points : PointTarget, optional
        Where losses of points find their target.
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
        encode: Callable[..., dict[str, NDArray[Any]]] | None = None,
        points: PointTarget | None = None,
    ) -> None:
        self.sampler = sampler
        self.pipeline = pipeline
        self.device = device
        self.threads = threads
        self.ahead = ahead
        self.previous = previous
        self.encode = encode
        self.points = points
        self._doing: dict[int, _Doing] = {}  # by thread, for messages about a stall

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
                yield self._finish(self._prepare(iteration))
                iteration += 1
            return
        pool = ThreadPoolExecutor(
            self.threads,
            "autoseg-loader",
            initializer=torch.set_num_threads,
            initargs=(1,),
        )
        waiting: collections.deque[Future[_Read]] = collections.deque()
        try:
            iteration = first
            while True:
                while len(waiting) < self.ahead and (last is None or iteration < last):
                    waiting.append(pool.submit(self._prepare, iteration))
                    iteration += 1
                if not waiting:
                    return
                yield self._finish(self._wait(waiting.popleft()))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _wait(self, future: Future[_Read]) -> _Read:
        while True:
            try:
                return future.result(timeout=PATIENCE)
            except FutureTimeout:
                if future.done():
                    return future.result()
                doing = "; ".join(map(str, self._doing.values())) or "nothing"
                logger.warning(
                    "No batch for %.0f s. The loader's threads are: %s", PATIENCE, doing
                )

    def _prepare(self, iteration: int) -> _Read:
        """Read a batch and, on the CPU, augment it."""
        me = threading.get_ident()
        doing = _Doing()
        self._doing[me] = doing
        try:
            read = self._read(iteration, doing)
            if self.device.type != "cpu" and self.encode is None:
                return read
            return self._augmented(read, doing)
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

    def _read(self, iteration: int, doing: _Doing) -> _Read:
        """Read the patches of an iteration."""
        samples: list[Sample] = []
        points: list[torch.Tensor] = []
        cases: list[str] = []
        start = time.perf_counter()
        for number in self.sampler.samples:
            cases.append(self.sampler.case(iteration, number))
            doing.what = f"reading case {cases[-1]}"
            drawn = self.sampler.draw(iteration, number)
            stored = self.sampler.open_case(drawn.case)
            before = self.previous and self.previous(drawn.case)
            sample = read_sample(stored, drawn, self.sampler.patch_size, before)
            samples.append(self._pin(sample))
            if sample.points is not None and self.points is not None:
                status = stored.points.status
                points.append(
                    target_of_points(self.pipeline, sample, status, self.points.swapped)
                )
        targets = None
        if self.points is not None and points:
            targets = {self.points.head: torch.stack(points)}
        return _Read(
            iteration=iteration,
            samples=samples,
            cases=tuple(cases),
            seconds=time.perf_counter() - start,
            targets=targets,
        )

    def _augmented(self, read: _Read, doing: _Doing) -> _Read:
        """Augment the patches of an iteration on the CPU, and encode their labels."""
        start = time.perf_counter()
        doing.what = f"augmenting cases {', '.join(read.cases)}"
        images, labels = self.pipeline.apply(read.samples, torch.device("cpu"))
        doing.what = f"encoding cases {', '.join(read.cases)}"
        targets = read.targets
        if self.encode is not None and labels is not None:
            targets = _stacked(self.encode, labels, read.samples)
        augmented = _Augmented(images, labels, time.perf_counter() - start)
        return replace(read, targets=targets, augmented=augmented)

    def _pin(self, sample: Sample) -> Sample:
        if self.device.type != "cuda":
            return sample
        sample.image = sample.image.pin_memory()
        if sample.labels is not None:
            sample.labels = sample.labels.pin_memory()
        if sample.previous is not None:
            sample.previous = sample.previous.pin_memory()
        return sample

    def _finish(self, read: _Read) -> Batch:
        """Return the batch on the device that trains, augmented there if need be."""
        done = read.augmented
        if done is None:
            start = time.perf_counter()
            augmented = self.pipeline.apply(read.samples, self.device)
            done = _Augmented(*augmented, time.perf_counter() - start)
        targets = read.targets
        if targets is not None:
            targets = {
                head: target.to(self.device, non_blocking=True)
                for head, target in targets.items()
            }
        return Batch(
            images=done.images.to(self.device),
            labels=None if done.labels is None else done.labels.to(self.device),
            targets=targets,
            cases=read.cases,
            iteration=read.iteration,
            read_seconds=read.seconds,
            augment_seconds=done.seconds,
        )
