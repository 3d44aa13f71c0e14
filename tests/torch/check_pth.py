"""Loads with PyTorch what save_samples wrote, and what torch.save would write is compared byte for byte.

usage: build the target tern_save_samples, then
       tern_save_samples FOLDER && python3 check_pth.py FOLDER"""
import os
import sys

import torch

folder, failures = sys.argv[1], 0


def load(name):
    return torch.load(os.path.join(folder, name), weights_only=True)


def check(holds, what):
    global failures
    if not holds:
        failures += 1
        print("FAILED", what)


dtypes = load("dtypes.pth")
base = torch.arange(6.0).reshape(2, 3)
check(list(dtypes) == "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split(), "names")
for name, t in dtypes.items():
    check(t.dtype == getattr(torch, name) and torch.equal(t, base.to(t.dtype)), name)

v = load("views.pth")
b = torch.arange(12.0).reshape(3, 4)
want = dict(base=b, t=b.t(), row=b[1], step=b[:, 1::2], expand=b[:, :1].expand(3, 5), again=b)
for name, t in want.items():
    check(torch.equal(v[name], t) and v[name].stride() == t.stride(), name)
    check(v[name].untyped_storage().data_ptr() == v["base"].untyped_storage().data_ptr(), name + " shares")
check(v["again"] is v["base"], "one tensor stays one")
check(v["leaf"].requires_grad and not v["base"].requires_grad, "requires_grad")
check(v["empty"].shape == (2, 0, 3) and v["scalar"].item() == 2.5, "empty and scalar")

p = load("plain.pth")
check(p["list"] == [None, True, 0.1, "zw\u00f6lf \u2713", torch.bfloat16] and p["same"] is p["list"], "list")
check(p["tuple"] == tuple(-(2**63) >> (15 * i) for i in range(5)), "tuple")
check(p["many"] == {i: i * i for i in range(2500)} and p["shape"] == [2, 3], "many")

torch.manual_seed(42)
model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
model.load_state_dict(load("model.pth"))
for name, value in (("dtypes.pth", dtypes), ("plain.pth", p), ("model.pth", model.state_dict())):
    path = os.path.join(folder, "torch")
    os.makedirs(path, exist_ok=True)
    torch.save(value, os.path.join(path, name))
    ours, theirs = (open(os.path.join(d, name), "rb").read() for d in (folder, path))
    check(ours == theirs, name + " has other bytes than torch.save's")

try:
    from safetensors.torch import load_file
except ImportError:
    print("safetensors is not installed: not checked")
else:
    s = load_file(os.path.join(folder, "dtypes.safetensors"))
    for name, t in dtypes.items():
        check(torch.equal(s[name], t), "safetensors " + name)

import numpy

z = numpy.load(os.path.join(folder, "dtypes.npz"))
check(list(z) == [name for name in dtypes if name != "bfloat16"], "npz names")
for name in z:
    check(z[name].dtype == name and (z[name] == dtypes[name].numpy()).all(), "npz " + name)
turned = numpy.load(os.path.join(folder, "turned.npy"))
check((turned == b.t().numpy()).all(), "npy")
numpy.save(os.path.join(folder, "torch", "turned.npy"), numpy.ascontiguousarray(turned))
ours, theirs = (open(os.path.join(d, "turned.npy"), "rb").read() for d in (folder, os.path.join(folder, "torch")))
check(ours == theirs, "npy has other bytes than numpy.save's")

print("torch", torch.__version__, "failures:", failures)
sys.exit(failures != 0)
