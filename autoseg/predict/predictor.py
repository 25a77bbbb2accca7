"""A model that is loaded once and predicts any number of images."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autoseg.errors import ModelError
from autoseg.geometry.mapped import held_bytes
from autoseg.model.load import load_model
from autoseg.model.model import Model
from autoseg.predict import inputs
from autoseg.predict.magnification import View
from autoseg.predict.options import Mirror, Options
from autoseg.predict.readouts.sight import Progress, Sink
from autoseg.predict.readouts.uncertainty import Doubt
from autoseg.predict.single import SingleModel
from autoseg.preprocess.case import Prepared
from autoseg.spec.image import Geometry, Image


@dataclass(frozen=True, kw_only=True)
class Begun:
    """An image on its way to the networks: as it was read, or prepared.

    Parameters
    ----------
    geometry : Geometry
        Of the image.
    image : Image, optional
        If something else has to be predicted first, or several models look at it.
    prepared : Prepared, optional
        On the network's grid.
    previous : annotation, optional
        What the stage before found.
    view : View
        How it is seen; `prepared` is what is seen through it.
    """

    geometry: Geometry
    image: Image | None = None
    prepared: Prepared | None = None
    previous: Any = None
    view: View = View()

    @property
    def nbytes(self) -> int:
        """Bytes of main memory that its voxels take."""
        held = self.image or self.prepared
        return 0 if held is None else held_bytes(held.array)


class Predictor(SingleModel):
    """A model in memory, ready to predict one image after the other.

    Several threads may call `predict` at the same time.

    Parameters
    ----------
    model : Model
        What predicts.
    options : Options, optional
        How.

    Examples
    --------
    Load once, predict often::

        predictor = Predictor.load("results/Dataset004/unet/3d_fullres")
        labels = predictor.predict(array, spacing=(3.0, 1.0, 1.0))
    """

    def __init__(self, model: Model, options: Options | None = None) -> None:
        super().__init__(model, options)
        self.previous: Predictor | None = None
        if model.previous is not None:
            certain = replace(self.options, uncertainty=False)
            self.previous = Predictor(model.previous, certain)
        self.partners = tuple(Predictor(one, options) for one in model.partners)

    @classmethod
    def load(
        cls,
        path: str | Path,
        folds: Sequence[str | int] | None = None,
        checkpoint: str = "final",
        *,
        configuration: str | None = None,
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
    ) -> Predictor:
        """Load a model.

        Parameters
        ----------
        path : str or Path
            A folder that training made, a bundle, a model of nnU-Net v2, or a name,
            as in `autoseg.models`.
        folds, checkpoint, configuration
            Which part of the model; see `autoseg.model.load.load_model`.
        step_size, mirror, exact, device, backend, precision, max_memory, batch
            How to predict; see `autoseg.predict.options.Options`.
        uncertainty, decoder, prune, diameter, copies, window
            The same.

        Returns
        -------
        Predictor
            Ready to predict.

        Raises
        ------
        ModelError
            If there is no model, or it is incomplete or damaged.
        """
        model = load_model(
            path, configuration=configuration, folds=folds, checkpoint=checkpoint
        )
        options = Options(
            step_size=step_size,
            mirror=mirror,
            exact=exact,
            device=device,
            backend=backend,
            precision=precision,
            max_memory=max_memory,
            batch=batch,
            uncertainty=uncertainty,
            decoder=decoder,
            prune=prune,
            diameter=diameter,
            copies=copies,
            window=window,
        )
        return cls(model, options)

    def predict(self, image: Any, spacing: Sequence[float] | None = None) -> Any:
        """Predict one image, and give back the same kind of thing.

        Parameters
        ----------
        image : path, sequence of paths, ndarray, tensor, SimpleITK or nibabel image
            Or an `Image`. One file for each channel or one for all; an array or tensor
            is (C, *S), or S where there is one channel, slowest axis first.
        spacing : sequence of float, length D
            Edge of a voxel of an array, same order as its axes, in the plan's unit.

        Returns
        -------
        Prediction, ndarray, SimpleITK image or nibabel image
            Label values in the image's own grid: `Prediction` for paths and `Image`, an
            array for an array, an image with the same geometry for an image.

        Raises
        ------
        FormatError
            If the image cannot be read or has other channels than the model knows.
        UsageError
            If it is none of these kinds, or an array comes without spacing.
        """
        source = inputs.read(image, self.model, spacing)
        return source.give_back(self.readout.given(self.predict_image(source.image)))

    def predict_image(
        self,
        image: Image,
        previous: Any = None,
        progress: Progress | None = None,
        sink: Sink | None = None,
        doubt: Doubt | None = None,
    ) -> Any:
        """Predict an image that was read already.

        Parameters
        ----------
        image : Image
            As a format read it.
        previous : ndarray of int, shape (*S), or Points, optional
            What the stage before predicted, as in files; default: it is predicted now.
        progress : callable, optional
            Told windows done and windows in all.
        sink : Sink, optional
            Where activated outputs go.
        doubt : Doubt, optional
            With ``Options.uncertainty``: takes the disagreement, of an average also
            that of its configurations.

        Returns
        -------
        ndarray of int, shape (*S), or Instances, or Points
            Values as in files, in the image's grid.
        """
        return self.look(self.begin(image, previous), progress, sink, doubt)

    def begin(
        self, image: Image, previous: Any = None, overwrite: bool = False
    ) -> Begun:
        """Prepare an image, as far as it can be done before anything is predicted.

        Parameters
        ----------
        image, previous
            See `predict_image`.
        overwrite : bool
            The image's array may be changed: saves a copy.

        Returns
        -------
        Begun
            For `look`.
        """
        if self.is_joint or (self.is_second and previous is None):
            return Begun(geometry=image.geometry, image=image)
        view = self.view(image)
        return Begun(
            geometry=image.geometry,
            prepared=self.prepare(view.of(image), previous, overwrite),
            previous=previous,
            view=view,
        )

    def look(
        self,
        begun: Begun,
        progress: Progress | None = None,
        sink: Sink | None = None,
        doubt: Doubt | None = None,
    ) -> Any:
        """Predict an image that was begun.

        Parameters
        ----------
        begun : Begun
            The image.
        progress, sink, doubt
            See `predict_image`.

        Returns
        -------
        annotation, or None
            See `predict_image`; None if the sink wants outputs only.
        """
        if sink is not None:
            sink = self.readout.calibrated(sink)
        watching = (progress, sink, doubt)
        found = begun.previous
        for one in self._stages(begun):  # no call within a call: few are on the stack
            now, watch = (begun, watching) if one is self else one._begun_alone(begun)
            if one.is_joint and now.image is not None:
                found = one._look_together(now.image, *watch)
            else:
                prepared = now.prepared
                if prepared is None and now.image is not None:
                    prepared = one.prepare(now.image, found)
                if prepared is None:
                    raise ValueError("neither an image nor a prepared one was begun")
                factor = now.view.factor
                found = one.readout.look(one.sight(prepared, found, *watch, factor))
            found = one.readout.finish(found, begun.geometry, watch[-1])
        return found

    def _stages(self, begun: Begun) -> list[Predictor]:
        """Return the models of a cascade that have to look, this one last."""
        stages = [self]
        if begun.prepared is not None:
            return stages
        while stages[0].is_second and not stages[0].is_joint:
            stages.insert(0, stages[0].before)
        return stages

    def _begun_alone(self, begun: Begun) -> tuple[Begun, tuple[None, None, None]]:
        """Begin for a later stage, which nobody watches."""
        if begun.image is None:
            raise ValueError("neither an image nor a prepared one was begun")
        return self.begin(begun.image), (None, None, None)

    def _look_together(
        self,
        image: Image,
        progress: Progress | None,
        sink: Sink | None,
        doubt: Doubt | None,
    ) -> Any:
        """Average what all models say; rules for the end are left to the caller."""
        members, opinions = (self, *self.partners), []
        with tempfile.TemporaryDirectory(prefix="autoseg-") as folder:
            for number, one in enumerate(members):
                previous = None
                if one.is_second:
                    previous = one.before.look(one.before.begin(image))
                prepared = one.prepare(image, previous)
                told = _part(progress, number, len(members))
                with self.readout.opinion(Path(folder) / str(number)) as mine:
                    sight = one.sight(prepared, previous, told, mine.sink, mine.doubt)
                    mine.found = one.readout.look(sight)
                opinions.append(mine)
            return self.readout.together(opinions, image, sink, doubt)

    @property
    def is_joint(self) -> bool:
        """Whether outputs have to be kept and seen together before labels are there."""
        rules = self.model.postprocessing
        return bool(self.partners or rules.thresholds or rules.crf)

    @property
    def before(self) -> Predictor:
        """The stage before.

        Raises
        ------
        ModelError
            If there is none.
        """
        if self.previous is None:
            raise ModelError(
                f"{self.model.source} is a second stage and needs the predictions of "
                f"{self.model.settings.previous!r}. Put that model beside it, or give "
                "the predictions (--prev-stage-predictions)."
            )
        return self.previous


def _part(progress: Progress | None, number: int, count: int) -> Progress:
    """Return what one of several models tells its progress to, in percent of all."""

    def told(done: int, total: int) -> None:
        if progress is not None:
            share = (number + done / max(1, total)) / count
            progress(int(100 * share), 100)

    return told
