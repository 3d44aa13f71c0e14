"""The format "tern-vectors 1": inputs to be drawn, files, and how a call of an operation or module becomes a case.

The truth of a floating-point result is PyTorch's in float64 from the same inputs; `error` is how far PyTorch's
result in the case's own dtype is from it.
"""
import json
import os
import struct

import torch
import torch.nn.functional as F

FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
MAIN = [torch.float32, torch.float64, torch.bfloat16]
INTS = [torch.int64, torch.int32, torch.uint8]
NAMES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint8: "U8", torch.bool: "BOOL", torch.uint64: "U64",
}


class T:
    """A tensor to be drawn: its shape, range, and how it lies in memory; `changed` where the call writes it,
    `constant` where it gets no gradient."""

    def __init__(self, *shape, low=-2.0, high=2.0, layout=None, dtype=None, distinct=False, changed=False,
                 constant=False):
        self.shape, self.low, self.high = shape, low, high
        self.changed, self.constant = changed, constant or changed
        self.layout, self.dtype, self.distinct = layout, dtype, distinct

    def draw(self, dtype):
        dtype = self.dtype or dtype
        count = 1
        for size in self.shape:
            count *= size
        if self.distinct:
            values = torch.randperm(count).to(torch.float64) / 4 - count / 8
        else:
            values = torch.rand(count, dtype=torch.float64) * (self.high - self.low) + self.low
        if dtype == torch.bool:
            values = values > (self.low + self.high) / 2
        elif not dtype.is_floating_point:
            low = 0 if dtype == torch.uint8 else self.low
            values = torch.floor(values.abs() if low == 0 else values)
        return values.reshape(self.shape).to(dtype)


class Given(T):
    """A tensor of these values: indices, masks."""

    def __init__(self, values, dtype=torch.int64, constant=True):
        super().__init__(dtype=dtype, constant=constant)
        self.values = values

    def draw(self, dtype):
        return torch.tensor(self.values, dtype=self.dtype)


def strided(tensor, layout):
    """The same values with other strides."""
    if layout is None:
        return tensor
    extent = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, layout))
    base = torch.zeros(extent, dtype=tensor.dtype)
    view = base.as_strided(tensor.shape, layout)
    view.copy_(tensor)
    return view


CREATED = {"arange", "linspace", "full"}


def resolve(name):
    """How PyTorch calls a name: a function of keyword arguments."""
    if name.startswith("nn.functional."):
        return getattr(F, name.rsplit(".", 1)[1])
    if name in ("expand", "select", "narrow"):
        return lambda input, **rest: getattr(input, name)(*rest.values())
    if name == "reshape":
        return lambda input, shape: torch.reshape(input, shape)
    if name == "index":
        return lambda input, indices: torch.ops.aten.index(input, indices)
    return getattr(torch, name)


# ---- files ------------------------------------------------------------------------------------------


class VectorFile:
    def __init__(self, name):
        self.name, self.cases, self.tensors = name, [], {}

    def add(self, case, role, tensor):
        """Stores a tensor of a case and returns its reference."""
        self.tensors[f"{case}/{role}"] = tensor.detach().contiguous()
        return f"@{case}/{role}"

    def write(self, path):
        header = {"__metadata__": {"format": "tern-vectors 1", "source": "torch " + torch.__version__.split("+")[0],
                                   "name": self.name, "cases": json.dumps(self.cases, separators=(",", ":"))}}
        data = bytearray()
        for name, tensor in self.tensors.items():
            raw = bytes(tensor.reshape(-1).view(torch.uint8).tolist()) if tensor.numel() else b""
            header[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape),
                            "data_offsets": [len(data), len(data) + len(raw)]}
            data += raw
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text + data)


def leaves(args):
    """(path, spec) of every tensor in the arguments."""
    for key, value in args.items():
        if isinstance(value, T):
            yield key, value
        elif isinstance(value, list) and value and isinstance(value[0], T):
            for i, member in enumerate(value):
                yield f"{key}.{i}", member


def substitute(args, tensors):
    out = {}
    for key, value in args.items():
        if isinstance(value, T):
            out[key] = tensors[key]
        elif isinstance(value, list) and value and isinstance(value[0], T):
            out[key] = [tensors[f"{key}.{i}"] for i in range(len(value))]
        else:
            out[key] = value
    return out


def as_list(result):
    return list(result) if isinstance(result, (tuple, list)) else [result]


def run_once(function, args, tensors, seeds):
    """Outputs and gradients of the leaves that require one."""
    result = as_list(function(**substitute(args, tensors)))
    wanted = [t for t in tensors.values() if t.requires_grad]
    fed = [(out, seed) for out, seed in zip(result, seeds or []) if seed is not None]
    grads = torch.autograd.grad([o for o, _ in fed], wanted, [s.to(o.dtype) for o, s in fed]) if fed and wanted else []
    return result, dict(zip([k for k, t in tensors.items() if t.requires_grad], grads))


def difference(own, truth):
    """The largest, where both are finite."""
    if own.numel() == 0:
        return 0.0
    return float((own.detach().to(torch.float64) - truth.detach()).abs().nan_to_num(0.0, posinf=0.0).max())


def add_operation_case(file, name, dtype, args):
    case = str(len(file.cases))
    function = resolve(name)
    if name in CREATED:
        kind = dict(dtype=dtype)
        record = {"id": case, "dtype": str(dtype)[6:], "args": dict(args, dtype=str(dtype))}
        own = function(**args, **kind)
        truth = function(**args, dtype=torch.float64) if dtype.is_floating_point else own
        record.update(out=[file.add(case, "out0", truth)], out_dtype=[str(dtype)[6:]],
                      error={"out0": difference(own, truth)} if dtype.is_floating_point else {})
        file.cases.append(record)
        return
    drawn = {path: spec.draw(dtype) for path, spec in leaves(args)}
    layouts = {path: list(spec.layout) for path, spec in leaves(args) if spec.layout}
    changed = [path for path, spec in leaves(args) if spec.changed]
    constant = [path for path, spec in leaves(args) if spec.constant]
    tensors = {p: strided(t.clone(), layouts.get(p)) for p, t in drawn.items()}
    probe = as_list(function(**substitute(args, {p: t.clone() if p in changed else t for p, t in tensors.items()})))
    smooth = dtype.is_floating_point and any(o.is_floating_point() for o in probe) and name != "zeros_like"
    seeds = [torch.rand(o.shape, dtype=torch.float64).to(dtype) - 0.5 if smooth and o.is_floating_point() else None
             for o in probe]
    needs = smooth and any(s is not None for s in seeds)
    wide = {p: t.detach().to(torch.float64) if t.is_floating_point() else t for p, t in tensors.items()}
    for group in (tensors, wide):
        for path, tensor in group.items():
            tensor.requires_grad_(needs and tensor.is_floating_point() and path not in constant)
    own, own_grads = run_once(function, args, tensors, seeds if needs else None)
    truth, true_grads = run_once(function, args, wide, [s if s is None else s.double() for s in seeds] if needs else None)
    record = {"id": case, "dtype": str(dtype)[6:],
              "args": substitute(args, {p: file.add(case, p, t) for p, t in drawn.items()}),
              "out": [], "out_dtype": [str(o.dtype)[6:] for o in own], "error": {}}
    if layouts:
        record["layout"] = layouts
    if changed:
        record["after"] = {p: file.add(case, f"after.{p}", wide[p]) for p in changed}
        record["error"].update({f"after.{p}": difference(tensors[p], wide[p]) for p in changed})
    for i, (o, t) in enumerate(zip(own, truth)):
        floating = o.is_floating_point()
        record["out"].append(file.add(case, f"out{i}", t if floating else o))
        if floating:
            record["error"][f"out{i}"] = difference(o, t)
    if needs:
        record["grad_out"] = [None if s is None else file.add(case, f"gout{i}", s) for i, s in enumerate(seeds)]
        record["grads"] = {p: file.add(case, f"grad.{p}", g) for p, g in true_grads.items()}
        for p, g in own_grads.items():
            record["error"][f"grad.{p}"] = difference(g, true_grads[p])
    file.cases.append(record)


# ---- modules ----------------------------------------------------------------------------------------


def flat(value):
    """Members of nested tuples, in their order."""
    if isinstance(value, (tuple, list)):
        return [leaf for member in value for leaf in flat(member)]
    return [value]


def copied(inputs, dtype):
    """The inputs in `dtype`, floating ones as leaves of the graph."""
    def one(t):
        return t.to(dtype).clone().requires_grad_() if t.is_floating_point() else t
    return {k: tuple(map(one, v)) if isinstance(v, list) else one(v) for k, v in inputs.items()}


def run_module(name, args, state, inputs, seeds, dtype):
    """Outputs, gradients by name, and the state after a training step's forward and backward."""
    module = getattr(torch.nn, name)(**args).to(dtype)
    module.load_state_dict({k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()})
    given = copied(inputs, dtype)
    out = flat(module(**given))
    fed = [(o, s.to(dtype)) for o, s in zip(out, seeds or []) if s is not None]
    if fed:
        torch.autograd.backward([o for o, _ in fed], [s for _, s in fed])
    grads = {}
    for key, value in given.items():
        several = isinstance(value, tuple)
        members = {f"inputs.{key}.{i}": v for i, v in enumerate(value)} if several else {f"inputs.{key}": value}
        grads.update({path: leaf.grad for path, leaf in members.items() if leaf.grad is not None})
    grads.update({k: p.grad for k, p in module.named_parameters() if p.grad is not None})
    return out, grads, module.state_dict()


def add_module_case(file, name, args, inputs, seed):
    case = str(len(file.cases))
    torch.manual_seed(seed)
    state = {k: v.clone() for k, v in getattr(torch.nn, name)(**args).state_dict().items()}
    drawn = {k: [t.draw(torch.float32) for t in v] if isinstance(v, list) else v.draw(torch.float32)
             for k, v in inputs.items()}
    shapes, _, _ = run_module(name, args, state, drawn, None, torch.float32)
    seeds = [None if o is None else torch.rand(o.shape) - 0.5 for o in shapes]
    own, own_grads, own_state = run_module(name, args, state, drawn, seeds, torch.float32)
    truth, true_grads, true_state = run_module(name, args, state, drawn, seeds, torch.float64)
    names = {k: file.add(case, f"in.{k}", v) if torch.is_tensor(v)
             else [file.add(case, f"in.{k}.{i}", t) for i, t in enumerate(v)] for k, v in drawn.items()}
    changed = [k for k, v in state.items() if not torch.equal(v, own_state[k])]
    record = {"id": case, "dtype": "float32", "args": args, "train": True, "seed": seed, "init_matches_seed": True,
              "state": {k: file.add(case, f"state.{k}", v) for k, v in state.items()}, "inputs": names,
              "out": [None if t is None else file.add(case, f"out{i}", t) for i, t in enumerate(truth)],
              "out_dtype": [None if o is None else str(o.dtype) for o in own],
              "grad_out": [None if s is None else file.add(case, f"gout{i}", s) for i, s in enumerate(seeds)],
              "grads": {k: file.add(case, f"grad.{k}", g) for k, g in true_grads.items()},
              "error": {f"out{i}": difference(o, t) for i, (o, t) in enumerate(zip(own, truth)) if o is not None}}
    record["error"].update({f"grad.{k}": difference(g, true_grads[k]) for k, g in own_grads.items()})
    if changed:
        record["out_state"] = {k: file.add(case, f"after.{k}", true_state[k]) for k in changed}
        record["error"].update({f"out_state.{k}": difference(own_state[k], true_state[k]) for k in changed
                                if state[k].is_floating_point()})
    file.cases.append(record)
