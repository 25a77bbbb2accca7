import configparser
import json
from pathlib import Path

import pytest

from autoseg.cli import doctor
from autoseg.cli.main import main


def test_it_says_what_is_here_and_what_stages_would_take(capsys):
    code = main(["doctor"])

    said = capsys.readouterr().out
    assert code == 0
    for word in ("cores", "GB free", "torch ", "GPU", "predict", "train", "openvino"):
        assert word in said


def test_programs_get_json(capsys):
    assert main(["doctor", "--json"]) == 0

    report = json.loads(capsys.readouterr().out)
    assert report["machine"]["cores"] >= 1
    assert report["machine"]["memory"] > report["machine"]["memory_free"] > 0
    assert report["predict"]["backend"] == "torch"
    assert {"device", "precision"} <= report["train"].keys()


def test_a_missing_package_is_an_error_with_its_fix(capsys, monkeypatch):
    installed = doctor._version
    monkeypatch.setattr(
        doctor, "_version", lambda name: None if name == "nibabel" else installed(name)
    )

    assert main(["doctor"]) == 1

    assert "nibabel is not installed: pip install nibabel" in capsys.readouterr().out


def test_little_memory_is_a_warning(capsys, monkeypatch):
    monkeypatch.setattr("autoseg.machine.free_memory", lambda: int(1.5e9))

    assert main(["doctor"]) == 0

    assert "1.5 GB are free: close other programs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("openvino", "bf16", "wanted"),
    [
        ("2026.1", True, "--backend openvino --precision bf16"),
        (None, True, "--precision bf16"),
        (None, False, None),
    ],
)
def test_faster_flags_are_those_that_work_here(openvino, bf16, wanted):
    report = {"extras": {"openvino": openvino}, "machine": {"bf16": bf16}}

    assert doctor._faster(report, "cpu") == wanted
    assert doctor._faster(report, "cuda") is None


def test_every_extra_of_the_package_is_listed_with_what_it_brings(capsys):
    config = configparser.ConfigParser()
    config.read(Path(__file__).parents[2] / "setup.cfg")
    declared = set(config["options.extras_require"]) - {"test"}

    main(["doctor"])

    said = capsys.readouterr().out
    assert set(doctor.EXTRAS) == declared
    for name, (package, brings) in doctor.EXTRAS.items():
        assert brings in said
        assert package in config["options.extras_require"][name]
