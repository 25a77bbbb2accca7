"""Encoders begin with weights of other pictures, or say which encoder they fit."""

import pytest
import torch
from safetensors.torch import save_file

from autoseg.blueprints import encoders
from autoseg.errors import TrainingError
from autoseg.networks.encoder_unet import EncoderUNet
from autoseg.train.start.initialize import initialize, read_weights


def network(encoder="resnet18", channels=3, dim=2, seed=0, narrow=16):
    torch.manual_seed(seed)
    options = EncoderUNet.example(dim)[0]
    options |= {"encoder": encoder, "narrow": narrow, "widths": [4] * 5}
    options |= {"strides": [[2] * dim] * 5, "dilations": [1] * 5}
    return EncoderUNet(channels, {"a": 2}, **options).eval()


def state(made):
    """What its library would save: the encoder alone, and what classifies."""
    own = made.state_dict()
    inside = {k[8:]: v for k, v in own.items() if k.startswith("encoder.")}
    return {**inside, "fc.weight": torch.zeros(10, 4), "fc.bias": torch.zeros(10)}


def saved(tensors, file):
    if file.suffix == ".safetensors":
        save_file({k: v.contiguous() for k, v in tensors.items()}, file)
    else:
        torch.save(tensors, file)
    return file


@pytest.mark.parametrize("name", ["w.pth", "w.pt", "w.safetensors"])
def test_a_file_of_weights_goes_into_the_encoder(name, tmp_path):
    source, target = network(seed=1), network(seed=2)
    file = saved(state(source), tmp_path / name)
    before = target.decoder.head.weight.clone()

    report = initialize(target, read_weights(file), str(file))

    for key, tensor in target.encoder.state_dict().items():
        torch.testing.assert_close(tensor, source.encoder.state_dict()[key])
    assert torch.equal(target.decoder.head.weight, before)
    assert all(key.startswith("decoder.") for key in report["new"] if "num_" not in key)


@pytest.mark.parametrize("channels", [1, 5])
def test_channels_that_are_alike_give_what_the_old_ones_gave(channels, tmp_path):
    source, target = network(seed=1), network(channels=channels, seed=2)
    initialize(target, state(source), "there")
    image = torch.randn(1, 1, 64, 64)

    old, new = (
        made.get_submodule("encoder.conv1")(image.expand(-1, n, -1, -1))
        for made, n in ((source, 3), (target, channels))
    )

    torch.testing.assert_close(new, old, rtol=1e-4, atol=1e-5)


def test_names_of_another_library_are_taken_by_their_order():
    source, target = network("mobilenet_v2", seed=1), network("mobilenet_v2", seed=2)
    named = enumerate(state(source).items())
    other = {f"layers.{n}.{k.rpartition('.')[2]}": v for n, (k, v) in named}

    initialize(target, other, "there")

    for key, tensor in target.encoder.state_dict().items():
        torch.testing.assert_close(tensor, source.encoder.state_dict()[key])


@pytest.fixture
def few(monkeypatch):
    """Some encoders only: each is built to be compared."""
    some = ("resnet18", "resnet34", "mobilenet_v2")
    found = {name: encoders.ENCODERS[name] for name in some}
    monkeypatch.setattr(encoders, "ENCODERS", found)


def test_another_encoders_weights_are_named(few):
    weights = state(network("resnet34", narrow=1))

    with pytest.raises(TrainingError, match="it fits resnet34. Plan with"):
        initialize(network("resnet18"), weights, "w.pth")


def test_weights_of_pictures_are_refused_for_volumes():
    with pytest.raises(TrainingError, match="learned from pictures"):
        initialize(network(dim=3), state(network()), "w.pth")


def test_weights_of_no_encoder_are_refused_and_nothing_is_changed(few):
    target = network()
    before = {k: v.clone() for k, v in target.state_dict().items()}

    with pytest.raises(TrainingError, match="nor of any that there is"):
        initialize(target, {"a.weight": torch.zeros(2, 2)}, "w.pth")

    assert all(torch.equal(v, before[k]) for k, v in target.state_dict().items())


def test_code_in_a_file_is_not_run(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (print, ("run",))

    file = tmp_path / "w.pth"
    torch.save({"a": Harmful()}, file)

    with pytest.raises(TrainingError, match="cannot be read as weights alone"):
        read_weights(file)
