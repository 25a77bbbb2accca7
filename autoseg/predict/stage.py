"""The stage `predict`: a model and images to predictions in the images' own geometry.

Three things happen at the same time, in threads: the next case is read and prepared,
this one is predicted, the one before is written. A case that fails is reported at the
end; it costs no other.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import fields, replace
from pathlib import Path

from autoseg.atomic import sweep
from autoseg.datasets.series.studies import Wanted
from autoseg.errors import UsageError
from autoseg.geometry.threads import limited_to
from autoseg.machine import share_freed_memory
from autoseg.model.load import load_model
from autoseg.model.model import Model
from autoseg.outputs import is_written, writing
from autoseg.parallel import on_cluster, part
from autoseg.predict.cases import Input, find_jobs
from autoseg.predict.elsewhere.order import Order, predict_elsewhere
from autoseg.predict.job import PROBABILITIES, Job
from autoseg.predict.options import Mirror, Options
from autoseg.predict.pipeline import Pipeline
from autoseg.predict.predictor import Predictor
from autoseg.predict.readouts.uncertainty import Qualities
from autoseg.predict.written import Written
from autoseg.spec.dataset import Dataset

NEEDED = ("autoseg.predict.elsewhere.order", "SimpleITK")  # what workers import

logger = logging.getLogger(__name__)


def predict(
    model: str | os.PathLike[str] | Model | Predictor,
    input: Input,
    output: str | os.PathLike[str],
    *,
    folds: Sequence[str | int] | None = None,
    checkpoint: str = "final",
    configuration: str | None = None,
    save_probabilities: bool | str = False,
    continue_prediction: bool = False,
    previous: str | os.PathLike[str] | None = None,
    num_parts: int = 1,
    part_id: int = 0,
    instance_files: Collection[str] = (),
    point_files: Collection[str] = (),
    readers: int = 1,
    writers: int = 1,
    progress: bool = True,
    overwrite: bool = False,
    after: Callable[[Sequence[Job], Dataset], None] | None = None,
    after_files: Callable[[Sequence[Job]], Collection[Path]] | None = None,
    step_size: float | None = None,
    mirror: Mirror | None = None,
    exact: bool = False,
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
    max_memory: float | None = None,
    batch: int | None = None,
    uncertainty: bool = False,
    decoder: str | None = None,
    prune: str | None = None,
    diameter: float | None = None,
    copies: int = 1,
    window: str | Sequence[int] | None = None,
    series: Sequence[str] = (),
    straighten: bool = False,
    output_type: Collection[str] = (),
    cluster: str | None = None,
    threads: int | None = None,
) -> list[Path]:
    """Predict images and write the predictions in the images' own geometry.

    Parameters
    ----------
    model : path, Model or Predictor
        What predicts; see `autoseg.model.load.load_model`.
    input : path, or sequence of paths or of sequences of paths
        A folder of images, or files; see docs/predict.md.
    output : path
        A folder; for one case also a file.
    folds, checkpoint, configuration
        Which part of the model; see `load_model`.
    save_probabilities : bool or str
        Also write activated outputs: ``"b2nd"`` (or True) or ``"npz"``.
    continue_prediction : bool
        Leave out cases whose prediction is there already.
    previous : path, optional
        In a cascade, the folder with the predictions of the stage before; by default
        they are made on the way.
    num_parts, part_id : int
        Predict every ``num_parts``-th case only, from case number ``part_id`` on.
    instance_files : collection of str
        Of a task with instances: what to write beside the label map and the table
        ``CASE_instances.csv``: ``"coco"`` (2-D), ``"geojson"`` (QuPath), ``"roi"``
        (ImageJ).
    point_files : collection of str
        Of a task with landmarks: what to write beside the JSON of each case:
        ``"mrk.json"`` (3D Slicer), or for all cases together ``"csv"`` (a table,
        ``points.csv``) and ``"coco"`` (2-D; ``points.coco.json``).
    readers, writers : int
        Threads that read and prepare, and that write; with 0 of both, one case is done
        after the other.
    progress : bool
        Show how far it is.
    overwrite : bool
        Replace also what autoseg did not write, or what was changed since; never the
        images themselves. With ``continue_prediction`` what is there stays, and counts
        as autoseg's from then on.
    after : callable, optional
        Called with all cases and the model's description of its data, once every
        prediction is there: what is made of predictions belongs to layers above.
    after_files : callable, optional
        Called with all cases; returns the files that ``after`` will write.
    step_size, mirror, exact, device, backend, precision, max_memory, batch
        How to predict; see `autoseg.predict.options.Options`.
    uncertainty : bool
        Also say where folds and mirrored copies disagree.
    decoder : str, optional
        Of landmarks, how the place between voxels is found; by default the plan's.
    prune : str, optional
        Of a nested decoder, how deep it is computed; see `Options`.
    diameter : float, optional
        Of instances, how large they usually are in these images; see `Options`.
    copies : int
        Of landmarks, how many turned and scaled copies are averaged; see `Options`.
    window : str or sequence of int, optional
        Edges of the windows, or ``"auto"``; see `Options`.
    series : sequence of str
        Of DICOM studies, which series is meant: its number, UID, description or a
        pattern of that; for several channels one for each. ``"all"`` predicts each.
    straighten : bool
        Straighten DICOM series that the gantry tilted, by interpolation.
    output_type : collection of str
        What label maps are written as: ``"nifti"``, and of DICOM series
        ``"dicom-seg"`` and ``"rtstruct"``; by default as the training annotations.
        Landmarks of DICOM series have ``"rtstruct"`` beside their JSON.
    cluster : str, optional
        Which Dask cluster predicts, case by case; see docs/cluster.md. ``model`` is
        then a path. Readers, writers and threads mean nothing.
    threads : int, optional
        Of an operation on the CPU; by default as many as there are cores.

    Returns
    -------
    list of Path
        The predictions, those included that were there already.

    Raises
    ------
    UsageError, ModelError
        If there is no image or no model, options contradict each other, or a file
        would be replaced that autoseg did not write: nothing is predicted then.
    CaseErrors
        At the end, if some cases failed; the others are written.
    """
    given = locals()
    options = Options(**{field.name: given[field.name] for field in fields(Options)})
    which = folds, checkpoint, configuration
    elsewhere = None if cluster is None else (cluster, _order(model, options, *which))
    predictor = _predictor(model, options, *which, here=elsewhere is None)
    files = _files(predictor, num_parts, instance_files, point_files, output_type)
    wanted = Wanted(tuple(series), straighten, tuple(output_type))
    jobs = part(find_jobs(input, output, predictor.model, wanted), num_parts, part_id)
    written = Written(predictor, _kind(save_probabilities), files, after_files)
    written.check(jobs, input, overwrite, continue_prediction)
    pipeline = _pipeline(written, jobs, previous, progress)
    waiting = _not_done(jobs, pipeline) if continue_prediction else jobs
    with writing(written.of_uncertainty(waiting)), limited_to(threads):
        if elsewhere is None or not waiting:
            pipeline.run(waiting, readers, writers)
        else:
            _run_on(*elsewhere, pipeline, waiting)
    return _finish([job.done() for job in jobs], written, after)


def _order(
    model: str | os.PathLike[str] | Model | Predictor,
    options: Options,
    folds: Sequence[str | int] | None,
    checkpoint: str,
    configuration: str | None,
) -> Order:
    """Return what workers are told; raise UsageError if they cannot have the model."""
    if not isinstance(model, (str, os.PathLike)):
        raise UsageError(
            "a cluster's workers load the model themselves: give its path, not a "
            f"{type(model).__name__}."
        )
    return Order(
        model=os.path.abspath(model),
        configuration=configuration,
        folds=None if folds is None else tuple(folds),
        checkpoint=checkpoint,
        options=options,
    )


def _run_on(
    cluster: str, order: Order, pipeline: Pipeline, jobs: Sequence[Job]
) -> None:
    """Predict on a cluster, whose workers must see model, images and output."""
    before, qualities = pipeline.previous, pipeline.qualities
    whole = replace(
        order,
        previous=None if before is None else before.absolute(),
        probabilities=pipeline.probabilities,
        files=tuple(pipeline.files),
    )
    seen = Path(order.model), jobs[0].case.images[0]
    with on_cluster(cluster, *seen, written=jobs[0].output.parent, needs=NEEDED):
        predict_elsewhere(whole, jobs, None if qualities is None else qualities.add)


def _predictor(
    model: str | os.PathLike[str] | Model | Predictor,
    options: Options,
    folds: Sequence[str | int] | None,
    checkpoint: str,
    configuration: str | None,
    here: bool,
) -> Predictor:
    """Return what predicts; one that is there already keeps its own options."""
    share_freed_memory()
    if not here:  # each worker decides this by what it has
        options = replace(options, device="cpu", backend="auto", precision="auto")
    if isinstance(model, (str, os.PathLike)):
        model = load_model(
            Path(model), configuration=configuration, folds=folds, checkpoint=checkpoint
        )
    return Predictor(model, options) if isinstance(model, Model) else model


def _files(
    predictor: Predictor,
    num_parts: int,
    instance_files: Collection[str],
    point_files: Collection[str],
    output_type: Collection[str],
) -> Collection[str]:
    """Return what to write beside predictions; each kind of task knows its own."""
    return predictor.readout.wanted_files(
        num_parts,
        instance_files=instance_files,
        point_files=point_files,
        label_files=output_type,
    )


def _pipeline(
    written: Written,
    jobs: Sequence[Job],
    previous: str | os.PathLike[str] | None,
    progress: bool,
) -> Pipeline:
    """Return what predicts cases and writes them; clear up after killed runs."""
    sweep(file for job in jobs for file in (job.output, job.spare) if file)
    return Pipeline(
        predictor=written.predictor,
        previous=None if previous is None else Path(previous),
        probabilities=written.probabilities,
        show=progress,
        files=written.files,
        qualities=next(map(Qualities, written.of_uncertainty(jobs)), None),
        doubt_images=True,
        written=written,
    )


def _finish(
    jobs: Sequence[Job],
    written: Written,
    after: Callable[[Sequence[Job], Dataset], None] | None,
) -> list[Path]:
    """Make what is made of all predictions; return their files."""
    with writing(written.of_all(jobs)):
        written.predictor.readout.write_all(jobs, written.files)
        if after is not None:
            after(jobs, written.predictor.model.describe())
    return [job.output for job in jobs]


def _kind(save_probabilities: bool | str) -> str | None:
    """Return the kind of files of probabilities, None for none."""
    kind = "b2nd" if save_probabilities is True else save_probabilities or None
    if kind is not None and kind not in PROBABILITIES:
        raise UsageError(
            f"There are no probabilities of kind {kind!r}; give "
            f"{' or '.join(PROBABILITIES)}."
        )
    return kind


def _not_done(jobs: list[Job], pipeline: Pipeline) -> list[Job]:
    how = pipeline.probabilities, pipeline.qualities
    waiting = [job for job in jobs if not _is_done(job, *how)]
    if len(waiting) < len(jobs):
        logger.info(
            "predict: %d of %d predictions are there already.",
            len(jobs) - len(waiting),
            len(jobs),
        )
    return waiting


def _is_done(job: Job, probabilities: str | None, qualities: Qualities | None) -> bool:
    if qualities is not None and job.case.id not in qualities.values:
        return False
    files = [job.done().output]
    if probabilities is not None:
        files.append(job.probabilities(probabilities))
    return all(map(is_written, files))
