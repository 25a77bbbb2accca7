"""Normalization of each channel, chosen by its name."""

from __future__ import annotations

from autoseg.errors import PlanError
from autoseg.spec.choice import Choice, Decision
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.image import NO_CROP
from autoseg.spec.plan import Channel

NORMALIZERS = {
    "ct": "ct",
    "nonorm": "none",
    "zscore": "zscore",
    "rescale_to_0_1": "rescale_to_0_1",
    "rgb_to_0_1": "rgb_to_0_1",
}
MASK_BELOW = 0.75  # cropping leaves less than this: normalize inside the mask only


def choose_channels(
    fingerprint: Fingerprint,
) -> tuple[tuple[Channel, ...], list[Decision]]:
    """Return each channel with its normalization, and why.

    Parameters
    ----------
    fingerprint : Fingerprint
        Its channel names choose; upper and lower case are the same.

    Returns
    -------
    channels : tuple of Channel
        In the order of the data set.
    decisions : list of Decision
        One for each channel.

    Raises
    ------
    PlanError
        If a CT channel comes without intensities.
    """
    channels, decisions = [], []
    cropped = fingerprint.relative_size_after_crop < MASK_BELOW
    left = f"{fingerprint.relative_size_after_crop:.0%} is left after cropping"
    if fingerprint.crop == NO_CROP:
        left = 'dataset.json says "crop": "none"'
    for index, name in enumerate(fingerprint.channel_names):
        normalizer = NORMALIZERS.get(name.casefold(), "zscore")
        options: dict[str, float] = {}
        if normalizer == "ct":
            options = _ct_options(fingerprint, index)
        masked = normalizer == "zscore" and cropped
        channels.append(
            Channel(
                name=name,
                normalizer=Choice(name=normalizer, options=options),
                masked=masked,
            )
        )
        inside = " inside the nonzero mask" if masked else ""
        decisions.append(
            Decision(
                field=f"channels[{index}].normalizer",
                value=f"{normalizer}{inside}",
                rule="by the channel's name; inside the mask if cropping to nonzero "
                f"leaves less than {MASK_BELOW:.0%}",
                because=f"the channel is called {name!r}, and {left}",
            )
        )
    return tuple(channels), decisions


def _ct_options(fingerprint: Fingerprint, index: int) -> dict[str, float]:
    if index >= len(fingerprint.intensities):
        raise PlanError(
            f"Channel {index} is CT, but the fingerprint has no intensities of it; "
            "run `autoseg fingerprint` again."
        )
    measured = fingerprint.intensities[index]
    return {
        "mean": measured.mean,
        "std": measured.std,
        "percentile_00_5": measured.percentile_00_5,
        "percentile_99_5": measured.percentile_99_5,
    }
