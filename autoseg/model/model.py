"""A trained model: its plan, its weights, and what it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoseg.datasets.description import Description
from autoseg.errors import ModelError, UsageError
from autoseg.landmarks.confidence import Confidence
from autoseg.landmarks.shape import ShapePrior
from autoseg.metrics.calibration import Calibration
from autoseg.metrics.object_scores import ScoreCurve
from autoseg.model.postprocessing import Postprocessing
from autoseg.spec.configuration import Configuration
from autoseg.spec.dataset import Dataset
from autoseg.spec.plan import Plan
from autoseg.spec.scale import Scale
from autoseg.tasks import TASKS

# Keys of dataset.json, the first that is there counts.
ANNOTATION_ENDINGS = ("label_ending", "annotation_ending", "file_ending")


@dataclass(frozen=True, kw_only=True)
class Model:
    """Everything that prediction needs to know.

    Parameters
    ----------
    plan : Plan
        How images are prepared and networks built.
    configuration : str
        Which of the plan's configurations it is.
    weights : tuple of mapping of str to tensor
        State dictionaries, one for each fold, on the CPU.
    folds : tuple of str
        Names of the folds, in the same order.
    dataset : mapping
        The training data's dataset.json.
    format : str or None
        A file in ``autoseg/formats`` to read images with; None: by their ending.
    fingerprint : mapping or None
        The training data in numbers, to notice images that are unlike them.
    previous : Model or None
        In a cascade, the model whose prediction is an extra input.
    source : str
        Where it was read from, for messages.
    origin : str
        Which program trained it, ``"autoseg"`` or ``"nnunet"``: a model of nnU-Net is
        predicted with sums that round as its own do.
    partners : tuple of Model
        Models of other configurations whose outputs are averaged with this one's.
    postprocessing : Postprocessing
        What is done to predictions in the end.
    confidence : Confidence or None
        Of landmarks: what validation taught about how far to trust them.
    calibration : Calibration or None
        Of label maps: what validation taught about how sure outputs may be; labels do
        not depend on it.
    scores : ScoreCurve or None
        Of instances: what validation taught about what scores mean; the order of
        objects does not depend on it.
    scale : Scale or None
        How large the objects are that it knows: other images are brought to that. None:
        images are seen as they are.
    depth : str or None
        How much of a nested decoder is computed, see `Trainable.prune`; None: all, and
        the deepest output is given.
    """

    plan: Plan
    configuration: str
    weights: tuple[Mapping[str, Any], ...]
    folds: tuple[str, ...]
    dataset: Mapping[str, Any]
    format: str | None = None
    fingerprint: Mapping[str, Any] | None = None
    previous: Model | None = None
    source: str = ""
    origin: str = "autoseg"
    partners: tuple[Model, ...] = ()
    postprocessing: Postprocessing = Postprocessing()
    confidence: Confidence | None = None
    calibration: Calibration | None = None
    scores: ScoreCurve | None = None
    scale: Scale | None = None
    depth: str | None = None

    @property
    def orientation(self) -> str | None:
        """How the images lie that its networks see, as ITK's letters, if it is known.

        The plan's; where all training images lay alike, the plan turns none of them,
        and it is theirs.
        """
        known = (self.fingerprint or {}).get("orientations")
        return self.plan.as_they_lay(known).orientation

    @property
    def shapes(self) -> ShapePrior | None:
        """Which shapes of landmarks are usual, as far as that was learnt."""
        return None if self.confidence is None else self.confidence.shape

    @property
    def settings(self) -> Configuration:
        """The configuration."""
        return self.plan.configuration(self.configuration)

    def describe(self) -> Dataset:
        """Return the training data's description, without any case.

        Raises
        ------
        ModelError
            If the model's dataset.json cannot be understood.
        """
        folder = Path(self.source or ".")
        said = Description(folder, self.dataset)
        wanted = said.ending("image_ending", "file_ending")
        dataset = Dataset(
            name=self.plan.dataset,
            folder=folder,
            task=self.plan.task.name,
            channel_names=self.channels,
            image_ending=wanted or "",
            annotation_ending=said.ending(*ANNOTATION_ENDINGS) or "",
            spacing=said.spacing(),
            unit=said.unit(),
            format=self.format or said.format(),
            raw=self.dataset,
        )
        if said.problems:
            raise ModelError(
                f"dataset.json of {folder}: {'; '.join(dict.fromkeys(said.problems))}."
            )
        return dataset

    def task_options(self, decoder: str | None = None) -> dict[str, Any]:
        """Return the options of the task as it predicts.

        Parameters
        ----------
        decoder : str, optional
            Another one than the plan's, of those that the task has.

        Returns
        -------
        dict of str to JSON value
            Of the plan, of what validation taught, and this.

        Raises
        ------
        UsageError
            If the task has no such option, or there is no such decoder.
        """
        options = {**self.plan.task.options, **self.postprocessing.task}
        if decoder is None:
            return options
        known = TASKS[self.plan.task.name].decoders
        if not known:
            raise UsageError(f"Decoder {decoder!r}: this model predicts no points.")
        if decoder not in known:
            raise UsageError(
                f"There is no decoder {decoder!r}; there are {', '.join(known)}."
            )
        return {**options, "decoder": decoder}

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the image channels, in order."""
        return tuple(channel.name for channel in self.plan.channels)
