"""A head: one output of a network, and what it is trained with."""

from __future__ import annotations

from dataclasses import dataclass

from autoseg.spec.choice import Choice

AT_ONCE = 16  # channels of points whose outputs are there at the same time


@dataclass(frozen=True)
class Mirrored:
    """What the outputs of an image that was mirrored along one axis say of the image.

    Once they are mirrored back, channel c is ``signs[c]`` times channel ``sources[c]``.

    Parameters
    ----------
    sources : tuple of int, length C
        Where each channel is found: rays to the left are now those to the right.
    signs : tuple of float, length C
        -1 for a component of a vector along the axis.
    """

    sources: tuple[int, ...]
    signs: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Head:
    """One output of the network.

    Parameters
    ----------
    name : str
        Key of this head's arrays in targets and outputs.
    channels : int
        Number of channels, C.
    activation : str
        ``"softmax"``, ``"sigmoid"`` or ``"identity"``: from logits to outputs.
    loss : Choice
        A file in ``autoseg/losses``, with options.
    mirrors : tuple of Mirrored or None, length D
        For each axis, what a mirror does to outputs that have directions; None: they
        cannot be told from those of a mirrored image, so none is looked at. Empty:
        outputs have no directions, and a mirror changes nothing but their places.
    reader : Choice, optional
        What makes the outputs of the network's own features, of all resolutions; a kind
        of `autoseg.networks.readers`. By default those are the outputs.
    features : int
        With a reader, how many channels the network gives it.
    """

    name: str
    channels: int
    activation: str
    loss: Choice
    mirrors: tuple[Mirrored | None, ...] = ()
    reader: Choice | None = None
    features: int = 0

    @property
    def drawn(self) -> int:
        """Channels that the network itself gives."""
        return self.features if self.reader is not None else self.channels

    def mirrors_along(self, axis: int) -> bool:
        """Return whether mirrored copies along an axis can be used."""
        return not self.mirrors or self.mirrors[axis] is not None


@dataclass(frozen=True, kw_only=True)
class Pointwise:
    """A `Task.decode` that looks at one voxel at a time, and how it decides.

    Prediction then never needs all outputs at once, however many heads there are.

    Parameters
    ----------
    head : str
        The one head that decides.
    painted : tuple of int or None
        None: the voxel gets the number of its largest channel, of equals the first.
        Otherwise, for each channel in turn, the value it gets where its activated
        output is over 0.5.
    """

    head: str
    painted: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class OutputStage:
    """How coarse outputs may be, and why: see `Task.output_stage`.

    Parameters
    ----------
    stage : int
        Of the encoder; 0: the resolution of the patch, 1: half of it.
    rule, because : str
        See `autoseg.spec.choice.Decision`.
    """

    stage: int
    rule: str
    because: str
