"""The interface of how annotations of one kind lie in a data set, are read and kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from autoseg.datasets.vain import Vain, fits_nothing, jpeg_maps
from autoseg.errors import UsageError
from autoseg.formats.base import find_format, known_endings
from autoseg.spec.dataset import Dataset
from autoseg.spec.foreign.looks import looks_of
from autoseg.spec.image import Geometry
from autoseg.spec.points import Points
from autoseg.tasks.base import Task

OTHER_ENDINGS = (".json", ".csv")  # of annotations that are no images


class DatasetKind(ABC):
    """Where the annotations of a data set are, and how one is read and kept.

    As it stands, ``labelsTr`` has one file for each case, named after it. A kind says
    what else there may be, and how a file becomes an annotation.

    Attributes
    ----------
    maps_first : bool
        Of several files for a case, an image is the annotation, and the others say
        something about it.
    called, called_files : str
        What is annotated, and the files that it is in, in messages.
    """

    maps_first: ClassVar[bool] = True
    called: ClassVar[str] = "areas or objects"
    called_files: ClassVar[str] = "label maps"

    @property
    def endings(self) -> tuple[str, ...]:
        """Endings of files in labelsTr, where dataset.json names none that is there."""
        return (*known_endings(), *OTHER_ENDINGS)

    def folders(self, labels: Path) -> dict[str, Path]:
        """Return annotations that are folders, by case id.

        Parameters
        ----------
        labels : Path
            Such as labelsTr; it need not be there.
        """
        return {}

    def shared(self, folder: Path, ids: Set[str]) -> Path | None:
        """Return the one file that has the annotations of all cases, if there is one.

        Parameters
        ----------
        folder : Path
            Of the data set.
        ids : set of str
            The training cases.
        """
        return None

    def check_description(self, dataset: Dataset) -> None:  # noqa: B027 - may be left
        """Raise an error of autoseg if dataset.json is wrong about annotations.

        What their task is told there is looked at by `Task.from_dataset`.
        """

    def vain(
        self, dataset: Dataset, task: Task, measured: Mapping[str, Any]
    ) -> Vain | None:
        """Return why training would be vain, though every file can be read.

        Parameters
        ----------
        dataset : Dataset
            The data set.
        task : Task
            What annotations mean.
        measured : mapping
            What `Task.pool` made of them.
        """
        return jpeg_maps(dataset) or next(fits_nothing(dataset), None)

    def misplaced(
        self, annotation: Any, path: Path, image: Geometry, dataset: Dataset
    ) -> Vain | None:
        """Return that an annotation cannot be meant for its image, None if it can.

        Parameters
        ----------
        annotation : Any
            In the task's inner form.
        path : Path
            Its file.
        image : Geometry
            Of the image.
        dataset : Dataset
            The data set.
        """
        return None

    @abstractmethod
    def read(
        self,
        path: Path,
        dataset: Dataset | None,
        task: Task,
        image: Geometry | None,
        case_id: str | None,
    ) -> tuple[Any, Geometry]:
        """Read the annotation of a case in inner form.

        Parameters
        ----------
        path : Path
            Its file.
        dataset : Dataset or None
            Gives spacing, unit and format for files that do not say.
        task : Task
            What it means.
        image : Geometry or None
            Of the case's image, if it is known.
        case_id : str or None
            Which case, where a file has several; None: by the file's name.

        Returns
        -------
        annotation
            In the task's inner form.
        geometry : Geometry
            Of the grid that it lies on.

        Raises
        ------
        FormatError, DatasetError
            If it cannot be read, or means nothing to the task; both name the file.
        """

    def read_lazily(
        self,
        path: Path,
        dataset: Dataset | None,
        task: Task,
        image: Geometry | None,
        case_id: str | None,
    ) -> tuple[Any, Geometry]:
        """Read as `read` does, but leave a large annotation in its file, if that goes.

        Then it is an `autoseg.spec.arrays.windowed.Windowed`.
        """
        return self.read(path, dataset, task, image, case_id)

    def read_prediction(
        self,
        path: Path,
        dataset: Dataset | None,
        task: Task,
        image: Geometry | None,
        case_id: str | None,
        lazily: bool = False,
    ) -> tuple[Any, Geometry]:
        """Read a prediction in inner form; as `read`, where people draw alike.

        ``lazily`` as `read_lazily` does.
        """
        read = self.read_lazily if lazily else self.read
        return read(path, dataset, task, image, case_id)

    def corrected(self, annotation: Any, dataset: Dataset, task: Task) -> Any:
        """Return what somebody drew as the data set keeps it.

        Parameters
        ----------
        annotation : ndarray, Instances or Points
            From a viewer.
        dataset : Dataset
            That it joins.
        task : Task
            The data set's.

        Raises
        ------
        UsageError, DatasetError
            If it is of another kind, or means nothing in this data set.
        """
        if isinstance(annotation, Points):
            raise UsageError(f"{dataset.name} has {self.called}; points mean nothing.")
        return np.asarray(annotation)

    def check_file(self, path: Path, dataset: Dataset) -> None:  # noqa: B027 - may be left
        """Raise UsageError if an annotation of one case cannot be written to a file."""

    def fits(self, annotation: Any, image: Geometry) -> bool:
        """Return whether what `corrected` returned has the shape of its image."""
        return bool(annotation.shape == image.shape)

    def write(
        self,
        path: Path,
        annotation: Any,
        dataset: Dataset,
        task: Task,
        geometry: Geometry,
    ) -> None:
        """Write what `corrected` returned.

        Parameters
        ----------
        path : Path
            A file, of which the format follows.
        annotation : ndarray of int, shape S
            Raw values.
        dataset, task
            As for `corrected`.
        geometry : Geometry
            The image's.
        """
        labels = np.asarray(annotation)
        format = find_format(path, dataset.format)
        kind = np.min_scalar_type(int(labels.max(initial=0)))
        signed = kind if labels.min() >= 0 else np.int16
        format.write_labels(path, labels.astype(signed), geometry)
        names = task.value_names
        if names:
            looks = looks_of(names.values(), dataset.raw)
            colors = {number: look.color for number, look in looks.items()}
            format.name_labels(path, names, colors)
