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

from autoseg.augmentations._pipeline import Pipeline, Sample
from autoseg.errors import AutosegError, TrainingError
from autoseg.tasks.semantic import OUTSIDE
from autoseg.train.sampler import Drawn, Sampler

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
    labels : Tensor of int16 or int32, shape (B, *P)
        Inner labels, on the training device.
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
    labels: torch.Tensor
    targets: dict[str, torch.Tensor] | None = None
    cases: tuple[str, ...]
    iteration: int
    read_seconds: float
    augment_seconds: float

    @property
    def learned(self) -> torch.Tensor | dict[str, torch.Tensor]:
        """What the criterion compares outputs with."""
        return self.labels if self.targets is None else self.targets


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


def read_box(
    array: Any, corner: Sequence[int], size: Sequence[int], fill: float
) -> NDArray[Any]:
    """Read a box of a stored array, filled where it hangs over.

    Parameters
    ----------
    array : array, shape (..., *S)
        blosc2 array; its last axes are cut. Only what lies inside is read.
    corner : sequence of int, length D
        Lowest index of the box along the last D axes; may be negative.
    size : sequence of int, length D
        Shape of the box.
    fill : float
        Value outside of the array.

    Returns
    -------
    ndarray, shape (..., *size)
        Of the array's dtype.
    """
    dim = len(size)
    lead = tuple(array.shape[: len(array.shape) - dim])
    inside, target = [], []
    for low, length, extent in zip(corner, size, array.shape[-dim:], strict=True):
        first, last = max(0, low), min(int(extent), low + length)
        last = max(first, last)
        inside.append(slice(first, last))
        target.append(slice(first - low, last - low))
    whole = all(t == slice(0, n) for t, n in zip(target, size, strict=True))
    index = (*(slice(None),) * len(lead), *inside)
    if whole:
        return np.asarray(array[index])
    box = np.full((*lead, *size), fill, dtype=array.dtype)
    if all(part.stop > part.start for part in inside):
        box[(*(slice(None),) * len(lead), *target)] = array[index]
    return box


def read_sample(
    stored: Any, drawn: Drawn, patch_size: Sequence[int], previous: Any = None
) -> Sample:
    """Read what a drawn patch needs, and no voxel more.

    Parameters
    ----------
    stored : StoredCase
        ``image`` (C, *S) and ``annotation`` (*S).
    drawn : Drawn
        The patch.
    patch_size : sequence of int, length D
        Its shape.
    previous : StoredCase, optional
        In a cascade, the labels of the stage before as ``annotation`` (*S).

    Returns
    -------
    Sample
        Image float32 (C, *source) and labels int16 or, where ids are larger, int32
        (*source), with the draw.
    """
    source = tuple(drawn.augmentation.source_shape)
    corner = [
        low - (wide - patch) // 2
        for low, wide, patch in zip(drawn.corner, source, patch_size, strict=True)
    ]
    if drawn.plane is not None:  # one slice of a volume: a box one voxel thick
        corner, source = [drawn.plane, *corner], (1, *source)
    image = read_box(stored.image, corner, source, 0)
    labels = read_box(stored.annotation, corner, source, OUTSIDE)
    before = None
    if previous is not None:
        before = read_box(previous.annotation, corner, source, 0)
    if drawn.plane is not None:
        image, labels = image[:, 0], labels[0]
        before = None if before is None else before[0]
    return Sample(
        image=torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32)),
        labels=_integers(labels),
        draw=drawn.augmentation,
        previous=None if before is None else _integers(before),
    )


def _integers(labels: NDArray[Any]) -> torch.Tensor:
    kind = np.int16 if np.can_cast(labels.dtype, np.int16) else np.int32
    return torch.from_numpy(np.ascontiguousarray(labels, dtype=kind))


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
    ) -> None:
        self.sampler = sampler
        self.pipeline = pipeline
        self.device = device
        self.threads = threads
        self.ahead = ahead
        self.previous = previous
        self.encode = encode
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
            read = time.perf_counter() - start
            if self.device.type != "cpu" and self.encode is None:
                return iteration, samples, cases, read, None
            doing = self._doing[me] = f"augmenting cases {', '.join(cases)}"
            images, labels = self.pipeline.apply(samples, torch.device("cpu"))
            doing = self._doing[me] = f"encoding cases {', '.join(cases)}"
            targets = None if self.encode is None else _stacked(self.encode, labels)
            spent = time.perf_counter() - start - read
            return iteration, samples, cases, read, ((images, labels, targets), spent)
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
    ) -> Batch:
        if done is None:
            start = time.perf_counter()
            augmented = (*self.pipeline.apply(samples, self.device), None)
            done = augmented, time.perf_counter() - start
        (images, labels, targets), spent = done
        if targets is not None:
            targets = {
                head: target.to(self.device, non_blocking=True)
                for head, target in targets.items()
            }
        return Batch(
            images=images.to(self.device),
            labels=labels.to(self.device),
            targets=targets,
            cases=tuple(cases),
            iteration=iteration,
            read_seconds=read,
            augment_seconds=spent,
        )
