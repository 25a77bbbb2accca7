"""Write a made-up data set, so that it can be stopped and go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoseg.errors import UsageError
from autoseg.parallel import map_cases
from autoseg.spec.json import dumps, write_text

WriteCase = Callable[[int, Path, Path], None]  # number, image and annotation


@dataclass(frozen=True, kw_only=True)
class MadeUp:
    """A made-up data set: a call writes it, and what is there is not made again.

    Parameters
    ----------
    description : mapping
        Of dataset.json.
    size : int
        Edge of an image by default, in voxels.
    write : callable
        Writes a case, given the seed, its number from 0, the size, its image's file
        and its annotation's.
    """

    description: Mapping[str, Any]
    size: int
    write: Callable[[int, int, int, Path, Path], None]

    def __call__(
        self,
        folder: Path,
        training: int = 20,
        test: int = 5,
        seed: int = 0,
        size: int | None = None,
        workers: int | None = None,
    ) -> Path:
        """Write the data set.

        Parameters
        ----------
        folder : Path
            The data set's folder.
        training, test : int
            Number of cases.
        seed : int
            Of everything.
        size : int, optional
            Edge of an image in voxels.
        workers : int, optional
            Cases at a time.

        Returns
        -------
        Path
            The folder; see `write_dataset`.
        """
        edge = self.size if size is None else size
        return write_dataset(
            folder,
            self.description,
            lambda number, *files: self.write(seed, number, edge, *files),
            training,
            test,
            {"seed": seed, "size": edge},
            workers=workers,
        )


def write_dataset(
    folder: Path,
    description: Mapping[str, Any],
    write: WriteCase,
    training: int,
    test: int,
    made_with: Mapping[str, Any],
    workers: int | None = None,
) -> Path:
    """Write cases and then dataset.json; what is there already is not made again.

    Parameters
    ----------
    folder : Path
        The data set's folder. The truth of the test images goes into ``labelsTs``,
        which no stage looks into.
    description : mapping
        Of dataset.json. Cases are named after its ``name``.
    write : callable
        Writes a case, given its number from 0, its image's file and its annotation's.
    training, test : int
        Number of cases.
    made_with : mapping
        What decides how cases look; another one makes another data set.
    workers : int, optional
        Cases at a time.

    Returns
    -------
    Path
        The folder, with a dataset.json.

    Raises
    ------
    UsageError
        If the folder holds another data set, or other files.
    """
    made_with = {**made_with, "training": training, "test": test}
    file = folder / "dataset.json"
    if file.is_file():
        if _made_with(file) != made_with:
            raise UsageError(
                f"{folder} holds another data set ({_made_with(file) or 'not ours'}). "
                "Give another --folder."
            )
        return folder
    ending = description["file_ending"]
    label_ending = description.get("label_ending", ending)

    def files_of(number: int) -> tuple[Path, Path]:
        part = "Tr" if number < training else "Ts"
        name = f"{description['name'].lower()}_{number + 1:03d}"
        image = folder / f"images{part}" / f"{name}_0000{ending}"
        return image, folder / f"labels{part}" / f"{name}{label_ending}"

    def write_case(number: int) -> None:
        image, annotation = files_of(number)
        if not (image.is_file() and annotation.is_file()):
            write(number, image, annotation)

    ours = {file for number in range(training + test) for file in files_of(number)}
    others = (path for path in folder.rglob("*") if path.is_file())
    foreign = next((p for p in others if p not in ours and p.name[0] != "."), None)
    if foreign is not None:
        raise UsageError(
            f"{folder} holds files that autoseg did not make, such as {foreign}. "
            "Nothing was done. Give another --folder."
        )
    map_cases(write_case, range(training + test), stage="make images", workers=workers)
    complete = {**description, "numTraining": training, "made_with": made_with}
    write_text(file, dumps(complete))  # last: it stands for a complete data set
    return folder


def _made_with(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8")).get("made_with")
    except (ValueError, AttributeError):
        return None
