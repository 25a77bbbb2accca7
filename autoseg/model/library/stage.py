"""List the models that have a name, add one, take one away, show its card."""

from __future__ import annotations

import os
import time
import urllib.parse
import zipfile
from dataclasses import dataclass
from pathlib import Path

from autoseg.atomic import sweep_temporaries, temporary_of
from autoseg.errors import ModelError, UsageError, did_you_mean
from autoseg.model.bundle import CARD, is_bundle, read_bundle
from autoseg.model.library import shelf
from autoseg.model.library.fetch import fetch, is_address
from autoseg.model.packed import MANIFEST
from autoseg.spec.foreign.archive import Archive

ACTIONS = ("list", "add", "show", "remove")


@dataclass(frozen=True, kw_only=True)
class NamedModel:
    """A model that can be asked for by name.

    Parameters
    ----------
    name : str
        As in ``autoseg predict -m NAME``.
    path : Path
        Its file.
    bytes : int
        Size of the file.
    dataset : str
        What it was trained on.
    license : str
        Terms of the weights, as stated.
    source : str
        Where it was added from; empty if it comes along with autoseg.
    problem : str
        Why it cannot be used; mostly empty.
    """

    name: str
    path: Path
    bytes: int
    dataset: str = ""
    license: str = ""
    source: str = ""
    problem: str = ""

    @property
    def card(self) -> str:
        """What is known about it, in Markdown."""
        with Archive(self.path) as archive:
            return archive.read(CARD).decode(errors="replace")


def models(
    action: str = "list",
    source: str | os.PathLike[str] | None = None,
    *,
    name: str | None = None,
    sha256: str | None = None,
    overwrite: bool = False,
) -> list[NamedModel]:
    """List models that have a name, or add, show or remove one.

    Parameters
    ----------
    action : str
        ``"list"``, ``"add"``, ``"show"`` or ``"remove"``.
    source : str or path, optional
        To add: a bundle, or its address, which begins with ``https://``. To show or
        remove: a name.
    name : str, optional
        Of what is added; by default its file's.
    sha256 : str, optional
        What the file must have, in hexadecimal digits; it is not kept otherwise.
    overwrite : bool
        Replace an added model of the same name.

    Returns
    -------
    list of NamedModel
        All models, or the one that was added, shown or removed.

    Raises
    ------
    UsageError
        If there is no such action or model, or the name is taken.
    ModelError
        If what is added is no bundle, is damaged, or does not arrive.
    """
    if action not in ACTIONS:
        hint = did_you_mean(action, ACTIONS)
        raise UsageError(f"models can {', '.join(ACTIONS)}, but not {action!r}.{hint}")
    if action == "list":
        if source is not None:
            raise UsageError(f"list takes nothing more; {source} was given.")
        return [_described(n, file) for n, file in sorted(shelf.named().items())]
    if source is None:
        what = "a file or an address" if action == "add" else "a name"
        raise UsageError(f"models {action}: give {what} too.")
    if action == "add":
        return [_add(os.fspath(source), name, sha256, overwrite)]
    return [_found(os.fspath(source)) if action == "show" else _remove(source)]


def _add(
    source: str, name: str | None, sha256: str | None, overwrite: bool
) -> NamedModel:
    chosen = shelf.check_name(_stem(source) if name is None else name)
    if chosen in shelf.shipped():
        raise UsageError(
            f"{chosen!r} is the name of a model that comes along with autoseg. Give "
            "another one with --name."
        )
    if chosen in shelf.added() and not overwrite:
        raise UsageError(
            f"There is a model {chosen!r} already, {shelf.added()[chosen]}. Give "
            "another name with --name, or --overwrite."
        )
    folder = shelf.user_folder()
    file = folder / f"{chosen}.zip"
    folder.mkdir(parents=True, exist_ok=True)
    sweep_temporaries(folder, (file.name,))
    temporary = temporary_of(file)
    try:
        fetch(source, temporary)
        receipt = shelf.Receipt(
            sha256=_checked(temporary, source, sha256),
            bytes=temporary.stat().st_size,
            source=_kept_source(source),
            added=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )
        # Between the two, the checksum differs, and says so; never the wrong model.
        receipt.save(file.with_suffix(".json"))
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
    return _described(chosen, file)


def _checked(file: Path, source: str, sha256: str | None) -> str:
    """Return a file's checksum once it is known to be a whole bundle."""
    found = shelf.sha256_of(file)
    if sha256 is not None and sha256.strip().lower() != found:
        raise ModelError(
            f"{source} has the SHA-256 {found}, not {sha256}. It is not kept."
        )
    try:
        if zipfile.is_zipfile(file):
            Archive(file).close()  # what is unsafe says so
        if not is_bundle(file):
            raise ModelError(
                f"{source} is no bundle. Make one with `autoseg export -m MODEL -o "
                "FILE.zip`, of a model of nnU-Net with `autoseg import_nnunet`."
            )
        read_bundle(file)
    except ModelError as error:
        raise ModelError(str(error).replace(str(file), source)) from None
    return found


def _stem(source: str) -> str:
    """Return the name of a file without its ending, as small letters.

    Examples
    --------
    >>> _stem("https://host/models/Cells%202.zip?download=1")
    'cells-2'
    """
    if is_address(source):
        source = urllib.parse.unquote(urllib.parse.urlsplit(source).path)
    stem = source.replace("\\", "/").rpartition("/")[2].strip().lower()
    return stem.removesuffix(".zip").replace(" ", "-")


def _kept_source(source: str) -> str:
    """Return an address without what may be secret in it, or an absolute path."""
    if not is_address(source):
        return str(Path(source).expanduser().absolute())
    parts = urllib.parse.urlsplit(source)
    host = parts.netloc.rpartition("@")[2]
    return urllib.parse.urlunsplit((parts.scheme, host, parts.path, "", ""))


def _remove(name: str | os.PathLike[str]) -> NamedModel:
    found = _found(os.fspath(name))
    if found.name in shelf.shipped():
        raise UsageError(f"{found.name!r} comes along with autoseg and stays.")
    found.path.unlink()
    found.path.with_suffix(".json").unlink(missing_ok=True)
    return found


def _found(name: str) -> NamedModel:
    names = shelf.named()
    if name not in names:
        hint = did_you_mean(name, names)
        raise UsageError(
            f"No model is called {name!r}.{hint} There are: "
            f"{', '.join(sorted(names)) or 'none'}."
        )
    return _described(name, names[name])


def _described(name: str, file: Path) -> NamedModel:
    """Return what a model's file says of itself; what is wrong with it is told too."""
    found = NamedModel(name=name, path=file, bytes=file.stat().st_size)
    try:
        source = "" if name in shelf.shipped() else shelf.receipt_of(file).source
        with Archive(file) as archive:
            manifest = archive.read_json(MANIFEST)
    except ModelError as error:
        return NamedModel(name=name, path=file, bytes=found.bytes, problem=str(error))
    return NamedModel(
        name=name,
        path=file,
        bytes=found.bytes,
        dataset=str(manifest.get("dataset", "")),
        license=str(manifest.get("license", "")),
        source=source,
    )
