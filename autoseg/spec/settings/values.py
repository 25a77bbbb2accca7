"""Whether plain JSON values are what a function's parameters want, in words.

Parts are made from options that stand in a plan or behind ``--set``. A wrong one is
found here, by the names and the types in the part's signature, with one sentence that
says what is wanted and what was given, before anything is made with it.
"""

from __future__ import annotations

import functools
import inspect
import json
import math
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from autoseg.errors import did_you_mean

ONE = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    Any: "any value",
}
MANY = {int: "whole numbers", float: "numbers", str: "texts", bool: "truth values"}
LONGEST = 60  # letters of a value in a message
UNIONS = (typing.Union, types.UnionType)
OWN_KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def wanted(hint: Any) -> str:
    """Return what a type hint asks for, in words.

    Examples
    --------
    >>> wanted(Sequence[int]), wanted(float | None)
    ('a list of whole numbers', 'a number or null')
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in UNIONS:
        named = [wanted(one) for one in inner if one is not type(None)]
        return " or ".join([*named, "null"] if type(None) in inner else named)
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, inner))}"
    if _is(origin, Mapping):
        return "an object"
    if _is(origin, Sequence):
        return _wanted_list(origin, inner)
    return ONE.get(hint, getattr(hint, "__name__", str(hint)))


def _wanted_list(origin: Any, inner: tuple[Any, ...]) -> str:
    if origin is tuple and inner[-1:] != (Ellipsis,):
        return f"a list of {len(inner)} {MANY.get(inner[0], 'values')}"
    of = inner[0]
    if _is(typing.get_origin(of), Sequence):
        return f"a list of lists of {MANY.get(typing.get_args(of)[0], 'values')}"
    return f"a list of {MANY.get(of, 'values')}"


def fits(hint: Any, value: Any) -> bool:
    """Return whether a JSON value is what a type hint asks for.

    A whole number is a number, too; true and false are no numbers. What the hint says
    that JSON cannot, such as a class, fits everything.

    Examples
    --------
    >>> fits(Sequence[int], [8, 16]), fits(Sequence[int], "8,16")
    (True, False)
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in UNIONS:
        return any(fits(one, value) for one in inner)
    if origin is typing.Literal:
        return value in inner
    if _is(origin, Mapping):
        of = inner[1] if len(inner) == 2 else Any
        return isinstance(value, Mapping) and all(fits(of, v) for v in value.values())
    if _is(origin, Sequence):
        return _fits_list(origin, inner, value)
    if hint is float:
        return _number(value) and math.isfinite(value)
    if hint is int:
        return _number(value) and float(value).is_integer()
    if hint in (str, bool, type(None)):
        return isinstance(value, hint)
    return True


def _fits_list(origin: Any, inner: tuple[Any, ...], value: Any) -> bool:
    if not isinstance(value, (list, tuple)):
        return False
    if origin is tuple and inner[-1:] != (Ellipsis,):
        same = len(value) == len(inner)
        return same and all(map(fits, inner, value))
    return all(fits(inner[0], one) for one in value)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is(origin: Any, kind: type) -> bool:
    return isinstance(origin, type) and issubclass(origin, kind)


def shown(value: Any) -> str:
    """Return a value as it stands in a message: short, texts in quotes.

    Examples
    --------
    >>> shown("8,16"), shown([8, 16]), shown(True)
    ("'8,16'", '[8, 16]', 'true')
    """
    if isinstance(value, str):
        text = repr(value)
    else:
        text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def fault(name: str, hint: Any, value: Any) -> str | None:
    """Return what is wrong with a value, in one sentence; None if it fits.

    Examples
    --------
    >>> fault("network.features", Sequence[int], "8,16")
    "network.features: a list of whole numbers, got '8,16'"
    """
    if fits(hint, value):
        return None
    return f"{name}: {wanted(hint)}, got {shown(value)}"


def parameters_of(
    make: Callable[..., Any], given: Collection[str] = ()
) -> dict[str, inspect.Parameter]:
    """Return the parameters that options are for, with hints that are types.

    Parameters
    ----------
    make : callable
        A class or function.
    given : collection of str
        Parameters that the caller gives by itself.

    Returns
    -------
    dict of str to Parameter
        By name; one without a hint, or with a hint that cannot be read at run time,
        has the hint ``Any``.
    """
    return {k: p for k, p in _own_parameters(make).items() if k not in given}


@functools.lru_cache(maxsize=256)
def _own_parameters(make: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Read hints once: a planner asks for those of a network a thousand times."""
    return {
        name: parameter.replace(annotation=_hint(make, parameter.annotation))
        for name, parameter in inspect.signature(make).parameters.items()
        if parameter.kind in OWN_KINDS
    }


def _hint(make: Callable[..., Any], annotation: Any) -> Any:
    if annotation is inspect.Parameter.empty:
        return Any
    maker = vars(make).get("__init__", make) if isinstance(make, type) else make
    names = getattr(inspect.unwrap(maker), "__globals__", {})
    try:
        return typing.get_type_hints(
            types.SimpleNamespace(__annotations__={"it": annotation}), names
        )["it"]
    except (NameError, TypeError, AttributeError, SyntaxError):
        return Any


def option_faults(
    make: Callable[..., Any],
    options: Mapping[str, Any],
    *,
    given: Collection[str] = (),
    prefix: str = "",
    known: Iterable[str] = (),
) -> list[str]:
    """Return what is wrong with the options that something is to be made with.

    Parameters
    ----------
    make : callable
        A class or function; its signature says which options there are.
    options : mapping of str to JSON value
        Keyword arguments.
    given : collection of str
        Parameters that the caller gives by itself.
    prefix : str
        Stands before the names in messages, such as ``"network."``.
    known : iterable of str
        Further names that may have been meant.

    Returns
    -------
    list of str
        One sentence for each option that is unknown, missing or of a wrong kind.
    """
    parameters = parameters_of(make, given)
    kinds = {p.kind for p in inspect.signature(make).parameters.values()}
    faults = []
    for name, value in options.items():
        if name in parameters:
            found = fault(f"{prefix}{name}", parameters[name].annotation, value)
            faults += [found] if found else []
        elif inspect.Parameter.VAR_KEYWORD not in kinds:
            near = did_you_mean(name, [*parameters, *known])
            there = ", ".join(parameters) or "none"
            faults.append(f"{prefix}{name}: no such option.{near} There are: {there}")
    faults += [
        f"{prefix}{name}: {wanted(parameter.annotation)} is missing"
        for name, parameter in parameters.items()
        if parameter.default is inspect.Parameter.empty and name not in options
    ]
    return faults
