"""Every file and folder name that stages hand on to each other.

::

    ROOT/raw/DATASET/                      dataset.json, imagesTr, labelsTr, imagesTs
    ROOT/preprocessed/DATASET/             fingerprint.json, splits.json, dataset.json
        fingerprint.sources.json           of which files the fingerprint was made
        origin.json                        where the data set lies
        stages.jsonl                       what each command took
        networks.json                      what networks of torch were measured to need
        fingerprint.partial/               while it is being made: CASE.json
        plans/PLAN.json
        measurements/PLAN.json             time and memory of a real step
        DATA_ID/                           CASE.b2nd, CASE_annotation.b2nd,
                                           CASE_foreground.npy, CASE.json
    ROOT/results/DATASET/PLAN/CONFIGURATION/
        plan.json  dataset.json  fingerprint.json
        fold_N/                            checkpoint_*.pt, log.jsonl, progress.png, ...
                                           confidence.json of landmarks,
                                           scores.json of instances,
                                           calibration.json and calibration/CASE.npz
                                           of label maps
            decoding.json                  how instances are read from outputs
            validation/                    CASE.ext, summary.json
        pretrained/                        checkpoint_final.pt, run.json, log.jsonl of
                                           what was learned from images alone
    ROOT/results/DATASET/autoseg_run.json  what `run` has decided and spent
    ROOT/results/DATASET/best/             what `find_best` chose
        model.zip  model.json              the bundle, and why it is this
        outputs/PLAN/CONFIGURATION/        CASE_probabilities.b2nd (of instances
                                           CASE_outputs.b2nd), by the fold that was
                                           not trained on it; may be deleted
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from autoseg.errors import UsageError, did_you_mean
from autoseg.outputs import must_be_folder

DEFAULT_PLAN = "unet"
ALL_FOLDS = "all-folds"  # in a command: every fold of the cross-validation


DESCRIPTIONS = ("dataset.json", "dataset_description.json")  # ours, and that of BIDS


def find_root(root: str | os.PathLike[str] | None = None) -> Path:
    """Return ROOT: what is given, else ``$AUTOSEG_ROOT``, else ``./autoseg_root``.

    Raises
    ------
    UsageError
        If it is no folder, and cannot become one.
    """
    place = Path(root or os.environ.get("AUTOSEG_ROOT") or "autoseg_root").absolute()
    must_be_folder(place, written=False)
    return place


def description_of(folder: Path) -> Path:
    """Return the file that describes a data set; its folder where there is none."""
    files = (folder / name for name in DESCRIPTIONS)
    return next((file for file in files if file.is_file()), folder)


def find_dataset(dataset: str | os.PathLike[str], root: Path) -> Path:
    """Return the folder of a data set.

    Parameters
    ----------
    dataset : str or path
        A path to a folder, or the name or number of a data set in ``ROOT/raw``.
    root : Path
        ROOT.

    Returns
    -------
    Path
        A folder that holds a ``dataset.json``.

    Raises
    ------
    UsageError
        If there is none, or a number fits several; the message says what there is.
    """
    given = Path(dataset)
    if description_of(given) != given:
        return given.absolute()
    if given.is_dir() and (given.is_absolute() or len(given.parts) > 1):
        raise UsageError(
            f"{given} is a folder without dataset.json. `autoseg init {given}` writes "
            "one for images and annotations as they lie there."
        )
    raw = root / "raw"
    name = str(dataset)
    if name not in (".", "..") and description_of(raw / name) != raw / name:
        return (raw / name).absolute()
    there = sorted(
        {p.parent.name for known in DESCRIPTIONS for p in raw.glob(f"*/{known}")}
    )
    if name.isdigit():
        found = [n for n in there if re.match(rf"Dataset0*{int(name)}_", n)]
        if len(found) == 1:
            return (raw / found[0]).absolute()
        if found:
            raise UsageError(f"Number {name} fits several: {', '.join(found)}.")
    raise UsageError(
        f"No data set {name!r}: it is no folder with a dataset.json, and {raw} has "
        f"{', '.join(there) if there else 'no data set'}.{did_you_mean(name, there)} "
        "Give a path, or --root."
    )


def stamps_of(files: Iterable[Path]) -> list[list[str | int | None]]:
    """Return what tells whether files have changed, without reading them.

    Parameters
    ----------
    files : iterable of Path
        Files of a case.

    Returns
    -------
    list of [str, int, int]
        Name, size in bytes and time of the last change in nanoseconds of each; None
        for both where there is no file. JSON values.
    """
    stamps: list[list[str | int | None]] = []
    for file in files:
        try:
            status = file.stat()
        except OSError:
            stamps.append([file.name, None, None])
        else:
            stamps.append([file.name, status.st_size, status.st_mtime_ns])
    return stamps


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Folders of one data set.

    Parameters
    ----------
    root : Path
        ROOT.
    dataset : str
        Name of the data set.
    """

    root: Path
    dataset: str

    @classmethod
    def find(
        cls,
        dataset: str | os.PathLike[str],
        root: str | os.PathLike[str] | None = None,
    ) -> Workspace:
        """Return the folders of a data set that is named as a user does.

        Parameters
        ----------
        dataset : str or path
            See `find_dataset`.
        root : str or path, optional
            See `find_root`.

        Returns
        -------
        Workspace
            Nothing of it has to exist yet.
        """
        place = find_root(root)
        return cls(root=place, dataset=find_dataset(dataset, place).name)

    @property
    def preprocessed(self) -> Path:
        """Folder of fingerprint, plans and preprocessed cases."""
        return self.root / "preprocessed" / self.dataset

    @property
    def fingerprint(self) -> Path:
        """The fingerprint."""
        return self.preprocessed / "fingerprint.json"

    @property
    def fingerprint_sources(self) -> Path:
        """Of which files the fingerprint was made: a stamp for each case."""
        return self.preprocessed / "fingerprint.sources.json"

    @property
    def origin(self) -> Path:
        """Which folder the data set is, so that no namesake is taken for it."""
        return self.preprocessed / "origin.json"

    @property
    def fingerprint_partial(self) -> Path:
        """Folder of what is measured of each case while a fingerprint is made."""
        return self.preprocessed / "fingerprint.partial"

    @property
    def description(self) -> Path:
        """A copy of dataset.json, as it was when the cases were preprocessed."""
        return self.preprocessed / "dataset.json"

    @property
    def measured_networks(self) -> Path:
        """What was measured of networks that are written in torch."""
        return self.preprocessed / "networks.json"

    @property
    def stages(self) -> Path:
        """What commands took: a line of JSON for each that ended well."""
        return self.preprocessed / "stages.jsonl"

    @property
    def splits(self) -> Path:
        """Training and validation ids of each fold."""
        return self.preprocessed / "splits.json"

    def plan(self, plan: str) -> Path:
        """Return the file of a plan."""
        return self.preprocessed / "plans" / f"{plan}.json"

    def measurement(self, plan: str) -> Path:
        """Return the file with what a step of a plan took on a real machine."""
        return self.preprocessed / "measurements" / f"{plan}.json"

    def data(self, data_id: str) -> Path:
        """Return the folder of preprocessed cases; see `Plan.data_id`."""
        return self.preprocessed / data_id

    @property
    def results(self) -> Path:
        """Folder of everything that was trained on this data set."""
        return self.root / "results" / self.dataset

    def model(self, plan: str, configuration: str) -> Path:
        """Return the folder of a trained configuration: all its folds."""
        return self.results / plan / configuration

    @property
    def run(self) -> Path:
        """What `autoseg.run` has decided and spent."""
        return self.results / "autoseg_run.json"

    @property
    def best(self) -> Path:
        """The bundle of what predicts best."""
        return self.results / "best" / "model.zip"

    def kept_outputs(self, plan: str, configuration: str) -> Path:
        """Return the folder of outputs for cases that a fold was not trained on."""
        return self.results / "best" / "outputs" / plan / configuration

    def fold(self, plan: str, configuration: str, fold: int | str) -> Path:
        """Return the folder of one fold; ``fold`` is a number or ``"all"``."""
        return self.model(plan, configuration) / f"fold_{fold}"


# Names of files in a case's, model's or fold's folder.
MODEL_PLAN = "plan.json"
MODEL_DATASET = "dataset.json"
MODEL_FINGERPRINT = "fingerprint.json"
CHECKPOINT_LATEST = "checkpoint_latest.pt"  # training state, to go on from
CHECKPOINT_BEST = "checkpoint_best.pt"  # weights only, as final
CHECKPOINT_FINAL = "checkpoint_final.pt"
RUN = "run.json"
LOG = "log.jsonl"
PROGRESS = "progress.png"
LOGGERS_FILE = "loggers.json"  # which run of each logger a fold is
VALIDATION = "validation"
PRETRAINED = "pretrained"  # beside the folds: what was learned from images alone
SUMMARY = "summary.json"
POSTPROCESSING = "postprocessing.json"  # in a bundle
CONFIDENCE = "confidence.json"  # how far to trust points, learnt from validation
CALIBRATION = "calibration.json"  # how sure outputs may be, learnt from validation
SCORES = "scores.json"  # what scores of objects mean, learnt from validation
SAMPLES = "calibration"  # in a fold's folder: voxels that it was learnt from
REPORT = "report.html"
SCALE = "scale.json"  # how large the objects are that a model knows
DECODING = "decoding.json"  # parameters of decoding that a fold has tuned
KEPT_OUTPUTS = "outputs"  # in a fold's folder, while they are tuned
UNCERTAINTY = "uncertainty.json"  # one number for each case
SUMMARY_TABLE = "summary.csv"
PREVIEW = "_preview.png"  # after the id of a case: its prediction over its image
ALL_POINTS = "points"  # and an ending: a file with the predicted points of all cases
