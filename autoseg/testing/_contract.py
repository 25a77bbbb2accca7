"""Rules of a plug-in kind: functions whose names are sentences, run on examples."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from autoseg.errors import PluginError

Rule = Callable[..., None]


def require(good: Any, detail: str = "") -> None:
    """Raise PluginError unless something is true; the rule's name says what."""
    if not good:
        raise PluginError(detail)


class Contract:
    """The rules of one kind of plug-in.

    Parameters
    ----------
    kind : str
        What one is called, as in ``"network"``.

    Examples
    --------
    >>> rules = Contract("number")
    >>> @rules.add
    ... def it_is_positive(number):
    ...     require(number > 0, f"it is {number}")
    >>> rules.check("minus three", [(-3,)])
    Traceback (most recent call last):
    autoseg.errors.PluginError: minus three breaks 1 rule of a number:
      it is positive: it is -3
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._rules: list[Rule] = []

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)

    def add(self, rule: Rule) -> Rule:
        """Enter a rule; what it raises begins with its name, in words."""

        @functools.wraps(rule)
        def named(*example: Any) -> None:
            try:
                rule(*example)
            except (AssertionError, PluginError) as error:
                words = rule.__name__.replace("_", " ")
                raise PluginError(f"{words}: {error}".rstrip(": \n")) from None

        self._rules.append(named)
        return named

    def check(self, name: str, examples: list[tuple[Any, ...]]) -> None:
        """Raise PluginError with every rule that one of the examples breaks.

        Parameters
        ----------
        name : str
            Of the plug-in, for the message.
        examples : list of tuple
            Arguments of each rule.
        """
        broken: dict[str, None] = {}
        for rule in self:
            for example in examples:
                try:
                    rule(*example)
                except PluginError as error:
                    broken[str(error)] = None
                except Exception as error:
                    words = rule.__name__.replace("_", " ")
                    said = f"{words}: it raised {type(error).__name__}: {error}"
                    broken[said] = None
        if broken:
            count = f"{len(broken)} rule{'s' * (len(broken) > 1)}"
            listed = "\n".join(f"  {line}" for line in broken)
            raise PluginError(f"{name} breaks {count} of a {self.kind}:\n{listed}")
