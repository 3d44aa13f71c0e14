#!/usr/bin/env python3
"""Makes the conformance vectors in this folder with PyTorch (format "tern-vectors 1").

    python3 gen_vectors.py [FOLDER]

Needs torch alone. Inputs come from a seed, so that a run with the same PyTorch gives the same files
(softmax aside, whose last bits depend on the CPU).
"""
import json
import os
import sys

import torch

import families
import gpt_training
from vector_file import FLOATS, INTS, MAIN, T, VectorFile, add_operation_case, difference

# ---- the operations ---------------------------------------------------------------------------------

POSITIVE = dict(low=0.1, high=3.0)
INSIDE = dict(low=-0.9, high=0.9)


def unary(name, dtypes=MAIN, **bounds):
    return name, dtypes, [dict(input=T(11, **bounds)), dict(input=T(2, 3, layout=(1, 2), **bounds))]


def binary(name, dtypes=MAIN + [torch.int64], **bounds):
    return name, dtypes, [dict(input=T(3, 4), other=T(4, **bounds)),
                          dict(input=T(2, 1, 3), other=T(4, 1, layout=(3, 1), **bounds))]


SCALAR_PAIR = dict(input=T(2, 3), other=1.5)

OPERATIONS = [
    binary("add", FLOATS + INTS), binary("sub"), binary("mul"), binary("div", MAIN, **POSITIVE),
    ("add", MAIN, [SCALAR_PAIR, dict(input=T(3), other=T(3), alpha=2)]),
    ("remainder", MAIN + [torch.int64], [dict(input=T(7, low=-9, high=9), other=3)]),
    ("pow", MAIN, [dict(input=T(4, **POSITIVE), exponent=2.5)]),
    binary("maximum"), binary("minimum"),
    ("eq", MAIN + [torch.int64], [dict(input=T(3, 4), other=T(4))]),
    ("lt", MAIN + [torch.int64], [dict(input=T(3, 4), other=T(3, 1))]),
    ("ge", MAIN + [torch.int64], [dict(input=T(6), other=1)]),
    ("where", MAIN + [torch.int64], [dict(condition=T(3, 4, dtype=torch.bool), input=T(3, 4), other=T(4))]),
    ("clamp", MAIN, [dict(input=T(9), min=-0.5, max=1.0)]),
    unary("neg", FLOATS + [torch.int64]), unary("abs", MAIN + [torch.int64]),
    unary("exp"), unary("log", **POSITIVE), unary("sqrt", **POSITIVE), unary("rsqrt", **POSITIVE),
    unary("sin"), unary("cos"), unary("tanh"), unary("sigmoid"), unary("relu", FLOATS),
    unary("erf"), unary("floor"), unary("square"), unary("reciprocal", **POSITIVE),
    unary("asin", MAIN, **INSIDE), unary("atan", MAIN), unary("log1p", MAIN, **INSIDE),
    ("sum", FLOATS + INTS, [dict(input=T(3, 4, 5)), dict(input=T(3, 4, 5), dim=[1], keepdim=True),
                            dict(input=T(4, 6, layout=(1, 4)), dim=[0]), dict(input=T(0, 3))]),
    ("mean", FLOATS, [dict(input=T(7, 11)), dict(input=T(3, 4, 5), dim=[0, 2])]),
    ("max", MAIN + [torch.int64], [dict(input=T(4, 5, distinct=True)),
                          dict(input=T(4, 5, distinct=True), dim=1, keepdim=False)]),
    ("min", MAIN, [dict(input=T(4, 5, distinct=True), dim=0, keepdim=True)]),
    ("argmax", MAIN + [torch.int64], [dict(input=T(4, 3, distinct=True)), dict(input=T(4, 3, distinct=True), dim=0)]),
    ("matmul", MAIN, [dict(input=T(3, 4), other=T(4, 2)), dict(input=T(2, 3, 4, layout=(12, 1, 3)), other=T(4, 2)),
                      dict(input=T(4), other=T(4)), dict(input=T(2, 3, 4), other=T(4))]),
    ("nn.functional.linear", MAIN, [dict(input=T(5, 3), weight=T(2, 3), bias=T(2)),
                                    dict(input=T(2, 5, 3), weight=T(4, 3))]),
    ("softmax", MAIN, [dict(input=T(3, 5), dim=1), dict(input=T(3, 5), dim=0)]),
    ("log_softmax", MAIN, [dict(input=T(3, 5), dim=1)]),
    ("nn.functional.l1_loss", MAIN, [dict(input=T(6), target=T(6)), dict(input=T(2, 3), target=T(2, 3), reduction="sum")]),
    ("nn.functional.mse_loss", MAIN, [dict(input=T(6), target=T(6)), dict(input=T(2, 3), target=T(2, 3), reduction="none")]),
    ("reshape", MAIN + [torch.int64], [dict(input=T(2, 6), shape=[3, -1]), dict(input=T(2, 6, layout=(1, 2)), shape=[12])]),
    ("transpose", MAIN, [dict(input=T(2, 3, 4), dim0=0, dim1=2)]),
    ("permute", MAIN, [dict(input=T(2, 3, 4), dims=[2, 0, 1])]),
    ("unsqueeze", MAIN, [dict(input=T(3), dim=-1)]), ("squeeze", MAIN, [dict(input=T(1, 3, 1))]),
    ("flatten", MAIN, [dict(input=T(2, 3, 4), start_dim=1)]),
    ("expand", MAIN, [dict(input=T(3, 1), size=[2, 3, 4])]),
    ("narrow", MAIN, [dict(input=T(5, 3), dim=0, start=1, length=3)]),
    ("select", MAIN, [dict(input=T(5, 3), dim=1, index=-1)]),
    ("split", MAIN, [dict(tensor=T(7, 2), split_size_or_sections=3, dim=0)]),
    ("cat", MAIN + [torch.int64], [dict(tensors=[T(2, 3), T(1, 3)], dim=0), dict(tensors=[T(2, 1), T(2, 4)], dim=1)]),
    ("stack", MAIN, [dict(tensors=[T(3), T(3)], dim=1)]),
    ("arange", [torch.float32, torch.int64], [dict(start=0, end=5, step=2)]),
    ("linspace", [torch.float32, torch.float64], [dict(start=-1.0, end=1.0, steps=7)]),
    ("full", FLOATS + INTS, [dict(size=[2, 3], fill_value=3)]),
    ("zeros_like", MAIN + [torch.int64], [dict(input=T(2, 3))]),
]


def write_operations(folder):
    files = {}
    for name, dtypes, cases in OPERATIONS:
        file = files.setdefault(name, VectorFile(name))
        for args in cases:
            for dtype in dtypes:
                if dtype in INTS and any(isinstance(v, float) for v in args.values()):
                    continue
                add_operation_case(file, name, dtype, args)
    for name, file in files.items():
        file.write(f"{folder}/ops/{name}.safetensors")


# ---- draws, initial values, an optimizer, a training run ------------------------------------------------


def write_random(folder):
    file = VectorFile("random")

    def sequence(seed, calls):
        case = str(len(file.cases))
        torch.manual_seed(seed)
        record = {"id": case, "seed": seed, "calls": []}
        for i, (name, args) in enumerate(calls):
            if name.endswith("_"):
                rest = {k: v for k, v in args.items() if k not in ("size", "dtype")}
                result = getattr(torch.empty(args["size"], dtype=args["dtype"]), name)(**rest)
            else:
                result = getattr(torch, name)(**args)
            spelled = {k: str(v) if isinstance(v, torch.dtype) else v for k, v in args.items()}
            record["calls"].append({"name": name, "args": spelled, "out": file.add(case, f"{i}.out", result)})
        file.cases.append(record)

    for seed in (0, 42, -1):
        for n in (1, 5, 16, 17, 40):
            sequence(seed, [("randn", dict(size=[n], dtype=torch.float32)), ("rand", dict(size=[4], dtype=torch.float32))])
        sequence(seed, [("rand", dict(size=[5], dtype=d)) for d in MAIN])
        sequence(seed, [("randperm", dict(n=10)), ("randint", dict(low=0, high=10, size=[10])),
                        ("uniform_", {"size": [7], "dtype": torch.float32, "from": -1.0, "to": 2.0}),
                        ("normal_", dict(size=[17], dtype=torch.float32, mean=1.0, std=0.5)),
                        ("bernoulli_", dict(size=[9], dtype=torch.float32, p=0.3))])
    file.write(f"{folder}/random.safetensors")


def write_init(folder):
    file = VectorFile("init")
    for name, args in [("uniform_", dict(a=-1.0, b=0.5)), ("normal_", dict(mean=0.5, std=2.0)),
                       ("kaiming_uniform_", dict(a=5 ** 0.5)), ("xavier_uniform_", {}), ("ones_", {}), ("zeros_", {})]:
        for shape in ([3, 4], [16, 2]):
            case, seed = str(len(file.cases)), 7
            torch.manual_seed(seed)
            result = getattr(torch.nn.init, name)(torch.empty(shape), **args)
            file.cases.append({"id": case, "name": name, "args": args, "shape": shape, "seed": seed,
                               "out": file.add(case, "out", result)})
    file.write(f"{folder}/init.safetensors")


def write_sgd(folder):
    file = VectorFile("SGD")
    for args in [dict(lr=0.1), dict(lr=0.05, momentum=0.9, nesterov=True), dict(lr=0.1, weight_decay=0.01, maximize=True)]:
        case = str(len(file.cases))
        start = [torch.randn(3, 2), torch.randn(4)]
        fed = [[torch.randn_like(p) for p in start] for _ in range(4)]
        record = {"id": case, "dtype": "float32", "args": args, "state": {}, "error": {}, "after": [],
                  "params": [file.add(case, f"param{i}", p) for i, p in enumerate(start)],
                  "grad": [[file.add(case, f"step{s}.grad{i}", g) for i, g in enumerate(step)] for s, step in enumerate(fed)]}
        own = [p.clone().requires_grad_() for p in start]
        wide = [p.double().clone().requires_grad_() for p in start]
        optimizers = [torch.optim.SGD(own, **args), torch.optim.SGD(wide, **args)]
        for s, step in enumerate(fed):
            for group, optimizer in zip((own, wide), optimizers):
                for p, g in zip(group, step):
                    p.grad = g.to(p.dtype)
                optimizer.step()
            record["after"].append([file.add(case, f"step{s}.after{i}", p.clone()) for i, p in enumerate(wide)])
            for i, (p, q) in enumerate(zip(own, wide)):
                key = f"after.{i}"
                record["error"][key] = max(record["error"].get(key, 0.0), difference(p, q))
        record["final"] = [file.add(case, f"final{i}", p) for i, p in enumerate(own)]
        file.cases.append(record)
    file.write(f"{folder}/optim/SGD.safetensors")


def write_linear(folder):
    """nn.Linear: weights from the seed, forward and gradients."""
    file = VectorFile("Linear")
    for args in [dict(in_features=1, out_features=1), dict(in_features=3, out_features=4), dict(in_features=5, out_features=2, bias=False)]:
        case, seed = str(len(file.cases)), 42
        torch.manual_seed(seed)
        module = torch.nn.Linear(**args)
        x = torch.randn(4, args["in_features"])
        seed_grad = torch.randn(4, args["out_features"])
        results = []
        for dtype in (torch.float32, torch.float64):
            copy = torch.nn.Linear(**args).to(dtype)
            copy.load_state_dict({k: v.to(dtype) for k, v in module.state_dict().items()})
            leaf = x.to(dtype).clone().requires_grad_()
            out = copy(leaf)
            out.backward(seed_grad.to(dtype))
            results.append((out, {"inputs.input": leaf.grad, **{k: p.grad for k, p in copy.named_parameters()}}))
        (own, own_grads), (truth, true_grads) = results
        file.cases.append({
            "id": case, "dtype": "float32", "args": args, "train": True, "seed": seed, "init_matches_seed": True,
            "state": {k: file.add(case, f"state.{k}", v) for k, v in module.state_dict().items()},
            "inputs": {"input": file.add(case, "in.input", x)},
            "out": [file.add(case, "out0", truth)], "out_dtype": ["torch.float32"],
            "grad_out": [file.add(case, "gout0", seed_grad)],
            "grads": {k: file.add(case, f"grad.{k}", g) for k, g in true_grads.items()},
            "error": {"out0": difference(own, truth), **{f"grad.{k}": difference(g, true_grads[k]) for k, g in own_grads.items()}}})
    file.write(f"{folder}/modules/Linear.safetensors")


class TwoNumbers(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weights = torch.nn.Parameter(torch.randn(1))
        self.bias = torch.nn.Parameter(torch.randn(1))

    def forward(self, x):
        return self.weights * x + self.bias


class OneLayer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear_layer = torch.nn.Linear(1, 1)

    def forward(self, x):
        return self.linear_layer(x)


def train(model, data, epochs, lr):
    x_train, y_train, x_test, y_test = data
    loss_fn, optimizer = torch.nn.L1Loss(), torch.optim.SGD(model.parameters(), lr=lr)
    losses, test_losses = [], []
    for _ in range(epochs):
        loss = loss_fn(model(x_train), y_train)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.inference_mode():
            test_losses.append(loss_fn(model(x_test), y_test))
        losses.append(loss.detach())
    return torch.stack(losses), torch.stack(test_losses)


def write_training(folder):
    file = VectorFile("linear_regression")
    for options in [dict(step=0.02, weight=0.7, bias=0.3, seed=42, lr=0.01, model="TwoNumbers", epochs=100),
                    dict(step=0.01, weight=0.3, bias=0.9, seed=42, lr=0.01, model="OneLayer", epochs=60)]:
        case = str(len(file.cases))
        x = torch.arange(0, 1, options["step"]).unsqueeze(1)
        y = options["weight"] * x + options["bias"]
        split = int(0.8 * len(x))
        data = x[:split], y[:split], x[split:], y[split:]
        torch.manual_seed(options["seed"])
        model = globals()[options["model"]]()
        wide = globals()[options["model"]]().double()
        wide.load_state_dict(model.state_dict())
        initial = {k: file.add(case, f"initial.{k}", v.clone()) for k, v in model.state_dict().items()}
        torch.manual_seed(options["seed"])
        losses = train(model, data, options["epochs"], options["lr"])
        losses64 = train(wide, [d.double() for d in data], options["epochs"], options["lr"])
        off = max(difference(a, b) for a, b in zip(losses, losses64))
        rtol = max(1e-4, 20 * off / float(losses64[0].min()))
        record = {"id": case, "seed": options["seed"], "options": options, "steps": options["epochs"],
                  "data": {k: file.add(case, f"data.{k}", v) for k, v in zip(("X_train", "y_train", "X_test", "y_test"), data)},
                  "initial": initial, "exact": True, "rtol": rtol, "error": {"losses": off},
                  "final": {k: file.add(case, f"final.{k}", v) for k, v in model.state_dict().items()},
                  "final64": {k: file.add(case, f"final64.{k}", v) for k, v in wide.state_dict().items()},
                  "rand_after": file.add(case, "rand_after", torch.rand(4))}
        for key, (own, own64) in zip(("losses", "test_losses"), zip(losses, losses64)):
            record[key] = file.add(case, key, own)
            record[key + "64"] = file.add(case, key + "64", own64)
        file.cases.append(record)
    file.write(f"{folder}/training/linear_regression.safetensors")


def write_schedulers(folder):
    cases = []
    for name, args in [("StepLR", dict(step_size=3, gamma=0.5)), ("ExponentialLR", dict(gamma=0.9)),
                       ("CosineAnnealingLR", dict(T_max=8))]:
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer, **args)
        rates = [[0.1]]
        for _ in range(12):
            optimizer.step()
            scheduler.step()
            rates.append([g["lr"] for g in optimizer.param_groups])
        cases.append({"name": name, "args": args, "base_lr": [0.1], "optimizer": "SGD", "steps": 12, "lr": rates})
    with open(f"{folder}/schedulers.json", "w", encoding="utf-8") as file:
        json.dump(cases, file)
        file.write("\n")


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    torch.set_num_threads(1)
    torch.manual_seed(20240601)
    write_operations(folder)
    write_sgd(folder)
    write_linear(folder)
    write_training(folder)
    write_random(folder)
    write_init(folder)
    write_schedulers(folder)
    families.write(folder)
    gpt_training.write(folder)


if __name__ == "__main__":
    main()
