#!/usr/bin/env bash
# MONAI 1.6.1: UNETR takes its skip connections from layers 4, 7 and 10, its paper says 3, 6 and 9
#
# Packages   monai==1.6.1, torch==2.13.0 (CPU), numpy==2.4.6, einops==0.8.2
# Seen       What enters each part of the decoder is the output of this layer of the transformer (of 12):
#              encoder2 4, encoder3 7, encoder4 10, decoder5 12 after a layer norm
# Good guess 3, 6, 9 and 12, as in the paper (Hatamizadeh et al., arXiv:2103.10504) by the same authors: the code
#            reads hidden_states_out[3], [6], [9]. But that list starts with the output of the first layer, at 0.
# Matters    All layers have the same widths, so weights load strictly into a network that follows the paper (or
#            the other way round), parameter counts agree, shapes agree, and the outputs are others. Weights
#            that were trained with MONAI must be run with 4, 7, 10.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet monai==1.6.1 torch==2.13.0 numpy==2.4.6 einops==0.8.2
cd "$work"
venv/bin/python -I - <<'EOF'
import torch
from monai.networks.nets import UNETR

torch.manual_seed(0)
network = UNETR(in_channels=1, out_channels=2, img_size=(32, 32, 32), feature_size=4, hidden_size=24, mlp_dim=48, num_heads=4).eval()
layers, entered = {}, {}
for number, block in enumerate(network.vit.blocks, 1):
    block.register_forward_hook(lambda module, given, found, n=number: layers.update({n: found}))
network.vit.norm.register_forward_hook(lambda module, given, found: layers.update({"12 after a layer norm": found}))
for name in ("encoder2", "encoder3", "encoder4", "decoder5"):
    getattr(network, name).register_forward_pre_hook(lambda module, given, n=name: entered.update({n: given[0]}))
with torch.no_grad():
    network(torch.randn(1, 1, 32, 32, 32))
seen = {}
for name, features in entered.items():  # (1, 24, 2, 2, 2); layers give (1, 8, 24)
    tokens = features.flatten(2).transpose(1, 2)
    seen[name] = [n for n, found in layers.items() if torch.equal(found, tokens)]
    print(name, "gets the output of layer", *seen[name])
wanted = {"encoder2": [4], "encoder3": [7], "encoder4": [10], "decoder5": ["12 after a layer norm"]}
raise SystemExit(None if seen == wanted else "the behavior is not the one described")
EOF
