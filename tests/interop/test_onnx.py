"""Networks as ONNX give what they give in torch."""

import sys

import numpy as np
import pytest
import torch

from autoseg.blueprints.drawing import ACTIVATIONS, Drawing
from autoseg.blueprints.modules.module import DrawnNetwork
from autoseg.errors import UsageError
from autoseg.interop.onnx._layers import WRITERS
from autoseg.interop.onnx.graph import to_onnx
from autoseg.networks import NETWORKS
from planners.network import is_declared
from tests.each import each

# Kinds of layers that no ONNX is written for yet, and whose they are.
UNWRITTEN = {
    *("windows", "unwindows", "window_attention", "merge", "expand"),  # swin_*
    *("look", "scale"),  # primus, da_transunet
    *("rotate", "between_channels"),  # the one, the other
    *("causal", "scan", "steps"),  # u_mamba
    *("apart", "together", "among_channels"),  # ultralight_vm_unet
    "routed",  # h3denet, hyatt_net
}
FIRST = (
    "plain_unet",
    "residual_unet",
    "attention_unet",
    "unetpp",
    "mednext",
    "segnet",
    "unetr",
)


def drawn(name, dim):
    kind = NETWORKS[name]
    options, shape = kind.example(dim)
    return kind, options, kind.drawing(options, shape, 2, 3)


def test_every_layer_of_a_declared_network_is_written_or_known_to_be_missing():
    found = set()
    for name in filter(is_declared, NETWORKS.names()):
        for dim in (2, 3):
            drawing = drawn(name, dim)[2]
            wanted = drawing.finest_first()[0].logits
            found |= {layer.kind for layer in drawing.needed((wanted,))}

    assert found - set(WRITERS) <= UNWRITTEN


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_every_activation_is_written(act):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    drawing = Drawing(2, (4, 8), 2)
    x = drawing.act(drawing.image, act, name="act")
    drawing.head(x, name="head")
    network = DrawnNetwork(drawing, {"classes": 2}, False, divisor=(1, 1)).eval()
    weights = {key: value.numpy() for key, value in network.state_dict().items()}
    model = to_onnx(drawing, weights, False)

    session = runtime.InferenceSession(model.SerializeToString())
    image = torch.linspace(-8, 8, 64).view(1, 2, 4, 8)  # beyond both bends
    with torch.no_grad():
        wanted = network(image)["classes"].numpy()
    (found,) = session.run(None, {"image": image.numpy()})
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@each("dim", [2, 3])
@each("name", FIRST)
def test_onnxruntime_gives_what_torch_gives(name, dim):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    kind, options, drawing = drawn(name, dim)
    torch.manual_seed(0)
    network = kind(2, {"classes": 3}, False, **options).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    weights = {key: value.numpy() for key, value in network.state_dict().items()}

    model = to_onnx(drawing, weights, kind.fixed_shape)

    session = runtime.InferenceSession(model.SerializeToString())
    sizes = (1,) if kind.fixed_shape else (1, 2)  # edges and batch are free
    for times in sizes:
        image = torch.randn(times, 2, *(times * n for n in drawing.image.shape))
        with torch.no_grad():
            wanted = network(image)["classes"].numpy()
        (found,) = session.run(None, {"image": image.numpy()})
        np.testing.assert_allclose(found, wanted, atol=1e-4 * np.abs(wanted).max())


def test_without_the_package_onnx_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setattr("autoseg.interop.onnx.graph.has_onnx", lambda: False)
    with pytest.raises(UsageError, match=r"pip install autoseg\[onnx\]"):
        to_onnx(drawn("plain_unet", 2)[2], {}, False)


PLANES = {
    "plain": {},
    "strides": {"stride": (2, 1, 2)},
    "flat": {"kernel": (1, 3, 3), "stride": (1, 2, 2)},
    "far": {"dilation": 2},
    "even": {"kernel": 2, "stride": 2},
    "long": {"kernel": (5, 1, 3), "stride": (3, 1, 1)},
    "standardized": {"standardized": True, "bias": False},
}


@pytest.mark.parametrize("options", PLANES.values(), ids=list(PLANES))
def test_volumes_convolved_plane_by_plane_are_what_torch_says(options):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    drawing = Drawing(8, (12, 13, 14), 3)
    x = drawing.conv(drawing.image, 9, **options, name="conv")
    drawing.head(x, name="head")
    network = DrawnNetwork(drawing, {"classes": 3}, False, divisor=(1, 1, 1)).eval()
    weights = {key: value.numpy() for key, value in network.state_dict().items()}
    image = torch.randn(2, 8, 12, 13, 14)
    with torch.no_grad():
        wanted = network(image)["classes"].numpy()

    for planes in (False, True):
        model = to_onnx(drawing, weights, False, planes)
        session = runtime.InferenceSession(model.SerializeToString())
        (found,) = session.run(None, {"image": image.numpy()})
        most = float(np.abs(wanted).max())
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * most)
        kinds = {node.op_type for node in model.graph.node}
        assert ("Transpose" in kinds) == planes
