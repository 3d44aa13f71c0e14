"""Writes tests/data/pth/wide.pth and tests/data/wide.safetensors: tensors of dtypes that Tern reads as
wider ones, each under its dtype's name, and the same numbers of the wider dtype as "NAME as".
Run by hand: python tests/torch/save_wide.py tests/data"""
import sys

import safetensors.torch
import torch

codes = torch.arange(256, dtype=torch.uint8)
state = {}
for name in ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"):
    state[name] = codes.clone().view(getattr(torch, name))
    state[name + " as"] = state[name].to(torch.float32)
for name, numbers in (("uint16", [0, 1, 65535]), ("uint32", [0, 7, 2**32 - 1]), ("uint64", [0, 2**40, 2**63 - 1])):
    state[name] = torch.tensor(numbers, dtype=getattr(torch, name))
    state[name + " as"] = torch.tensor(numbers, dtype=torch.int64)
folder = sys.argv[1]
torch.save(state, f"{folder}/pth/wide.pth")
safetensors.torch.save_file({k: v for k, v in state.items() if "fnuz" not in k and "e8m0" not in k},
                            f"{folder}/wide.safetensors")
