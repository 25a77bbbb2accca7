"""The interface of a file format, and finding the one for a file."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import FormatError
from autoseg.formats import FORMATS
from autoseg.formats._arrays import as_integers, fit_channels, integers_in_file
from autoseg.formats._checks import (
    must_agree,
    must_be_exact,
    must_exist,
    must_have_size,
)
from autoseg.formats.header import (
    SHIFTED,
    measured_in,
    notes_of,
    remarks_of,
    shift_between,
    with_remarks,
)
from autoseg.geometry.mapped import is_mapped
from autoseg.spec.arrays.windowed import Joined, Windowed, windowed
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.foreign.channels import misnamed
from autoseg.spec.foreign.place import place_of
from autoseg.spec.image import Geometry, Image

Array = NDArray[Any]
SHIFT = 0.1  # of the shortest edge of a voxel: less is rounding of headers
SLICES = "dicom"  # the format of images that are many files


class Format(ABC):
    """Reads and writes one family of files.

    A plug-in implements `load`, `write_labels` and `write_image`; reading one file for
    each channel, agreement of their geometry and whole label values are seen to here.

    Attributes
    ----------
    endings : tuple of str
        Lower case, with the dot. The longest that fits a file wins.
    also : tuple of str
        Endings that are read by this format only when it is asked for by name.
    automatic : bool
        Whether files are read by this format without anybody asking for it by name.
    several_units : bool
        Whether files may be in other units than each other where none is asked for.
    writes : bool
        Whether it writes; what is only read is predicted in another format.
    folders : bool
        Whether a "file" of this format is a folder.
    parted : tuple of str
        Endings of files that may hold several cases.
    probabilities_ending : str
        Ending of the files that `write_image` writes next to a prediction.
    """

    endings: ClassVar[tuple[str, ...]]
    also: ClassVar[tuple[str, ...]] = ()
    automatic: ClassVar[bool] = True
    several_units: ClassVar[bool] = False
    writes: ClassVar[bool] = True
    folders: ClassVar[bool] = False
    parted: ClassVar[tuple[str, ...]] = ()
    probabilities_ending: ClassVar[str]

    @abstractmethod
    def load(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> tuple[Array, Geometry]:
        """Read one file.

        Parameters
        ----------
        path : Path
            A file that exists.
        spacing : sequence of float, length D, optional
            For files that carry none; slowest axis first.
        unit : str, optional
            Unit of the spacing; by default what the file says.
        channels : int, optional
            How many channels are expected, to tell channels from slices where the
            file itself does not.

        Returns
        -------
        array : ndarray, shape (C, *S)
            In the file's own number type.
        geometry : Geometry
            Of the spatial axes.

        Raises
        ------
        FormatError
            If the file cannot be read.
        """

    def open(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> tuple[Any, Geometry] | None:
        """Open one file without reading its voxels, if it is large.

        Parameters
        ----------
        path, spacing, unit, channels
            As in `load`.

        Returns
        -------
        array : ndarray or Windowed, shape (C, *S)
            What `load` would give, as a memory map or as what is read by windows.
        geometry : Geometry
            As of `load`.

        None stands for both where the file is small, by
        `autoseg.geometry.mapped.is_large`, or has to be read as a whole.
        """
        return None

    def geometry(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> Geometry:
        """Return the geometry that `load` finds; where it can, from the header alone.

        Whether the file is whole is not looked at. The fields of the header that
        writing the same geometry needs may be left out.
        """
        return self.load(path, spacing, unit, channels)[1]

    def load_labels(
        self, path: Path, spacing: Sequence[float] | None, unit: str | None
    ) -> tuple[Array, Geometry]:
        """Read one annotation file as `load` does."""
        return self.load(path, spacing, unit, 1)

    @abstractmethod
    def write_labels(self, path: Path, labels: Array, geometry: Geometry) -> None:
        """Write an integer array of shape S, atomically, in the given geometry.

        Raises
        ------
        FormatError
            If this kind of file cannot hold the values.
        """

    def name_labels(  # noqa: B027 - may be left
        self,
        path: Path,
        names: Mapping[int, str],
        colors: Mapping[str, Sequence[int]],
    ) -> None:
        """Write names and colors of label values into a file of `write_labels`.

        Parameters
        ----------
        path : Path
            The file.
        names : mapping of int to str
            By value, background left out. Files that have no place for them stay.
        colors : mapping of str to sequence of int
            By name: red, green and blue, 0 to 255.
        """

    @abstractmethod
    def write_image(self, path: Path, array: Array, geometry: Geometry) -> None:
        """Write a float32 array of shape (C, *S) or S, atomically."""

    def cases(self, path: Path) -> list[dict[str, str]]:
        """Return what to ask of a file for each image in it that is a case of its own.

        Positions and time points are cases. `autoseg.spec.foreign.place.with_part`
        makes the paths of them; what asks for nothing is the file itself.
        """
        return [{}]

    def is_picture(self, path: Path) -> bool:
        """Return whether a file is a picture by what it says of itself.

        Only there is gray the same as three equal colors, and an opaque alpha channel
        nothing. Asked only of files whose channels do not fit.
        """
        return False

    def called(self, path: Path) -> tuple[str, ...]:
        """Return what a file calls its channels, in order; empty: it does not say."""
        return ()

    def scaling(self, path: Path) -> str:
        """Return what to do if a file's header scales its values; empty: it does not.

        Asked only of annotations whose values are not whole.
        """
        return ""

    def loses(self, path: Path) -> str:
        """Return by which packing a file changed its values; empty: by none.

        Such a file is no annotation, whatever its name is.
        """
        return ""

    def remarks(self, geometry: Geometry) -> tuple[str, ...]:
        """Return what is odd about the header that a geometry was read from."""
        return remarks_of(geometry)

    def notes(self, geometry: Geometry) -> tuple[str, ...]:
        """Return what was taken for what a header does not say."""
        return notes_of(geometry)

    def read_image(
        self,
        paths: Sequence[Path],
        *,
        spacing: Sequence[float] | None = None,
        unit: str | None = None,
        channels: int | None = None,
        names: Sequence[str] = (),
        lazily: bool = False,
    ) -> Image:
        """Read an image from one file for each channel, or one that holds them all.

        Parameters
        ----------
        paths : sequence of Path
            Files, in the order of the channels.
        spacing : sequence of float, length D, optional
            For files that carry none; slowest axis first.
        unit : str, optional
            Unit of the spacing; by default what the files say.
        channels : int, optional
            How many channels there must be in all.
        names : sequence of str
            Of the channels, where they are known; see `fit_channels`.
        lazily : bool
            Leave a large image where it is, if the format can map it into memory.

        Returns
        -------
        Image
            float32, channels first; the geometry is that of the first file. If left
            where it is, a memory map or a `Windowed` in the file's own type, not to be
            written to.

        Raises
        ------
        FormatError
            If a file is missing or damaged, if shapes, spacings or directions of the
            files differ, or if the number of channels is wrong.
        """
        if not paths:
            raise FormatError("no file is given to read an image from.")
        share = channels if len(paths) == 1 else 1 if len(paths) == channels else None
        arrays: list[Array] = []
        called: list[str] = []
        shifts: dict[str, float] = {}
        first: Geometry | None = None
        for path in paths:
            self._must_be_there(path)
            opened = self.open(path, spacing, unit, share) if lazily else None
            array, geometry = opened or self.load(path, spacing, unit, share)
            must_have_size(geometry, path)
            if share is not None and len(array) != share:
                picture = self.is_picture(path)
                array = fit_channels(array, share, path, names, picture)
            if array.dtype.kind == "c":
                raise FormatError(f"{path} holds complex numbers; save the magnitude.")
            if first is not None:
                must_agree(first, paths[0], geometry, path)
                shifts[path.name] = shift_between(first, geometry)
            first = first or geometry
            arrays.append(array)
            called += self.called(path) if names else ()
        found = sum(len(array) for array in arrays)
        if channels is not None and found != channels:
            raise FormatError(
                f"{paths[0]} and {len(paths) - 1} more hold {found} channels, but "
                f"dataset.json names {channels}. Correct `channel_names` or the files."
            )
        first = _remembering(first or geometry, shifts)
        first = with_remarks(first, misnamed(called, names))
        if lazily and any(is_mapped(array) for array in arrays):
            lazy: Any = windowed(arrays[0])
            if len(arrays) > 1:
                lazy = Windowed(Joined(tuple(arrays)))
            return Image(array=lazy, geometry=first, path=Path(paths[0]))
        joined = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
        with np.errstate(over="ignore"):  # checks say so of what is infinite
            array = np.ascontiguousarray(joined, dtype=np.float32)
        if not array.flags.writeable:  # a view of the bytes of a file
            array = array.copy()
        return Image(array=array, geometry=first, path=Path(paths[0]))

    def read_labels(
        self,
        path: Path,
        *,
        spacing: Sequence[float] | None = None,
        unit: str | None = None,
        lazily: bool = False,
    ) -> tuple[Array, Geometry]:
        """Read an annotation of whole numbers.

        Parameters
        ----------
        path : Path
            The file.
        spacing : sequence of float, length D, optional
            For files that carry none; slowest axis first.
        unit : str, optional
            Unit of the spacing; by default what the file says.
        lazily : bool
            Leave a large one where it is, if the format can.

        Returns
        -------
        labels : ndarray of integers, shape S
            In the file's own type; whole floating-point values become integers. If
            left where it is, a `Windowed`.
        geometry : Geometry
            Of the file.

        Raises
        ------
        FormatError
            If the file is missing or damaged, has values that are not whole or that
            packing has changed, or several channels that differ.
        """
        self._must_be_there(path)
        must_be_exact(path, self.loses(path))
        opened = self.open(path, spacing, unit, 1) if lazily else None
        if opened is not None and len(opened[0]) == 1:
            must_have_size(opened[1], path)
            lazy: Any = integers_in_file(opened[0][0], path, self.scaling)
            return lazy, opened[1]
        array, geometry = self.load_labels(path, spacing, unit)
        must_have_size(geometry, path)
        picture = len(array) == 1 or self.is_picture(path)
        return as_integers(array, path, picture, self.scaling), geometry

    def _must_be_there(self, path: Path) -> None:
        """Raise FormatError unless a path is there, and a file if it is called so."""
        endings = (*self.endings, *self.also)
        named = match_ending(Path(path).name.lower(), endings) is not None
        must_exist(path, self.folders or not named)


def _remembering(geometry: Geometry, shifts: Mapping[str, float]) -> Geometry:
    """Return the geometry of an image that knows which of its files lie elsewhere."""
    far = {name: shift for name, shift in shifts.items() if shift > SHIFT}
    if not far:
        return geometry
    return replace(geometry, header={**geometry.header, SHIFTED: far})


def find_format(ending_or_path: str | Path, name: str | None = None) -> Format:
    """Return the format that reads and writes files of an ending.

    Parameters
    ----------
    ending_or_path : str or Path
        An ending such as ``".nii.gz"``, or a file's path.
    name : str, optional
        The format to prefer, a file in ``autoseg/formats``; where it does not know the
        ending (png labels of NIfTI images), the ending decides.

    Returns
    -------
    Format
        The format.

    Raises
    ------
    FormatError
        If no format knows the ending.
    PluginError
        If no format has this name.
    """
    text = _in_folder_image(Path(ending_or_path)).lower()
    if not text and (place := _many(Path(ending_or_path))):
        return place
    text = text or place_of(Path(ending_or_path)).name.lower()
    if name is not None:
        asked: Format = FORMATS[name]()
        if match_ending(text, (*asked.endings, *asked.also)):
            return asked
    ending = match_ending(text, tuple(_formats_by_ending()))
    if ending is None:
        known = " ".join(sorted(_formats_by_ending()))
        if text.endswith((".img", ".img.gz")):
            raise FormatError(
                f"{ending_or_path} is read by its header: of NIfTI and Analyze the "
                ".hdr beside it. Give that, in `file_ending` of dataset.json, too; of "
                f"other kinds, save it as one of these: {known}."
            )
        raise FormatError(
            f"{ending_or_path} is of no known format. There are: {known}."
        )
    return _formats_by_ending()[ending]


def folder_endings() -> tuple[str, ...]:
    """Return the endings of images that are folders."""
    return tuple(e for e, one in _formats_by_ending().items() if one.folders)


def is_folder_image(path: Path) -> bool:
    """Return whether a path is a folder that is an image by its name."""
    return path.is_dir() and match_ending(path.name, folder_endings()) is not None


def known_endings() -> tuple[str, ...]:
    """Return the endings that are read without asking for a format by name."""
    return tuple(sorted(_formats_by_ending()))


def writable(ending: str) -> str:
    """Return an ending, or for a format that is only read the one to write instead."""
    known = match_ending(ending, known_endings())
    if known is None or _formats_by_ending()[known].writes:
        return ending
    return _formats_by_ending()[known].probabilities_ending


def match_ending(name: str, endings: Sequence[str]) -> str | None:
    """Return the longest of the endings that a file's name has, or None.

    Upper and lower case are the same.
    """
    fitting = [ending for ending in endings if name.lower().endswith(ending.lower())]
    return max(fitting, key=len, default=None)


def read_image(case: Case, dataset: Dataset, *, lazily: bool = False) -> Image:
    """Read all channels of a case.

    Parameters
    ----------
    case : Case
        A case of the data set, or one with files of the same kind.
    dataset : Dataset
        Gives spacing, unit, format and the number of channels.
    lazily : bool
        See `Format.read_image`.

    Returns
    -------
    Image
        Of shape (C, *S), float32 unless it is read lazily.

    Raises
    ------
    FormatError
        See `Format.read_image`.
    """
    if not case.images:
        raise FormatError(f"case {case.id} has no image; put one into imagesTr.")
    image = find_format(case.images[0], dataset.format).read_image(
        case.images,
        spacing=dataset.spacing,
        unit=dataset.unit,
        channels=len(dataset.channel_names),
        names=dataset.channel_names,
        lazily=lazily,
    )
    return replace(image, geometry=measured_in(image.geometry, dataset.lengths))


def read_labels(
    path: Path, dataset: Dataset, *, lazily: bool = False
) -> tuple[Array, Geometry]:
    """Read an annotation of whole numbers.

    Parameters
    ----------
    path : Path
        The file.
    dataset : Dataset
        Gives spacing, unit and format.
    lazily : bool
        See `Format.read_labels`.

    Returns
    -------
    labels : ndarray of integers, shape S
        As in the file.
    geometry : Geometry
        Of the file.

    Raises
    ------
    FormatError
        See `Format.read_labels`.
    """
    labels, geometry = find_format(path, dataset.format).read_labels(
        path, spacing=dataset.spacing, unit=dataset.unit, lazily=lazily
    )
    return labels, measured_in(geometry, dataset.lengths)


def _in_folder_image(path: Path) -> str:
    """Return the name of the folder that is an image, if a path is in one."""
    above = (path, *path.parents)
    return next((p.name for p in above if match_ending(p.name, folder_endings())), "")


def _many(path: Path) -> Format | None:
    """Return the format of a folder or zip of slices, None of a file of its own."""
    place = place_of(path)
    packed = place.suffix.lower() == ".zip" and place.is_file()
    if place == path and not (path.is_dir() or packed):
        return None
    if not packed and match_ending(place.name, tuple(_formats_by_ending())):
        return None
    found: Format = FORMATS[SLICES]()
    return found


@functools.cache
def _formats_by_ending() -> dict[str, Format]:
    found: dict[str, Format] = {}
    for name in FORMATS.names():
        plugin = FORMATS[name]()
        if plugin.automatic:
            found.update(dict.fromkeys(plugin.endings, plugin))
    return found
