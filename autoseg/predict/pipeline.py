"""Read the next case, predict this one and write the last at the same time.

Reading and writing happen in threads, prediction in the calling one. No more is read
ahead than fits in memory. A case that fails costs no other.
"""

from __future__ import annotations

import functools
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autoseg.datasets.points import read_points, write_points
from autoseg.errors import AutosegError, CaseErrors, FormatError, UsageError
from autoseg.formats.base import find_format
from autoseg.formats.names import ENDING as SEGMENTS
from autoseg.formats.names import name_segments
from autoseg.instancefiles.files import write_instance_files
from autoseg.model.model import Model
from autoseg.parallel import MemoryBudget, Share, loaded_bytes
from autoseg.predict.cases import Job, expected_files
from autoseg.predict.drift import unlike_training
from autoseg.predict.inputs import read_files
from autoseg.predict.percent import Percent
from autoseg.predict.predictor import Predictor
from autoseg.predict.readouts.kept import KeptOutputs
from autoseg.predict.readouts.labels import Sink
from autoseg.predict.readouts.probabilities import open_sink
from autoseg.predict.readouts.uncertainty import Doubt, Qualities, mean_score
from autoseg.predict.written import Written
from autoseg.preprocess.case import Prepared
from autoseg.spec.image import Geometry, Image
from autoseg.spec.instances import Instances
from autoseg.spec.points import Points

logger = logging.getLogger(__name__)

WORKING_SHARE = 3  # of an image's bytes: as read, as copied, as resampled


@dataclass(kw_only=True)
class _Case:
    """A case between reading and writing.

    Either ``prepared`` is there, or ``image``: of a cascade, whose first stage has to
    be predicted before the image can be prepared for the second, and of several models,
    which prepare it in their own ways. ``points`` are those of a coarse stage, if they
    are in a file.
    """

    job: Job
    geometry: Geometry
    prepared: Prepared | None = None
    image: Image | None = None
    points: Points | None = None
    share: Share | None = None  # of the memory
    held: ExitStack = field(default_factory=ExitStack)  # gives the share back
    noted: ExitStack = field(default_factory=ExitStack)  # notes what was written
    labels: NDArray[Any] | Instances | Points | None = None
    doubt: Doubt | None = None


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """What is done to each case.

    Parameters
    ----------
    predictor : Predictor
        Predicts.
    previous : Path, optional
        In a cascade, the folder with the predictions of the stage before.
    probabilities : str, optional
        Kind of the files that activated outputs are written to.
    kept : KeptOutputs, optional
        Where activated outputs of instances go in place of predictions.
    show : bool
        Show progress.
    instance_files : collection of str
        Files of instances to write beside the table; see
        `autoseg.instancefiles.files.KINDS`.
    qualities : Qualities, optional
        If the predictor sees uncertainty: where the number of each case goes.
    doubt_images : bool
        Also write an image of it, ``uncertainty/CASE.EXT`` beside the prediction.
    written : Written, optional
        Which files are noted as autoseg's, in a folder of the user.
    """

    predictor: Predictor
    previous: Path | None = None
    probabilities: str | None = None
    kept: KeptOutputs | None = None
    show: bool = True
    instance_files: Collection[str] = ()
    qualities: Qualities | None = None
    doubt_images: bool = False
    written: Written | None = None

    def run(self, jobs: Sequence[Job], readers: int = 1, writers: int = 1) -> None:
        """Predict all cases and write them.

        Parameters
        ----------
        jobs : sequence of Job
            The cases.
        readers, writers : int
            Threads; with 0 of both, one case is done after the other.

        Raises
        ------
        CaseErrors
            At the end, if some cases failed; the others are written.
        """
        failures: dict[str, Exception] = {}
        budget = MemoryBudget(self.predictor.memory_left)
        alone = len(jobs) == 1 or readers + writers == 0
        torch.get_num_threads()  # from here on threads may have a number of their own
        reading = _ahead(
            lambda job: self.read(job, budget), jobs, 0 if alone else max(1, readers)
        )
        writing = _Writers(0 if alone else max(1, writers), failures)
        with Percent(jobs, self.show) as percent, writing:
            for job, case in reading:
                percent.begin(job)
                if isinstance(case, _Case):
                    try:
                        if self.written is not None:
                            case.noted.enter_context(self.written.noting(job))
                        self.segment(case, percent.show)
                        writing.submit(job, functools.partial(self.write, case))
                    except Exception as error:
                        case.held.close()
                        case.noted.close()
                        failures[job.case.id] = _explain(error, job)
                else:
                    failures[job.case.id] = case
                del case
                percent.end()
        if failures:
            raise CaseErrors("predict", failures, len(jobs) - len(failures))

    def read(self, job: Job, budget: MemoryBudget) -> _Case:
        """Read and prepare a case, once there is memory for it."""
        model = self.predictor.model
        with ExitStack() as held:
            size = WORKING_SHARE * loaded_bytes(job.case.images)
            share = held.enter_context(budget.take(size))
            try:
                image = read_files(job.case.images, model, lazily=True)
                case = _Case(job=job, geometry=image.geometry, share=share)
                for difference in unlike_training(image, model):
                    logger.warning("%s: %s", job.case.id, difference)
                if self.predictor.is_joint or (
                    model.settings.previous is not None
                    and (self.previous is None or self.predictor.is_fine)
                ):
                    case.image = image
                    if self.previous is not None and self.predictor.is_fine:
                        file = self._previous_file(job)
                        case.points, _ = read_points(
                            file, model.describe(), image.geometry
                        )
                    share.correct(image.array.nbytes)
                else:
                    previous = self._previous_labels(job)
                    case.prepared = self.predictor.prepare(
                        image, previous, overwrite=True
                    )
                    share.correct(case.prepared.array.nbytes)
            except Exception as error:
                raise _explain(error, job, model) from error
            case.held = held.pop_all()
            return case

    def _previous_file(self, job: Job) -> Path:
        file = (self.previous or Path()) / job.output.name
        if not file.is_file():
            raise UsageError(
                f"{file} is missing: what the stage before predicted for this case."
            )
        return file

    def _previous_labels(self, job: Job) -> NDArray[Any] | None:
        if self.previous is None:
            return None
        file = self._previous_file(job)
        dataset = self.predictor.model.describe()
        labels, _ = find_format(file, dataset.format).read_labels(
            file, spacing=dataset.spacing, unit=dataset.unit
        )
        return labels

    def segment(self, case: _Case, show: Callable[[int, int], None]) -> None:
        """Predict a case; its image is let go of."""
        prepared, image = case.prepared, case.image
        case.prepared = case.image = None
        if prepared is not None and case.share is not None:
            # So that no more is read ahead than fits beside.
            work = self.predictor.working_bytes(prepared.array.shape[1:])
            case.share.correct(prepared.array.nbytes + work)
        with ExitStack() as stack:
            sink: Sink | None = None
            if self.kept is not None:
                sink = stack.enter_context(self.kept.sink(case.job.case.id))
            elif self.probabilities is not None:
                path = case.job.probabilities(self.probabilities)
                sink = stack.enter_context(
                    open_sink(path, self.probabilities, self.predictor.task)
                )
            several = self.qualities is not None and self._is_pointwise
            doubt = case.doubt = Doubt() if several else None
            predictor = self.predictor
            if prepared is not None:
                case.labels = predictor.predict_prepared(prepared, show, sink, doubt)
            elif image is not None:
                case.labels = predictor.predict_image(
                    image, case.points, show, sink, doubt
                )
        if case.share is not None and case.labels is not None:
            case.share.correct(np.asarray(case.labels).nbytes)

    def write_decoded(self, job: Job, instances: Instances, geometry: Geometry) -> None:
        """Write a prediction of outputs that were kept."""
        self.write(_Case(job=job, geometry=geometry, labels=instances))

    def write(self, case: _Case) -> None:
        """Write a prediction, and give back the case's share of the memory."""
        with case.held, case.noted:
            path = case.job.output
            labels = case.labels
            if labels is None:  # outputs were kept in its place
                return
            if self.qualities is not None and isinstance(labels, Points | Instances):
                self.qualities.add(case.job.case.id, mean_score(labels))
            if isinstance(labels, Points):
                write_points(path, labels, case.geometry)
                return
            if isinstance(labels, Instances):
                self._write_files(case.job, labels)
                ids = self.predictor.task.write(labels)
                del labels
                self._write_ids(case.job, ids, case.geometry)
                return
            format = find_format(path, self.predictor.model.describe().format)
            if self.qualities is not None and case.doubt is not None:
                if self.doubt_images:
                    image = doubt_file(case.job, format.probabilities_ending)
                    image.parent.mkdir(parents=True, exist_ok=True)
                    format.write_image(image, case.doubt.map, case.geometry)
                self.qualities.add(case.job.case.id, case.doubt.quality)
            format.write_labels(path, np.asarray(labels), case.geometry)
            names = self.predictor.task.value_names
            if names and path.name.lower().endswith(SEGMENTS):
                name_segments(path, names)

    @property
    def _is_pointwise(self) -> bool:
        return self.predictor.task.pointwise is not None

    def _write_ids(self, job: Job, ids: NDArray[Any], geometry: Geometry) -> None:
        """Write a map of ids; as TIFF if files of training have no place for them."""
        name = self.predictor.model.describe().format
        try:
            find_format(job.output, name).write_labels(job.output, ids, geometry)
        except FormatError as error:
            if job.spare is None:
                raise
            logger.warning("%s It is written to %s.", error, job.spare)
            find_format(job.spare, name).write_labels(job.spare, ids, geometry)
            job.output.unlink(missing_ok=True)  # of a run before: one has to count

    def _write_files(self, job: Job, instances: Instances) -> None:
        """Write what is known of instances; intensities are those of the files."""
        model = self.predictor.model
        write_instance_files(
            job.output.parent,
            job.case.id,
            instances,
            read_files(job.case.images, model, lazily=True),
            classes=self.predictor.task.class_names,
            channels=model.channels,
            kinds=self.instance_files,
        )


def doubt_file(job: Job, ending: str) -> Path:
    """Return the image of a case's uncertainty, apart from the predictions."""
    return job.output.parent / "uncertainty" / f"{job.case.id}{ending}"


class _Writers:
    """Threads that write, and do not fall behind by more cases than there are threads.

    With no thread, the calling one writes.
    """

    def __init__(self, threads: int, failures: dict[str, Exception]) -> None:
        self._threads = threads
        self._failures = failures
        self._pool = ThreadPoolExecutor(max(1, threads), thread_name_prefix="write")
        self._waiting: deque[tuple[Job, Future[None]]] = deque()

    def submit(self, job: Job, function: Callable[[], None]) -> None:
        """Have a case written."""
        self._waiting.append((job, self._pool.submit(function)))
        self._settle(self._threads)

    def _settle(self, most: int) -> None:
        while len(self._waiting) > most:
            job, future = self._waiting.popleft()
            error = future.exception()
            if isinstance(error, Exception):
                self._failures[job.case.id] = _explain(error, job)
            elif error is not None:
                raise error

    def __enter__(self) -> _Writers:
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        try:
            if kind is None:
                self._settle(0)
        finally:
            self._pool.shutdown(wait=True, cancel_futures=kind is not None)


def _ahead(
    function: Callable[[Job], _Case], jobs: Sequence[Job], threads: int
) -> Iterator[tuple[Job, _Case | Exception]]:
    """Yield each job with what the function made of it, or why it could not.

    The function runs in threads, for as many jobs ahead as there are threads; with none
    it runs when the next job is asked for.
    """

    def attempt(job: Job) -> _Case | Exception:
        if threads:
            torch.set_num_threads(1)  # of this thread only: the others predict
        try:
            return function(job)
        except Exception as error:
            return error

    if not threads:
        for job in jobs:
            yield job, attempt(job)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="read")
    waiting: deque[tuple[Job, Future[_Case | Exception]]] = deque()
    try:
        for job in jobs:
            waiting.append((job, pool.submit(attempt, job)))
            if len(waiting) > threads:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _explain(error: Exception, job: Job, model: Model | None = None) -> AutosegError:
    """Return an error that says which case, what and why."""
    logger.debug("%s failed", job.case.id, exc_info=error)
    text = str(error)
    full = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    if full or "allocate memory" in text:
        return AutosegError(
            "out of memory. Give --max-memory, or no threads beside (-npp 0 -nps 0), "
            "or close other programs."
        )
    if isinstance(error, FormatError) and model is not None:
        return FormatError(
            f"{text} This model expects {expected_files(model, job.case.id)}."
        )
    if isinstance(error, AutosegError):
        return error
    return AutosegError(f"{type(error).__name__}: {text}")
