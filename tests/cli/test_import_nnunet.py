"""`autoseg import_nnunet` turns a foreign model into one file."""

from autoseg.cli.main import main
from autoseg.model.load import load_model
from autoseg.model.loaders.nnunet.read import load_nnunet
from tests.model.loaders import nnunet_files as files


def test_a_foreign_model_becomes_a_file(tmp_path, capsys):
    folder = files.write_model(tmp_path / "T__P__3d_fullres")
    path = tmp_path / "model.zip"

    assert main(["import_nnunet", str(folder), "-o", str(path)]) == 0

    assert load_model(path).settings == load_nnunet(folder).settings
    assert "folds 0" in capsys.readouterr().out


def test_what_is_no_model_is_said(tmp_path, capsys):
    assert main(["import_nnunet", str(tmp_path), "-o", str(tmp_path / "x.zip")]) == 2

    assert "holds no model of nnU-Net v2" in capsys.readouterr().err
