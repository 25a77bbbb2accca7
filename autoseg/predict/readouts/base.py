"""The interface of a read-out: how a kind of annotation is read out of networks.

Letters: K outputs of all heads, N cropped grid, G image's grid.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from autoseg.datasets.series.choice import own_ending
from autoseg.errors import UsageError
from autoseg.formats.base import known_endings, match_ending, writable
from autoseg.model.model import Model
from autoseg.predict.job import Job
from autoseg.predict.options import Options
from autoseg.predict.readouts.sight import Opinion, Sight, Sink
from autoseg.predict.readouts.uncertainty import Doubt
from autoseg.spec.dataset import Case
from autoseg.spec.head import Head
from autoseg.spec.image import Geometry, Image
from autoseg.tasks.base import Task

Array = NDArray[Any]

LOSSY = (".jpg", ".jpeg")  # would change label values
PNG, JSON = ".png", ".json"


class Readout(ABC):
    """Reads annotations of one kind out of what networks say.

    Its file has the name of the kind; see `Task.kind`.

    Parameters
    ----------
    model : Model
        What predicts.
    task : Task
        What it learned.
    options : Options
        How to predict.

    Attributes
    ----------
    refines : bool
        A second stage looks again where the first one found something, and is told by
        `Sight.coarse`. Otherwise the labels of the first are channels of its image.
    sizes : bool
        What it finds has a diameter, which may be told (`Options.diameter`).
    turns : bool
        It looks at turned and scaled copies of an image where it is asked to
        (`Options.copies`).
    file_option : str
        Option of `predict` that names files to write beside predictions; mostly none.
    only_beside : bool
        Files of the types that are asked for are never the prediction itself.
    """

    refines: ClassVar[bool] = False
    sizes: ClassVar[bool] = False
    turns: ClassVar[bool] = False
    file_option: ClassVar[str] = ""
    only_beside: ClassVar[bool] = False

    def __init__(self, model: Model, task: Task, options: Options) -> None:
        self.model, self.task, self.options = model, task, options

    # What there is, before anything is predicted.

    @classmethod
    def holds(cls, annotation: Any) -> bool:
        """Return whether an annotation is of this kind."""
        return False

    @classmethod
    def endings(cls) -> tuple[str, ...]:
        """Return the endings that make a path a file, not a folder for predictions."""
        return (*known_endings(), JSON)  # no format of images, as the error will say

    @classmethod
    def ending(cls, case: Case, model: Model) -> str:
        """Return the ending of predictions: as the training annotations', lossless."""
        own = own_ending(case.images[0])
        ending = model.describe().annotation_ending or own
        if not match_ending(ending, known_endings()):  # COCO's JSON, say
            ending = own
        return PNG if ending.lower() in LOSSY else writable(ending)

    @property
    def outputs(self) -> int:
        """Outputs that are there at the same time, as memory is counted."""
        return sum(head.channels for head in self.task.heads)

    @property
    def can_doubt(self) -> bool:
        """Whether it can be said of each voxel how sure the prediction is."""
        return False

    @property
    def doubted(self) -> tuple[Head, ...]:
        """Heads whose opinions are compared voxel by voxel; mostly none."""
        return ()

    def new_doubt(self) -> Doubt | None:
        """Return what takes the disagreement about an image; None if there is none."""
        return None

    def check_options(self) -> None:
        """Raise UsageError if the options cannot be for this kind."""
        if self.options.diameter is not None and not self.sizes:
            raise UsageError(
                "A diameter is that of instances, and this model finds none. Leave it "
                "out."
            )
        if self.options.copies > 1 and not self.turns:
            raise UsageError(
                "Turned and scaled copies are looked at for landmarks, and this model "
                "finds none. Leave copies out; --tta averages over mirrored ones."
            )

    def wanted_files(self, parts: int = 1, **asked: Collection[str]) -> Collection[str]:
        """Return which files are wanted beside predictions.

        Parameters
        ----------
        parts : int
            Calls that share the cases.
        **asked : collection of str
            Options of `predict` of which only `file_option` may be given.

        Raises
        ------
        UsageError
            If something cannot be written.
        """
        for name, files in asked.items():
            if files and name != self.file_option:
                thing = f"{name.removesuffix('_files')}s"
                raise UsageError(f"Files of {thing}: this model predicts no {thing}.")
        files = asked.get(self.file_option, ())
        self.check_files(files, parts)
        return files

    def check_files(  # noqa: B027 - may be left
        self, files: Collection[str], parts: int
    ) -> None:
        """Raise UsageError if files beside predictions cannot be written."""

    # One image.

    @abstractmethod
    def look(self, sight: Sight) -> Any:
        """Predict an image, as this model sees it alone.

        Returns
        -------
        annotation, or None
            In the image's grid, values as in files; None if the sink wants no more than
            outputs.
        """

    @contextmanager
    def opinion(self, file: Path) -> Iterator[Opinion]:
        """Give what one of several models leaves its opinion in.

        Parameters
        ----------
        file : Path
            For outputs, without an ending; nobody else uses it.
        """
        yield Opinion()

    @abstractmethod
    def together(
        self,
        opinions: Sequence[Opinion],
        image: Image,
        sink: Sink | None,
        doubt: Doubt | None,
    ) -> Any:
        """Return what several models say together, as `look` does.

        Parameters
        ----------
        opinions : sequence of Opinion
            At least one.
        image : Image
            What all have seen.
        sink : Sink, optional
            Where the averaged outputs go.
        doubt : Doubt, optional
            Takes the disagreement of all opinions.
        """

    def finish(self, found: Any, geometry: Geometry, doubt: Doubt | None) -> Any:
        """Apply the model's rules for the end, and judge the case by what is left."""
        return found

    def calibrated(self, sink: Sink) -> Sink:
        """Return what gives outputs on to a sink as validation taught how sure to be.

        Labels are decided without it. As it stands, the sink itself.
        """
        return sink

    def given(self, found: Any) -> Any:
        """Return a prediction in the form that a caller of Python expects."""
        return found

    def quality(self, found: Any, doubt: Doubt | None) -> float | None:
        """Return the number that says how sure a prediction is, if there is one."""
        return None if doubt is None else doubt.quality

    # Files.

    @abstractmethod
    def read(self, file: Path, geometry: Geometry) -> Any:
        """Read a prediction of the stage before.

        Parameters
        ----------
        file : Path
            As `write` made it.
        geometry : Geometry
            Of the image.
        """

    @abstractmethod
    def write(
        self,
        found: Any,
        job: Job,
        geometry: Geometry,
        image: Callable[[], Image],
        files: Collection[str] = (),
    ) -> None:
        """Write a prediction.

        Parameters
        ----------
        found : annotation
            From `look` or `together`, and `finish`.
        job : Job
            Says where.
        geometry : Geometry
            Of the image.
        image : callable
            Reads the image once more.
        files : collection of str
            From `wanted_files`.
        """

    def write_all(  # noqa: B027 - may be left
        self, jobs: Sequence[Job], files: Collection[str]
    ) -> None:
        """Write what is about all cases, once every prediction is there."""

    def files_of(self, job: Job, files: Collection[str]) -> list[Path]:
        """Return what may be written for a case beside its prediction.

        Parameters
        ----------
        job : Job
            The case.
        files : collection of str
            From `wanted_files`.
        """
        return []

    def files_of_all(self, jobs: Sequence[Job], files: Collection[str]) -> list[Path]:
        """Return what `write_all` writes."""
        return []

    @classmethod
    @abstractmethod
    def save(cls, path: Path, annotation: Any, geometry: Geometry) -> None:
        """Write an annotation to a file of its own; the ending says how."""
