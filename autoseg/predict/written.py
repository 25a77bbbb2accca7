"""Which files a prediction writes, so that none of the user's is replaced."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from autoseg.datasets.instance_files import files_of
from autoseg.errors import UsageError
from autoseg.outputs import adopt, companions, refuse_foreign, writing
from autoseg.predict.cases import Input
from autoseg.predict.job import Job
from autoseg.predict.predictor import Predictor
from autoseg.spec.foreign.place import all_files_at
from autoseg.workspace import UNCERTAINTY

IMAGES = ("imagesTr", "imagesTs", "labelsTr")  # a data set's; predictions go elsewhere
TIFF = (".tif", ".tiff")


@dataclass(frozen=True)
class Written:
    """The files of one call of `predict`.

    Parameters
    ----------
    predictor : Predictor
        What predicts.
    probabilities : str or None
        Kind of the files of activated outputs.
    files : collection of str
        What was asked for beside predictions; see `Readout.wanted_files`.
    after_files : callable, optional
        Called with all cases; returns further files, which are made of predictions.
    """

    predictor: Predictor
    probabilities: str | None = None
    files: Collection[str] = ()
    after_files: Callable[[Sequence[Job]], Collection[Path]] | None = None

    def of(self, job: Job) -> list[Path]:
        """Return all files that may be written for a case alone."""
        case, folder = job.case.id, job.output.parent
        files = companions(job.output)
        if job.output.suffix.lower() in TIFF:
            files.append(folder / f"{case}.json")  # the length of a voxel
        if self.probabilities is not None:
            file = job.probabilities(self.probabilities)
            files += [file, file.with_suffix(".json")]
        return [*files, *self.predictor.readout.files_of(job, self.files)]

    def noting(self, job: Job) -> AbstractContextManager[None]:
        """Return what a case is predicted in, so that its files count as autoseg's."""
        return writing(self.of(job))

    def of_all(self, jobs: Sequence[Job]) -> list[Path]:
        """Return what is made of the predictions of all cases in the end."""
        files = [] if self.after_files is None else list(self.after_files(jobs))
        return [*files, *self.predictor.readout.files_of_all(jobs, self.files)]

    def of_uncertainty(self, jobs: Sequence[Job]) -> list[Path]:
        """Return the file with a number of each case."""
        wanted = self.predictor.options.uncertainty and jobs
        return [jobs[0].output.parent / UNCERTAINTY] if wanted else []

    def check(
        self,
        jobs: Sequence[Job],
        given: Input,
        overwrite: bool = False,
        keep: bool = False,
    ) -> None:
        """Raise unless everything may be written.

        Parameters
        ----------
        jobs : sequence of Job
            The cases.
        given : path, or sequence of paths or of sequences of paths
            What they were found in.
        overwrite : bool
            The user insists that files may be replaced that are not autoseg's.
        keep : bool
            What is there is left as it is; with ``overwrite`` it counts as autoseg's.

        Raises
        ------
        UsageError
            Names the files that would be lost.
        """
        for folder in dict.fromkeys(job.output.parent for job in jobs):
            _check_folder(folder, given, overwrite)
        files = [file for job in jobs for file in self.of(job)]
        files += [*self.of_all(jobs), *self.of_uncertainty(jobs)]
        refuse_foreign(files, inputs=_inputs(jobs), overwrite=overwrite)
        if keep and overwrite:
            adopt(files)


def _inputs(jobs: Sequence[Job]) -> list[Path]:
    """Return all files that say something about the images."""
    return [
        file
        for job in jobs
        for path in all_files_at(files_of(job.case))
        for file in companions(path)
        if file.exists()
    ]


def _check_folder(folder: Path, given: Input, overwrite: bool) -> None:
    """Raise if predictions would stand among images or annotations."""
    alone = isinstance(given, (str, os.PathLike))
    if alone and folder.is_dir() and Path(given).is_dir():  # type: ignore[arg-type]
        if os.path.samefile(folder, given):  # type: ignore[arg-type]
            raise UsageError(
                f"{folder} is the folder of the images, and predictions in it would "
                "replace them or be taken for images. Nothing was done. Give another "
                "folder (-o)."
            )
    there = folder.resolve()
    in_dataset = (there.parent / "dataset.json").is_file()
    if there.name in IMAGES and in_dataset and not overwrite:
        raise UsageError(
            f"{folder} belongs to the data set {there.parent.name}, and predictions in "
            "it would be taken for its images or annotations. Nothing was done. Give "
            "another folder (-o), or --overwrite."
        )
