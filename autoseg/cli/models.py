"""List the models that have a name; add one by its file or address.

`autoseg predict -m NAME` predicts with a model of the list, `autoseg train --init-from
NAME` starts from its weights. Added models are kept with their checksums in the folder
$AUTOSEG_MODELS, by default ~/.autoseg/models.

examples:
  autoseg models
  autoseg models show nuclei                    (its card: data, scores, license)
  autoseg models add model.zip --name liver     (a bundle, from `autoseg export`)
  autoseg models add https://HOST/liver.zip --sha256 DIGITS
  autoseg models remove liver
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

RESULT = "the models"

if TYPE_CHECKING:
    from autoseg.model.library.stage import NamedModel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""
    parser.add_argument(
        "action",
        nargs="?",
        default="list",
        metavar="ACTION",
        help="list (the default), add, show or remove",
    )
    parser.add_argument(
        "source",
        nargs="?",
        metavar="FILE_OR_URL",
        help="add: a bundle, or its address (https); show, remove: a name",
    )
    parser.add_argument("--name", metavar="NAME", help="of what is added")
    parser.add_argument(
        "--sha256", metavar="DIGITS", help="add: what the file's checksum must be"
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="add: replace an added model of this name",
    )


def run(arguments: argparse.Namespace) -> None:
    """Do what is asked for, and say what there is then."""
    from autoseg.model.library.stage import models

    found = models(
        arguments.action,
        arguments.source,
        name=arguments.name,
        sha256=arguments.sha256,
        overwrite=arguments.overwrite,
    )
    arguments.result = found
    if arguments.json:
        return
    if arguments.action == "list":
        print(as_text(found))
    elif arguments.action == "show":
        print(found[0].card.rstrip())
    elif arguments.action == "remove":
        print(f"{found[0].name} is removed.")
    else:
        _tell_added(found[0])


def _tell_added(model: NamedModel) -> None:
    from autoseg.model.library.fetch import megabytes

    print(f"{model.name} is kept: {model.path}, {megabytes(model.bytes)}")
    print(f"License of the weights: {model.license}")
    print(f"autoseg predict -m {model.name} -i IMAGES -o OUT")


def as_text(found: Sequence[NamedModel]) -> str:
    """Return the list as lines of at most 80 columns, unless names are long."""
    from autoseg.model.library.fetch import megabytes

    if not found:
        return "No model has a name. Add one: autoseg models add FILE_OR_URL"
    lines = []
    for model in found:
        where = "added" if model.source else "comes along"
        lines.append(f"{model.name:<16} {megabytes(model.bytes):>8}  {where}")
        if model.problem:
            lines.append(f"  cannot be used: {model.problem}")
            continue
        lines.append(f"  trained on {model.dataset}")
        lines.append(f"  license of the weights: {model.license}")
        if model.source:
            lines.append(f"  from {model.source}")
    lines += ["", "autoseg models show NAME    its card: data, scores, license"]
    lines.append("autoseg predict -m NAME -i IMAGES -o OUT")
    return "\n".join(lines)
