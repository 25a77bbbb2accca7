"""The stage `preprocess`: bring every training case to the grids of a plan.

Each raw file is read once for all configurations. A case is there as a whole or not at
all, and carries a stamp of the files that it was made from: a second run does only what
is missing or has changed.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from autoseg.datasets.annotations import annotation_of
from autoseg.datasets.filenames import refuse_ids
from autoseg.datasets.identity import (
    all_files,
    remember_origin,
)
from autoseg.datasets.read import open_dataset
from autoseg.errors import DatasetError, amount
from autoseg.formats.base import read_image
from autoseg.geometry.mapped import held_bytes, is_mapped, keeping_to
from autoseg.parallel import (
    MemoryBudget,
    check_part,
    current_cluster,
    loaded_bytes,
    map_cases,
    on_cluster,
    part,
)
from autoseg.preprocess.extend import extend_splits
from autoseg.preprocess.folds import load_splits
from autoseg.preprocess.forecast import (
    check_growth,
    check_space,
    prepare_threads,
    target_grid,
)
from autoseg.preprocess.later import normalize
from autoseg.preprocess.meaning import measured_in, must_fit
from autoseg.preprocess.sources import is_made_of, source_of
from autoseg.preprocess.store import CaseStore
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.json import dumps, write_text
from autoseg.spec.plan import Plan
from autoseg.tasks import make_task
from autoseg.workspace import (
    DEFAULT_PLAN,
    Workspace,
    description_of,
)

# Bytes in work for each byte of an image in memory, before or after resampling: the
# image, its normalized copy and mask, the resampled image and what leads there; as
# measured on CT of 9 million voxels.
WORKING_SHARE = 8
BY_PARTS = 2**29  # bytes in work where an image is read part by part
NEEDED = (__name__, "SimpleITK", "blosc2")  # what workers import, whatever files are

log = logging.getLogger(__name__)


def preprocess(
    dataset: str | os.PathLike[str],
    root: str | os.PathLike[str] | None = None,
    *,
    plan: str = DEFAULT_PLAN,
    configurations: Sequence[str] | None = None,
    workers: int | None = None,
    max_memory: float | None = None,
    overwrite: bool = False,
    num_parts: int = 1,
    part_id: int = 0,
    precision: str = "auto",
    extend: str | None = None,
    cluster: str | None = None,
) -> None:
    """Prepare all training cases of a data set, as a plan says.

    Parameters
    ----------
    dataset : str or path
        A folder with a dataset.json, or the name or number of one in ``ROOT/raw``.
    root : str or path, optional
        ROOT; by default ``$AUTOSEG_ROOT``, else ``./autoseg_root``.
    plan : str
        Name of the plan, in ``ROOT/preprocessed/DATASET/plans``.
    configurations : sequence of str, optional
        Which of the plan's configurations; by default all of them.
    workers : int, optional
        Cases worked on at the same time; by default as many as there are cores, and
        never more than fit in memory. The result does not depend on it.
    max_memory : float, optional
        GB of memory to take at most; by default four fifths of what is free. Images
        that are too large for it stay in their files and are read part by part, with
        the same result.
    overwrite : bool
        Also redo what is there already.
    num_parts, part_id : int
        Do every ``num_parts``-th case only, from case number ``part_id`` on: one
        machine's share.
    precision : str
        In which images are stored: see `CaseStore`.
    extend : str, optional
        How cases that are in no fold yet join the splits; see
        `autoseg.preprocess.extend.extend_splits`.
    cluster : str, optional
        Which Dask cluster works on the cases: ``"local:2"``, ``"tcp://HOST:PORT"``, a
        scheduler file or options for SLURM; see docs/cluster.md.

    Raises
    ------
    UsageError, PlanError, DatasetError
        If data set, plan or configuration cannot be found or contradict each other, or
        the disk is too small.
    CaseErrors
        If some cases failed; all others are finished by then.
    """
    check_part(num_parts, part_id)
    described, workspace = open_dataset(dataset, root)
    loaded = replace(Plan.load(workspace.plan(plan)), name=plan)
    measured = measured_in(workspace)
    turning = _checked(loaded, described, measured)
    work = _Work(
        dataset=replace(described, lengths=loaded.unit),
        plan=turning,
        stores=_stores(workspace, loaded, configurations, precision),
    )
    remember_origin(described, workspace)
    if extend is not None:
        extend_splits(workspace, described, extend)
    _describe(workspace, described)
    waiting = {
        case.id: [name for name in work.stores if overwrite or work.lacks(name, case)]
        for case in part(described.training, num_parts, part_id)
    }
    cases = [case for case in described.training if waiting.get(case.id)]
    if len(cases) < len(waiting):
        log.info(
            "preprocess: %d of %d cases are there already.",
            len(waiting) - len(cases),
            len(waiting),
        )
    for store in work.stores.values():
        store.clear_interrupted({case.id for case in cases})
    if not cases:
        return
    here = cluster is None and current_cluster() is None
    if measured is not None:
        _look_ahead(measured, workspace, work, len(cases), here)
    memory = MemoryBudget.of(max_memory)
    description = description_of(described.folder)
    with on_cluster(cluster, description, written=workspace.root, needs=NEEDED):
        map_cases(
            partial(work.without_cases().prepare, memory=memory),
            [(case, waiting[case.id]) for case in cases],
            stage="preprocess",
            workers=workers,
            name=lambda item: item[0].id,
        )
    for name, store in work.stores.items():
        log.info("%s: %s in %s", name, amount(len(store.ids()), "case"), store.folder)


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What is done to each case."""

    dataset: Dataset
    plan: Plan
    stores: dict[str, CaseStore]

    def without_cases(self) -> _Work:
        """Return what is needed to prepare a case, and is sent along with each."""
        return replace(self, dataset=replace(self.dataset, training=(), test=()))

    def lacks(self, configuration: str, case: Case) -> bool:
        """Return whether a case has to be done, for the first time or again."""
        store = self.stores[configuration]
        if case.id not in store:
            return True
        try:
            properties = store.open(case.id).properties
        except DatasetError as error:
            log.warning("%s It is done again.", error)
            return True
        same = properties.get("precision") == store.precision
        return not (same and is_made_of(properties, case, self.dataset))

    def prepare(self, item: tuple[Case, Sequence[str]], memory: MemoryBudget) -> None:
        """Read a case once and write it for each of the configurations."""
        case, configurations = item
        # Before reading: a change from now on is seen.
        source = source_of(case, self.dataset)
        task = make_task(self.plan.task)
        needed = WORKING_SHARE * loaded_bytes(all_files(case))
        with keeping_to(memory.total), memory.take(needed) as share:
            image = read_image(case, self.dataset, lazily=True)
            in_file = is_mapped(image.array)
            share.correct(WORKING_SHARE * held_bytes(image.array) or BY_PARTS)
            annotation = annotation_of(case, self.dataset, task, image.geometry)
            if not is_mapped(annotation):
                annotation = task.stored(annotation)
            normalized = normalize(image, self.plan, annotation)
            del image, annotation
            for name in configurations:
                target = self.plan.configuration(name)
                shape, _ = target_grid(
                    normalized.array.shape[1:],
                    normalized.placement.cropped_spacing,
                    target,
                )
                voxels = max(normalized.array[0].size, math.prod(shape))
                if not in_file:
                    share.correct(WORKING_SHARE * len(normalized.array) * 4 * voxels)
                prepared = normalized.resample(target)
                if prepared.annotation is None:
                    raise DatasetError(f"case {case.id} has no annotation.")
                store = self.stores[name]
                store.write(
                    case.id,
                    prepared.array,
                    prepared.annotation,
                    task.foreground(prepared.annotation),
                    {
                        **source,
                        "precision": store.precision,
                        "placement": prepared.placement.to_json(),
                    },
                )


def _checked(plan: Plan, dataset: Dataset, measured: Fingerprint | None) -> Plan:
    """Raise where plan and data set contradict each other; return what turns images."""
    if told := must_fit(plan, dataset, measured):
        log.warning("%s", told)
    refuse_ids(case.id for case in dataset.training)
    return plan if measured is None else plan.as_they_lay(measured.orientations)


def _stores(
    workspace: Workspace,
    plan: Plan,
    configurations: Sequence[str] | None,
    precision: str,
) -> dict[str, CaseStore]:
    """Return a store for each configuration; of those that share data, the first."""
    stores: dict[str, CaseStore] = {}
    seen: set[Path] = set()
    for name in configurations or plan.configurations:
        patch_size = plan.configuration(name).patch_size
        folder = workspace.data(plan.data_id(name))
        if folder not in seen:
            stores[name] = CaseStore(folder, patch_size, precision)
            seen.add(folder)
    return stores


def _describe(workspace: Workspace, dataset: Dataset) -> None:
    """Write what does not depend on the plan: dataset.json and the splits."""
    file = dataset.folder / "dataset.json"
    if file.is_file():
        write_text(workspace.description, file.read_text(encoding="utf-8-sig"))
    else:  # BIDS describes itself
        write_text(workspace.description, dumps(dict(dataset.raw)))
    if len({case.group or case.id for case in dataset.training}) > 1:
        load_splits(workspace, dataset)
    else:
        log.warning(
            "%s cannot be split for cross-validation: it has %s in "
            "one group. Train the fold `all`.",
            dataset.name,
            amount(len(dataset.training), "training case"),
        )


def _look_ahead(
    fingerprint: Fingerprint,
    workspace: Workspace,
    work: _Work,
    num_cases: int,
    here: bool,
) -> None:
    """Check the disk and load what threads here will need, by the fingerprint."""
    ids = [case.id for case in work.dataset.training]
    check_growth(fingerprint, work.plan, list(work.stores), ids)
    check_space(
        fingerprint, work.plan, list(work.stores), num_cases, workspace.preprocessed
    )
    if here:
        prepare_threads(fingerprint, work.plan, list(work.stores))
