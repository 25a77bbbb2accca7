"""Help that fits a terminal of 80 columns, or one that is narrower or wider."""

from __future__ import annotations

import argparse
import re
import shutil
import textwrap
from collections.abc import Callable, Sequence

WIDEST = 88  # more is hard to read


class Help(argparse.RawDescriptionHelpFormatter):
    """Wraps paragraphs to the terminal; indented lines, as of examples, stay lines."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=width())

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        parts = re.split(r"\n\s*\n", text.strip("\n"))
        return "\n\n".join(_paragraph(part, width, indent) for part in parts)


def width() -> int:
    """Return how many letters a line may have."""
    return min(WIDEST, shutil.get_terminal_size((80, 24)).columns)


def _paragraph(text: str, width: int, indent: str) -> str:
    lines = text.splitlines()
    if any(line.startswith(" ") for line in lines):
        return "\n".join(indent + _narrow(line, width) for line in lines)
    return textwrap.fill(
        " ".join(lines),
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _narrow(line: str, width: int) -> str:
    """Return a line of an example, with less room before its remark if it is long."""
    if len(line) <= width:
        return line
    begin = len(line) - len(line.lstrip())
    return line[:begin] + re.sub(r" {2,}", "  ", line[begin:])


def table(names: Sequence[str], summary: Callable[[str], str]) -> str:
    """Return all commands with what they do.

    Parameters
    ----------
    names : sequence of str
        Of the commands; none: the heading alone.
    summary : callable
        Gives the sentence of a name.
    """
    widest = max((len(name) for name in names), default=0)
    rows = [
        textwrap.fill(
            summary(name),
            width(),
            initial_indent=f"  {name:<{widest}}  ",
            subsequent_indent=" " * (widest + 4),
            break_on_hyphens=False,
        )
        for name in names
    ]
    return "\n".join(
        ["commands:", *rows, "", "`autoseg COMMAND --help` says more about each."]
    )
