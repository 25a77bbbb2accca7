"""What preprocessing will need, by arithmetic."""

import dataclasses
import logging

import pytest

from autoseg.errors import UsageError
from autoseg.preprocess import forecast
from autoseg.spec.choice import Choice
from autoseg.spec.configuration import Configuration
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.plan import Channel, Plan


def _configuration(*spacing):
    dim = len(spacing)
    return Configuration(
        spacing=spacing,
        patch_size=(8,) * dim,
        batch_size=2,
        median_shape=(8.0,) * dim,
        network=Choice(name="plain_unet"),
    )


@pytest.fixture
def described():
    """Two cases of 10 x 20 x 40 and 20 x 20 x 40 voxels, and a plan for them."""
    fingerprint = Fingerprint(
        dataset="toy",
        unit="mm",
        channel_names=("a", "b"),
        num_cases=2,
        shapes=((10, 20, 40), (20, 20, 40)),
        spacings=((1.0, 2.0, 3.0), (1.0, 2.0, 3.0)),
    )
    plan = Plan(
        name="unet",
        dataset="toy",
        planner="unet",
        task=Choice(name="semantic"),
        unit="mm",
        transpose=(2, 0, 1),
        channels=tuple(
            Channel(name=n, normalizer=Choice(name="zscore")) for n in ("a", "b")
        ),
        configurations={
            "2d": _configuration(1.0, 1.0),
            "3d_fullres": _configuration(3.0, 0.5, 2.0),
            "same": _configuration(3.0, 1.0, 2.0),
        },
    )
    return fingerprint, plan


def test_a_network_of_fewer_axes_leaves_the_first_as_they_are():
    grid = forecast.target_grid((40, 10, 20), (3.0, 1.0, 2.0), _configuration(1.0, 1.0))

    assert grid == ((40, 10, 40), (3.0, 1.0, 1.0))


def test_the_disk_is_taken_by_two_bytes_a_voxel_and_channel_and_the_annotation(
    described,
):
    # In the plan's order the cases are 40 x 10 x 20 and 40 x 20 x 20 voxels of
    # 3 x 1 x 2 mm; at 3 x 0.5 x 2 they have 16,000 and 32,000, 24,000 in the mean.
    each = 2 * 2 + 0.2

    assert forecast.expected_bytes(*described, "3d_fullres", 10) == 240_000 * each
    # 40 x 10 x 40 and 40 x 20 x 40 voxels at 1 x 1 in plane
    assert forecast.expected_bytes(*described, "2d", 10) == 240_000 * each


@pytest.mark.parametrize(
    ("free", "outcome"), [(400_000, "error"), (600_000, "warning"), (2e6, "fine")]
)
def test_a_full_disk_is_an_error_a_nearly_full_one_a_warning(
    described, tmp_path, monkeypatch, caplog, free, outcome
):
    usage = type("Usage", (), {"free": free})()
    monkeypatch.setattr(forecast.shutil, "disk_usage", lambda folder: usage)
    folder = tmp_path / "not" / "yet"

    if outcome == "error":
        with pytest.raises(UsageError, match="Free some"):
            forecast.check_space(*described, ["3d_fullres"], 10, folder)
    else:
        forecast.check_space(*described, ["3d_fullres"], 10, folder)

    warned = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warned) == (outcome == "warning")


def test_what_resampling_needs_is_loaded_only_if_a_case_is_resampled(
    described, monkeypatch
):
    calls = []
    monkeypatch.setattr(forecast, "resample_image", lambda *grid: calls.append(grid))

    forecast.prepare_threads(*described, ["same"])
    assert not calls
    forecast.prepare_threads(*described, ["same", "3d_fullres"])
    assert len(calls) == 1


def test_a_case_that_grows_beyond_reason_is_described(described, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1000})()
    monkeypatch.setattr(forecast.shutil, "disk_usage", lambda folder: usage)
    fingerprint, plan = described
    wrong = dataclasses.replace(
        fingerprint, spacings=((1.0, 2.0, 3.0), (1000.0, 2.0, 3000.0))
    )

    # In the plan's order 40 x 20 x 20 voxels of 3000 x 1000 x 2 mm; at 3 x 0.5 x 2 the
    # first two edges get 1,000 and 2,000 times as many.
    with pytest.raises(UsageError, match=r"\[40000, 40000, 20\], 2e\+06 times as many"):
        forecast.check_space(wrong, plan, ["3d_fullres"], 2, tmp_path)
    with pytest.raises(UsageError) as error:
        forecast.check_space(fingerprint, plan, ["3d_fullres"], 2, tmp_path)
    assert "times as many" not in str(error.value)
