"""Writes a GGUF file with the package gguf, of ggml's authors, and compares what Tern reads with what the package
decodes: FOLDER/sample.gguf holds each type under its name and the decoded numbers as "NAME as".

usage: pip install gguf safetensors, then
       python3 check_gguf.py TERN FOLDER        TERN: the command; FOLDER: tests/data/gguf to renew the sample"""
import json
import os
import subprocess
import sys

import gguf
import numpy as np
from safetensors.numpy import load_file

tern, folder, failures = sys.argv[1], sys.argv[2], 0
types = gguf.GGMLQuantizationType
rng = np.random.default_rng(42)


def check(holds, what):
    global failures
    if not holds:
        failures += 1
        print("FAILED", what)


def blocks(kind, rows, columns):
    """Any bits, but small finite float16 where a block has those."""
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    out = rng.integers(0, 256, (rows, columns // elements, size), dtype=np.uint8)
    halves = {"Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
              "Q4_1": [0, 2], "Q5_1": [0, 2]}.get(kind.name, [0])
    for at in halves:
        d = rng.normal(size=(rows, columns // elements, 1)).astype(np.float16)
        if rows > 1:
            d[0, 0] = -3e-6  # subnormal
        out[:, :, at:at + 2] = d.view(np.uint8)
    return out.reshape(rows, -1)


os.makedirs(folder, exist_ok=True)
path = os.path.join(folder, "sample.gguf")
w = gguf.GGUFWriter(path, "sample")
w.add_uint8("u8", 255)
w.add_int8("i8", -128)
w.add_uint16("u16", 65535)
w.add_int16("i16", -32768)
w.add_uint32("u32", 2**32 - 1)
w.add_int32("i32", -2**31)
w.add_uint64("u64", 2**63 - 1)
w.add_uint64("u64 beyond", 2**64 - 1)
w.add_int64("i64", -2**63)
w.add_float32("f32", 0.5)
w.add_float64("f64", 0.1)
w.add_bool("bool", True)
w.add_string("text", "zw\u00f6lf \u2713")
w.add_array("texts", ["a", "", "\u00e9"])
w.add_array("numbers", [1, -2, 3])
w.add_array("floats", [0.5, -1.5])
w.add_custom_alignment(64)

want = {}
base = np.arange(6).reshape(2, 3)
for dtype in (np.float32, np.float16, np.float64, np.int8, np.int16, np.int32, np.int64):
    name = np.dtype(dtype).name
    want[name] = base.astype(dtype)
    w.add_tensor(name, want[name])
bits = (base.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
w.add_tensor("bfloat16", bits.view(np.uint8), raw_dtype=types.BF16)
for name, columns in (("Q4_0", 32), ("Q4_1", 32), ("Q5_0", 32), ("Q5_1", 32), ("Q8_0", 64), ("Q2_K", 256),
                      ("Q3_K", 256), ("Q4_K", 256), ("Q5_K", 256), ("Q6_K", 256)):
    kind = types[name]
    rows = 2 if columns < 256 else 1
    data = blocks(kind, rows, columns)
    want[name] = gguf.quants.dequantize(data, kind)
    w.add_tensor(name, data, raw_dtype=kind)
    w.add_tensor(name + " as", want[name])
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()

read = os.path.join(folder, "read.safetensors")
subprocess.run([tern, "convert", path, read], check=True, stdout=subprocess.DEVNULL)
try:
    import torch
    from safetensors.torch import load_file as load_torch
    b = load_torch(read)
    check(b["bfloat16"].dtype == torch.bfloat16 and b["bfloat16"].float().tolist() == base.tolist(), "bfloat16")
    have = {name: t.numpy() for name, t in b.items() if t.dtype != torch.bfloat16}
except ImportError:
    have = load_file(read)
for name, t in want.items():
    check(have[name].dtype == t.dtype and have[name].shape == t.shape, name + " has another dtype or shape")
    check(have[name].tobytes() == t.tobytes(), f"{name}: {np.abs(have[name] - t).max()} apart")
os.remove(read)

report = json.loads(subprocess.run([tern, "inspect", path, "--json"], check=True, capture_output=True).stdout)
values = report["values"]
check(report["format"] == "gguf" and values["general.architecture"] == "sample", "inspect")
check(values["u64 beyond"] == str(2**64 - 1) and values["i64"] == -2**63 and values["i8"] == -128, "integers")
check(values["texts"] == ["a", "", "\u00e9"] and values["numbers"] == [1, -2, 3], "arrays")
check(values["text"] == "zw\u00f6lf \u2713" and values["f64"] == 0.1 and values["bool"] is True, "others")
print("gguf:", len(want) + 1, "tensors,", failures, "failures")
sys.exit(failures > 0)
