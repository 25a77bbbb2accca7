"""The stage `fingerprint`: measure every training case once, and pool the numbers.

An interrupted run goes on where it was, and several machines can share the cases out:
what is measured is in a journal of files (`autoseg.fingerprint.survey`).
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping

from autoseg.datasets.filenames import refuse_ids
from autoseg.datasets.identity import (
    Sources,
    remember_origin,
)
from autoseg.datasets.read import open_dataset
from autoseg.datasets.vain import jpeg_maps
from autoseg.errors import DatasetError, PartDone, amount
from autoseg.fingerprint.lengths import in_one_unit
from autoseg.fingerprint.survey import Survey, stamp_of
from autoseg.lock import waiting_for
from autoseg.parallel import check_part, on_cluster, part
from autoseg.spec.fingerprint import Fingerprint
from autoseg.tasks import choose_task
from autoseg.workspace import Workspace, description_of

LOCK = ".lock"
# What workers import, whatever the files are.
NEEDED = ("autoseg.fingerprint.survey", "SimpleITK", "scipy.sparse", "cc3d")

log = logging.getLogger(__name__)


def fingerprint(
    dataset: str | os.PathLike[str],
    root: str | os.PathLike[str] | None = None,
    *,
    workers: int | None = None,
    max_memory: float | None = None,
    overwrite: bool = False,
    num_parts: int = 1,
    part_id: int = 0,
    cluster: str | None = None,
) -> Fingerprint:
    """Describe a data set in numbers, from its training cases.

    Each file is read once, several cases at a time. The result does not depend on how
    many, nor on whether the run was interrupted or shared out.

    Parameters
    ----------
    dataset : str or path
        A folder with a dataset.json, or the name or number of one in ``ROOT/raw``.
    root : str or path, optional
        ROOT; by default ``$AUTOSEG_ROOT``, else ``./autoseg_root``.
    workers : int, optional
        Cases worked on at the same time; by default as many as there are cores, and
        never more than fit in memory.
    max_memory : float, optional
        GB of memory to take at most; by default four fifths of what is free. Images
        that are too large for it stay in their files and are read part by part, with
        the same result.
    overwrite : bool
        Measure everything again even if no file has changed.
    num_parts, part_id : int
        Measure every ``num_parts``-th case only, from case number ``part_id`` on: one
        machine's share. The part that is done last pools what all have measured.
    cluster : str, optional
        Which Dask cluster works on the cases: ``"local:2"``, ``"tcp://HOST:PORT"``, a
        scheduler file or options for SLURM; see docs/cluster.md.

    Returns
    -------
    Fingerprint
        What was written to ``ROOT/preprocessed/DATASET/fingerprint.json``, or was
        there already if neither dataset.json nor a file has changed since.

    Raises
    ------
    UsageError, DatasetError
        If the data set cannot be found or understood, or has no foreground.
    CaseErrors
        If some cases could not be read; the others are kept for the next run.
    PartDone
        Of a part, if cases of other parts are not measured.
    """
    check_part(num_parts, part_id)
    described, workspace = open_dataset(dataset, root)
    refuse_ids(case.id for case in described.training)
    vain = jpeg_maps(described)  # of all cases at once, and before any is read
    if vain is not None:
        raise DatasetError(f"{vain.file}: {vain.found} {vain.fix}")
    task = choose_task(described)
    survey = Survey(
        dataset=described,
        task=task,
        folder=workspace.fingerprint_partial,
        max_memory=max_memory,
    )
    remember_origin(described, workspace)
    if not overwrite:
        there = _up_to_date(workspace, survey, survey.stamps())
        if there is not None:
            log.info("%s is up to date.", workspace.fingerprint)
            return there
    lock = workspace.fingerprint.with_suffix(LOCK)
    description = description_of(described.folder)
    with on_cluster(cluster, description, written=workspace.root, needs=NEEDED):
        if num_parts == 1:
            with waiting_for(lock, "fingerprint"):
                return _measured(survey, workspace, workers, overwrite)
        mine = part(described.training, num_parts, part_id)
        survey.measure_all(mine, survey.stamps(), workers)
        with waiting_for(lock, "fingerprint"):
            return _pooled_by_the_last(survey, workspace, workers)


def _measured(
    survey: Survey, workspace: Workspace, workers: int | None, overwrite: bool
) -> Fingerprint:
    """Measure what is not measured yet, and pool it; nobody else does so meanwhile."""
    stamps = survey.stamps()
    if overwrite:
        shutil.rmtree(survey.folder, ignore_errors=True)
    else:
        there = _up_to_date(workspace, survey, stamps)
        if there is not None:  # another process was first
            return there
    survey.measure_all(survey.dataset.training, stamps, workers)
    return _pooled(survey, workspace, stamps, workers)


def _pooled_by_the_last(
    survey: Survey, workspace: Workspace, workers: int | None
) -> Fingerprint:
    """Pool what all parts have measured; raise PartDone if that is not yet all."""
    stamps = survey.stamps()
    missing = survey.missing(survey.dataset.training, stamps)
    if not missing:
        return _pooled(survey, workspace, stamps, workers)
    there = None
    if not survey.folder.is_dir():  # another part was last
        there = _up_to_date(workspace, survey, stamps)
    if there is None:
        raise PartDone(
            f"fingerprint: this part is done; {len(missing)} of {len(stamps)} cases "
            f"are left to other parts, the last of which writes "
            f"{workspace.fingerprint}."
        )
    return there


def _pooled(
    survey: Survey,
    workspace: Workspace,
    stamps: Mapping[str, str],
    workers: int | None,
) -> Fingerprint:
    """Pool what is in the journal, which ends with that."""
    survey = in_one_unit(survey, stamps, workers)
    made = survey.tried(survey.pool(stamps), workers)
    made.save(workspace.fingerprint)
    Sources(workspace).save(survey.sources(stamps))
    shutil.rmtree(survey.folder, ignore_errors=True)
    return made


def _up_to_date(
    workspace: Workspace, survey: Survey, stamps: Mapping[str, str]
) -> Fingerprint | None:
    """Return the fingerprint that is there, if it was made of these very files."""
    if not workspace.fingerprint.is_file():
        return None
    sources = Sources(workspace)
    before = {i: stamp_of(entry) for i, entry in sources.entries.items()}
    if before == stamps:
        return Fingerprint.load(workspace.fingerprint)
    if before.keys() == stamps.keys() and survey.is_moved(sources.entries, stamps):
        sources.save(survey.sources(stamps))
        return Fingerprint.load(workspace.fingerprint)
    if not before:
        log.info(
            "%s does not say what it was made of; it is made again.",
            workspace.fingerprint,
        )
        return None
    changed = [i for i in stamps if i in before and before[i] != stamps[i]]
    added, gone = stamps.keys() - before.keys(), before.keys() - stamps.keys()
    log.info(
        "%s is made again: since then %s, or what is measured, "
        "changed, %d came and %d went.",
        workspace.fingerprint,
        amount(len(changed), "case"),
        len(added),
        len(gone),
    )
    return None
