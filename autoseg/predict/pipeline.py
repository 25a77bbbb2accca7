"""Read the next case, predict this one and write the last at the same time.

Reading and writing happen in threads, prediction in the calling one. No more is read
ahead than fits in memory. A case that fails costs no other.
"""

from __future__ import annotations

import functools
import io
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from autoseg.errors import (
    AutosegError,
    CaseErrors,
    FormatError,
    UsageError,
    of_machine,
    stops_everything,
)
from autoseg.formats.base import find_format
from autoseg.geometry.mapped import forgetting, held_bytes, keeping_to
from autoseg.model.model import Model
from autoseg.outputs import is_written
from autoseg.parallel import MemoryBudget, Share, loaded_bytes
from autoseg.predict._threads import Writers, ahead
from autoseg.predict.cases import expected_files
from autoseg.predict.drift import unlike_training
from autoseg.predict.inputs import read_files
from autoseg.predict.job import Job
from autoseg.predict.predictor import Begun, Predictor
from autoseg.predict.readouts.kept import KeptOutputs
from autoseg.predict.readouts.probabilities import open_sink
from autoseg.predict.readouts.sight import Sink
from autoseg.predict.readouts.uncertainty import Doubt, Qualities, doubt_file
from autoseg.predict.written import Written
from autoseg.progress import Progress
from autoseg.spec.image import Geometry

logger = logging.getLogger(__name__)

WORKING_SHARE = 3  # of an image's bytes: as read, as copied, as resampled


@dataclass(kw_only=True)
class _Case:
    """A case between reading and writing."""

    job: Job
    geometry: Geometry
    begun: Begun | None = None  # until it is predicted
    share: Share | None = None  # of the memory
    held: ExitStack = field(default_factory=ExitStack)  # gives the share back
    noted: ExitStack = field(default_factory=ExitStack)  # notes what was written
    found: Any = None
    doubt: Doubt | None = None

    def take(self) -> Begun:
        """Return the image and let go of it."""
        begun, self.begun = self.begun, None
        if begun is None:
            raise ValueError(f"{self.job.case.id} was taken before")
        return begun


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
        Where activated outputs go in place of predictions.
    sink : callable, optional
        Opens what is shown activated outputs of a case, beside its prediction.
    show : bool
        Show progress.
    files : collection of str
        What to write beside predictions; see `Readout.wanted_files`.
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
    sink: Callable[[Job], AbstractContextManager[Sink | None]] | None = None
    show: bool = True
    files: Collection[str] = ()
    qualities: Qualities | None = None
    doubt_images: bool = False
    written: Written | None = None

    def run(self, jobs: Sequence[Job], readers: int = 1, writers: int = 1) -> None:
        """Predict all cases and write them.

        Parameters
        ----------
        jobs : sequence of Job
            The cases; without any, nothing is done.
        readers, writers : int
            Threads; with 0 of both, one case is done after the other.

        Raises
        ------
        UsageError
            At once, if ``max_memory`` is too little for any image.
        CaseErrors
            At the end, if some cases failed; the others are written.
        OSError
            At once, if the disk is full, or the machine lacks something else that each
            case needs.
        """
        if not jobs:
            return
        failures: dict[str, Exception] = {}

        def failed(job: Job, error: Exception) -> None:
            if _of_machine(error):
                raise error
            failures[job.case.id] = _explain(error, job)

        self.predictor.check_memory()  # before anything is read
        predictor, budget = self.predictor, MemoryBudget(self.predictor.memory_left)
        alone = len(jobs) == 1 or readers + writers == 0
        torch.get_num_threads()  # from here on threads may have a number of their own
        reading = ahead(
            lambda job: self.read(job, budget), jobs, 0 if alone else max(1, readers)
        )
        writing = Writers(0 if alone else max(1, writers), failed)
        keeping = keeping_to(budget.total)
        with Percent(jobs, self.show) as percent, keeping, writing:
            for job, case in reading:
                percent.begin(job)
                if isinstance(case, _Case):
                    try:
                        if self.written is not None:
                            case.noted.enter_context(self.written.noting(job))
                        with self._watched(case) as sink:
                            case.found = predictor.look(
                                case.take(), percent.show, sink, case.doubt
                            )
                        writing.submit(job, functools.partial(self.write, case))
                    except Exception as error:
                        case.held.close()
                        case.noted.close()
                        failed(job, error)
                elif _of_machine(case):
                    raise case
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
                for difference in unlike_training(image, model):
                    logger.warning("%s: %s", job.case.id, difference)
                previous = self._before(job, image.geometry)
                begun = self.predictor.begin(image, previous, overwrite=True)
            except Exception as error:
                if _of_machine(error):
                    raise
                raise _explain(error, job, model) from error
            share.correct(begun.nbytes)
            case = _Case(job=job, geometry=image.geometry, begun=begun, share=share)
            case.held = held.pop_all()
            return case

    def _before(self, job: Job, geometry: Geometry) -> Any:
        """Return what the stage before predicted, if it is in a file."""
        if self.previous is None or self.predictor.is_joint:
            return None
        file = self.previous / job.output.name
        if not is_written(file):
            raise UsageError(
                f"{file} is missing: what the stage before predicted for this case."
            )
        return self.predictor.readout.read(file, geometry)

    @contextmanager
    def _watched(self, case: _Case) -> Iterator[Sink | None]:
        """Give what takes outputs; count the memory that prediction takes."""
        share, begun = case.share, case.begun
        if share is not None and begun is not None and begun.prepared is not None:
            # So that no more is read ahead than fits beside.
            work = self.predictor.working_bytes(begun.prepared.array.shape[1:])
            share.correct(begun.nbytes + work)
        del begun
        if self.qualities is not None:
            case.doubt = self.predictor.readout.new_doubt()
        with ExitStack() as stack:
            sink: Sink | None = None
            if self.kept is not None:
                sink = stack.enter_context(self.kept.sink(case.job.case.id))
            elif self.sink is not None:
                sink = stack.enter_context(self.sink(case.job))
            elif self.probabilities is not None:
                path = case.job.probabilities(self.probabilities)
                sink = stack.enter_context(
                    open_sink(path, self.probabilities, self.predictor.task)
                )
            yield sink
        if share is not None and case.found is not None:
            share.correct(held_bytes(np.asarray(case.found)))

    def write_decoded(self, job: Job, found: Any, geometry: Geometry) -> None:
        """Write a prediction of outputs that were kept."""
        self.write(_Case(job=job, geometry=geometry, found=found))

    def write(self, case: _Case) -> None:
        """Write a prediction, and give back the case's share of the memory."""
        with case.held, case.noted:
            job, found, doubt = case.job, case.found, case.doubt
            if found is None:  # outputs were kept in its place
                return
            predictor = self.predictor
            model, readout = predictor.model, predictor.readout
            if self.qualities is not None:
                if doubt is not None and self.doubt_images:
                    format = find_format(job.output, model.describe().format)
                    file = doubt_file(job, format.probabilities_ending)
                    file.parent.mkdir(parents=True, exist_ok=True)
                    format.write_image(file, doubt.map, case.geometry)
                quality = readout.quality(found, doubt)
                if quality is not None:
                    self.qualities.add(job.case.id, quality)
            image = functools.partial(read_files, job.case.images, model, lazily=True)
            with forgetting(np.asarray(found)):
                readout.write(found, job, case.geometry, image, self.files)


class Percent:
    """Progress over all cases, in percent of each.

    Parameters
    ----------
    jobs : sequence of Job
        The cases, in the order in which they come.
    show : bool
        Whether anybody sees it.
    """

    def __init__(self, jobs: Sequence[Job], show: bool) -> None:
        stream = None if show else io.StringIO()
        self._bar = Progress(100 * len(jobs), "predict", stream, percent=True)
        self._number, self._cases = 0, len(jobs)
        self._shown = 0
        self._name = ""

    def __enter__(self) -> Percent:
        self._bar.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.__exit__()

    def begin(self, job: Job) -> None:
        """Go on to the next case."""
        self._number, self._shown = self._number + 1, 0
        self._name = f"{job.case.id} ({self._number} of {self._cases})"

    def show(self, done: int, total: int) -> None:
        """Show that so many of a case's windows are predicted."""
        percent = 100 * done // max(1, total)
        if percent > self._shown:
            self._bar.step(self._name, percent - self._shown)
            self._shown = percent

    def end(self) -> None:
        """Show that a case is done."""
        self.show(1, 1)


def _of_machine(error: Exception) -> bool:
    """Return whether no case can be written; of memory, a smaller one may have enough.

    What is not there for one image, as a library for its format, is that case's.
    """
    return isinstance(error, OSError) and stops_everything(error)


def _explain(error: Exception, job: Job, model: Model | None = None) -> AutosegError:
    """Return an error that says which case, what and why."""
    logger.debug("%s failed", job.case.id, exc_info=error)
    text = str(error)
    full = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    if full or "allocate memory" in text:
        return AutosegError(
            "out of memory. Give --max-memory, or no threads beside (--readers 0 "
            "--writers 0), or close other programs."
        )
    if (said := of_machine(error)) is not None:
        return AutosegError(f"{said}.")
    if isinstance(error, FormatError) and model is not None:
        return FormatError(
            f"{text} This model expects {expected_files(model, job.case.id)}."
        )
    if isinstance(error, AutosegError):
        return error
    return AutosegError(f"{type(error).__name__}: {text}")
