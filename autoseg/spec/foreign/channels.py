"""What files call the channels of an image, beside what dataset.json calls them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def misnamed(called: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return that files call their channels by names that others here have.

    Parameters
    ----------
    called : sequence of str
        What files call the channels, in the order in which they are taken; empty where
        one does not say.
    names : sequence of str
        What they are called by dataset.json, in order.

    Returns
    -------
    list of str
        A remark, where a name is that of another channel; nothing is known of names
        that no channel has.

    Examples
    --------
    >>> misnamed(["DAPI", "gfp"], ["GFP", "DAPI"])[0][:36]
    'it calls its channels DAPI, gfp, and'
    >>> misnamed(["dapi", "Cy3"], ["DAPI", "actin"]), misnamed([], ["DAPI"])
    ([], [])
    """
    known = [name.strip().casefold() for name in names]
    said = [name.strip().casefold() for name in called]
    if len(said) != len(known) or len(set(known)) < len(known):
        return []
    if all(a == b or a not in known for a, b in zip(said, known, strict=True)):
        return []
    return [
        f"it calls its channels {', '.join(called)}, and they are taken for "
        f"{', '.join(names)}, in this order (dataset.json)"
    ]


def otherwise(called: Sequence[Sequence[str]]) -> dict[int, Sequence[str]]:
    """Return which images have the same names of channels in another order than most.

    Parameters
    ----------
    called : sequence of sequence of str
        What the files of each image call its channels; empty where they do not say.

    Returns
    -------
    dict of int to sequence of str
        Numbers of these images, and the order that most images with such names have.

    Examples
    --------
    >>> otherwise([("a", "b"), ("a", "b"), (), ("b", "a"), ("a", "c")])
    {3: ('a', 'b')}
    """
    counts = Counter(tuple(names) for names in called)
    usual: dict[tuple[str, ...], tuple[str, ...]] = {}
    for names, _ in counts.most_common():
        if len(set(names)) == len(names) > 1:
            usual.setdefault(tuple(sorted(names)), names)
    return {
        number: usual[tuple(sorted(names))]
        for number, names in enumerate(called)
        if usual.get(tuple(sorted(names)), tuple(names)) != tuple(names)
    }
