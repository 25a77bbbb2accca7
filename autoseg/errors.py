"""Every error that autoseg raises on purpose.

* AutosegError
  - UsageError       a command or function was called with what cannot be
  - DatasetError     a data set folder breaks the layout in docs/dataset.md
  - FormatError      one image or annotation file cannot be read or written
  - PlanError        a plan or another JSON file of ours contradicts itself
  - PluginError      a plug-in is missing, or breaks the rules in docs/extending.md
  - ModelError       a model folder or bundle is incomplete, damaged or unsafe
  - TrainingError    training cannot start or go on
  - ClusterError     a cluster, or a worker of it, cannot do what is asked
  - CaseErrors       some cases failed while the others were finished

A message says what was found, where, and what to do. Anything else that escapes
autoseg is a bug in autoseg.
"""

from __future__ import annotations

import errno
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence

# What the machine says no to, rather than the data, or a bug in autoseg.
MACHINE_ERRORS = {
    getattr(errno, name)
    for name in (
        *("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM"),
        *("ENOMEM", "EMFILE", "ENFILE"),
    )
    if hasattr(errno, name)
}
NO_TEMPORARY = "No usable temporary directory"  # of Python's tempfile
# What belongs to one file, and not to the whole machine.
_OF_A_FILE = {errno.EACCES, errno.EPERM}
# What a file is called until it is complete: see `autoseg.atomic.temporary_of`.
_UNFINISHED = re.compile(r"\.([^/\\]+)\.\d+-\w+\.tmp$")


def stops_everything(error: BaseException) -> bool:
    """Return whether an error would meet every case alike: full disk, no memory.

    Examples
    --------
    >>> stops_everything(OSError(errno.ENOSPC, "No space left on device"))
    True
    >>> stops_everything(OSError(errno.ENOENT, "No such file"))
    False
    """
    if isinstance(error, (MemoryError, ImportError, ClusterError)):
        return True
    number = error.errno if isinstance(error, OSError) else None
    return number in MACHINE_ERRORS - _OF_A_FILE


def of_machine(error: BaseException) -> str | None:
    """Return what is said of a full disk, of no rights and the like.

    Parameters
    ----------
    error : BaseException
        Anything.

    Returns
    -------
    str or None
        Without a stop at its end; None: it is something else, and its traceback may
        tell what.

    Examples
    --------
    >>> of_machine(OSError(errno.ENOSPC, "No space left on device"))
    '[Errno 28] No space left on device'
    >>> of_machine(PermissionError(errno.EACCES, "No", "/a/.b.json.12-0f.tmp"))[:9]
    '/a/b.json'
    """
    if not isinstance(error, OSError):
        return None
    if error.errno in _OF_A_FILE and error.filename is not None:
        meant = _UNFINISHED.sub(r"\1", str(error.filename))
        return (
            f"{meant} may not be read or written ({error.strerror}): change "
            "its permissions or those of its folder, ask its owner, or give another "
            "place"
        )
    if error.errno in MACHINE_ERRORS:
        return str(error)
    if NO_TEMPORARY in str(error):  # tempfile tries to write into each
        return (
            "No folder for temporary files can be written to. Is the disk full? "
            "TMPDIR says which folder is taken"
        )
    return None


def printable(text: str) -> str:
    """Return a text that changes nothing on a terminal: escapes are spelled out.

    Examples
    --------
    >>> print(printable("a" + chr(27) + "[31mb"))
    a\\x1b[31mb
    """
    return "".join(
        letter
        if letter in "\n\t" or unicodedata.category(letter) not in UNPRINTABLE
        else letter.encode("unicode_escape").decode()
        for letter in text
    )


UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")  # control, half of a pair, ends of lines


class AutosegError(Exception):
    """Base of all errors that autoseg raises on purpose."""

    exit_code = 2  # a mistake in what was given


class UsageError(AutosegError):
    """A command or function was called with values that cannot be."""


class DatasetError(AutosegError):
    """The data set folder does not follow the documented layout."""


class FormatError(AutosegError):
    """An image or annotation file cannot be read or written."""


class PlanError(AutosegError):
    """A plan, or another JSON file that autoseg reads, contradicts itself."""


class PluginError(AutosegError):
    """A plug-in is missing, or its file breaks the plug-in rules."""


class ModelError(AutosegError):
    """A model is incomplete, damaged, or would execute code."""


class TrainingError(AutosegError):
    """Training cannot start or go on."""


class ClusterError(AutosegError):
    """A cluster, or a worker of it, cannot do what is asked."""


class CaseErrors(AutosegError):
    """Some cases failed; everything else was finished and written.

    Parameters
    ----------
    stage : str
        What was being done, as in ``"preprocess"``.
    failures : mapping of str to Exception
        The reason, for each case that failed.
    finished : int
        How many cases went through.
    """

    exit_code = 1

    def __init__(
        self, stage: str, failures: Mapping[str, Exception], finished: int
    ) -> None:
        self.stage = stage
        self.failures = dict(failures)
        self.finished = finished
        failed = len(self.failures)
        rest = ", the others are done" if finished else ""
        super().__init__(
            f"{stage}: {failed} of {amount(failed + finished, 'case')} "
            f"failed{rest}. Mend these and run the same command again:\n"
            + "\n".join(_by_reason(self.failures))
        )


def _by_reason(failures: Mapping[str, Exception]) -> Iterator[str]:
    """Give a line for each reason, with the first case, and another for its others.

    Reasons are the same if nothing but the case's name differs; a number as a name may
    stand for something else in them.
    """
    alike: dict[str, list[str]] = {}
    for case, error in failures.items():
        reason = _told(error)
        if not case.isdigit():
            reason = reason.replace(case, "\0")
        alike.setdefault(reason, []).append(case)
    for cases in alike.values():
        yield f"  {cases[0]}: {_told(failures[cases[0]])}"
        if len(cases) > 1:
            more = amount(len(cases) - 1, "more case")
            yield f"    The same in {more}: {some_of(cases[1:])}"


def _told(error: Exception) -> str:
    """Return what is said of a case's error, in one line or more."""
    if isinstance(error, AutosegError):
        return str(error)
    said = of_machine(error)
    return repr(error) if said is None else f"{said}."


class PartDone(AutosegError):
    """One part of a stage that is shared out is done; other parts are not.

    The part that is done last makes the result, and raises nothing.
    """

    exit_code = 0  # no failure


def some_of(things: Sequence[object], most: int = 5, between: str = ", ") -> str:
    """Return a list as a message shows it: the first ones, and how many more.

    Parameters
    ----------
    things : sequence
        Such as names of cases.
    most : int
        How many are shown.
    between : str
        What stands between two of them.

    Returns
    -------
    str
        In one line.

    Examples
    --------
    >>> some_of(["a", "b", "c"], most=2)
    'a, b and 1 more'
    >>> some_of([3, 5], between=" or ")
    '3 or 5'
    """
    shown = between.join(map(str, things[:most]))
    more = len(things) - most
    return f"{shown} and {more} more" if more > 0 else shown


# Options of commands that have another name, or no value, as parameters.
_PARAMETERS = {
    "set": "settings",
    **{
        name: f"{name.replace('-', '_')}=True"
        for name in ("overwrite", "retrain-changed", "straighten", "exact", "clean")
    },
}
_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z0-9]*(?:-[a-z0-9]+)*)")
_COMMAND = re.compile(r"(`autoseg [^`]*`|\bautoseg [a-z_]+:? [^\n`]*)")


def for_python(text: str) -> str:
    """Return a message with parameters where it names options of a command.

    Commands that are to be typed stay as they are.

    Examples
    --------
    >>> for_python("--time-budget is 0; give more. Or give --overwrite.")
    'time_budget is 0; give more. Or give overwrite=True.'
    >>> for_python("Try --no-validation, or `autoseg check D --all`.")
    'Try validation=False, or `autoseg check D --all`.'
    """
    parts = _COMMAND.split(text)
    parts[::2] = [_OPTION.sub(_parameter, part) for part in parts[::2]]
    return "".join(parts)


def _parameter(found: re.Match[str]) -> str:
    name = found[1]
    if name.startswith("no-"):
        return f"{name.removeprefix('no-').replace('-', '_')}=False"
    return _PARAMETERS.get(name, name.replace("-", "_"))


def amount(count: int, noun: str, plural: str = "") -> str:
    """Return a number with what it counts.

    Examples
    --------
    >>> amount(1, "case"), amount(3, "case"), amount(2, "box", "boxes")
    ('1 case', '3 cases', '2 boxes')
    """
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return a sentence with the nearest of some names, to put after a message.

    Parameters
    ----------
    name : str
        What was given.
    names : iterable of str
        What could have been meant.

    Returns
    -------
    str
        Begins with a space; empty if nothing is near.

    Examples
    --------
    >>> did_you_mean("3d_fulres", ["2d", "3d_fullres"])
    " Did you mean '3d_fullres'?"
    >>> did_you_mean("MyHipo", ["Dataset004_MyHippocampus", "Dataset003_Liver"])
    " Did you mean 'Dataset004_MyHippocampus'?"
    """
    import difflib

    given = name.casefold()
    near_by: dict[str, str] = {known.casefold(): known for known in names}
    for key, known in list(near_by.items()):
        # Half of a name is what one remembers of Dataset004_Hippocampus.
        near_by.setdefault(key.replace(".", "_").rpartition("_")[2], known)
    near = difflib.get_close_matches(given, near_by, n=1)
    return f" Did you mean {near_by[near[0]]!r}?" if near else ""
