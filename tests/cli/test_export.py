"""`autoseg export` writes one file that predict can use."""

import pytest

from autoseg.cli.main import main
from autoseg.model.load import load_model
from autoseg.model.loaders.nnunet.read import load_nnunet
from tests.model.loaders import nnunet_files as files


def test_a_model_folder_becomes_a_file(tmp_path, capsys):
    folder = files.write_model(tmp_path / "T__P__3d_fullres")
    path = tmp_path / "model.zip"

    assert main(["export", "-m", str(folder), "-o", str(path)]) == 0

    assert load_model(path).plan == load_nnunet(folder).plan
    assert f"autoseg predict -m {path}" in capsys.readouterr().out


def test_a_data_set_without_configuration_asks_for_one(tmp_path, capsys):
    code = main(["export", "7", "-o", str(tmp_path / "m.zip")])

    assert code == 2
    assert "Give 2d or 3d_fullres" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["export", "7"])
