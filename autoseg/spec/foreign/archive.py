"""Files in a folder or in a zip, read without leaving either."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from autoseg.errors import AutosegError, ModelError, PlanError
from autoseg.spec.foreign.place import files_below
from autoseg.spec.json import parse_object

MOST_TEXT = 64 * 2**20  # bytes; a longer JSON file is no plan
MOST_RATIO = 2000  # of any member, unpacked to packed: deflate reaches half of it
MOST_BYTES = 64 * 2**30
# All that is read of a zip, to the zip itself: trained weights shrink by a tenth, where
# deflate makes a thousandth of zeros.
MOST_GROWTH = 20
ANY_BYTES = 256 * 2**20  # so much may come out of any zip: texts shrink well


class Archive:
    """Named files below one root; names use ``/`` and never lead outside.

    Nothing is ever unpacked to disk. Use it as a context manager.

    Parameters
    ----------
    path : Path
        A folder or a zip file.
    error : type
        What is raised; for the data of users another than for models.
    what : str
        What is in it, for messages.
    names : list of str, optional
        Of a folder, the files that are known; by default all that are there.

    Raises
    ------
    AutosegError
        ``error``,
        If there is neither, or the zip is damaged or holds a name that would leave it,
        a link, the same name twice, or a member that unpacks to something huge.
    """

    def __init__(
        self,
        path: Path,
        error: type[AutosegError] = ModelError,
        what: str = "model",
        names: list[str] | None = None,
    ) -> None:
        self.path, self._error, self._what = path, error, what
        self._zip: zipfile.ZipFile | None = None
        self._unpacked = 0
        if path.is_file():
            try:
                self._zip = zipfile.ZipFile(path)
            except (zipfile.BadZipFile, OSError) as problem:
                raise error(f"{path} is no zip, or is damaged: {problem}.") from None
            problems = _unsafe(self._zip.infolist())
            if problems:
                listed = "\n".join(f"  {problem}" for problem in problems[:10])
                raise error(f"{path} is refused, it is no honest {what}:\n{listed}")
            self.names = sorted(
                info.filename for info in self._zip.infolist() if not info.is_dir()
            )
        elif path.is_dir():
            self.names = names or sorted(
                file.relative_to(path).as_posix() for file in files_below(path)
            )
        else:
            raise error(f"{path} does not exist; give a {what}'s folder or zip.")
        self._known = frozenset(self.names)

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the zip."""
        if self._zip is not None:
            self._zip.close()

    @property
    def is_zip(self) -> bool:
        """Whether its files are packed."""
        return self._zip is not None

    def where(self, name: str) -> str:
        """Return how to call a file in a message."""
        return f"{self.path}{'!' if self._zip else ''}/{name}"

    def size_of(self, name: str) -> int:
        """Return how many bytes one of ``names`` has when it is unpacked."""
        if self._zip is None:
            return (self.path / name).stat().st_size
        return self._zip.getinfo(name).file_size

    def read(self, name: str, most: int = MOST_TEXT) -> bytes:
        """Return a file's content; nothing of it is unpacked before its size is known.

        Parameters
        ----------
        name : str
            One of ``names``.
        most : int
            Bytes that such a file can have at most.

        Raises
        ------
        ModelError
            If the file is missing or damaged, or a member of a zip that unpacks to more
            than that, or with what was read before to far more than the zip takes; it
            names the file.
        """
        if name not in self._known:
            raise self._error(
                f"{self.where(name)} is missing; the {self._what} is incomplete."
            )
        if self._zip is None:
            return (self.path / name).read_bytes()
        self._refuse_swelling(self._zip.getinfo(name), most)
        try:
            # No more than the size that the zip states is ever unpacked.
            return self._zip.read(name)
        except (zipfile.BadZipFile, OSError, EOFError, ValueError) as error:
            raise self._error(f"{self.where(name)} is damaged: {error}.") from None
        except Exception as error:  # zlib.error has no public base
            raise self._error(f"{self.where(name)} is damaged: {error}.") from None

    def read_json(self, name: str) -> dict[str, Any]:
        """Return a JSON object; raises ModelError naming the file and the place."""
        raw = self.read(name, MOST_TEXT)
        if len(raw) > MOST_TEXT:
            raise self._error(
                f"{self.where(name)} is too long for a JSON file of ours."
            )
        try:
            return parse_object(raw, self.where(name))
        except PlanError as error:
            raise self._error(str(error)) from None

    def _refuse_swelling(self, info: zipfile.ZipInfo, most: int) -> None:
        where = self.where(info.filename)
        if info.file_size > most:
            raise self._error(
                f"{where} unpacks to {info.file_size} bytes; {most} are the most that "
                "such a file can have."
            )
        self._unpacked += info.file_size
        size = self.path.stat().st_size
        if self._unpacked > ANY_BYTES + MOST_GROWTH * size:
            raise self._error(
                f"{where}: what is read of {size} bytes has unpacked to "
                f"{self._unpacked} so far; no such files shrink like that."
            )


def _unsafe(members: list[zipfile.ZipInfo]) -> list[str]:
    """Return what speaks against a zip's members."""
    problems = []
    seen: set[str] = set()
    for info in members:
        name = info.filename
        parts = PurePosixPath(name).parts
        if (
            name.startswith(("/", "\\"))
            or ".." in parts
            or "\\" in name
            or ":" in name
            or "\0" in name
        ):
            problems.append(f"{name!r} leads outside of the archive")
        if stat.S_ISLNK(info.external_attr >> 16):
            problems.append(f"{name!r} is a link")
        if name in seen:
            problems.append(f"{name!r} is there twice")
        if info.file_size > MOST_RATIO * max(info.compress_size, 1):
            problems.append(f"{name!r} unpacks to {info.file_size} bytes")
        seen.add(name)
    if sum(info.file_size for info in members) > MOST_BYTES:
        problems.append("together it unpacks to more than 64 GB")
    return problems
