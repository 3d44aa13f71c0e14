"""torch.distributions in Tern compute what PyTorch's do: quantities, gradients, divergences, samples of one seed.

usage: build the target tern_save_distributions, then
       python3 check_distributions.py .../tern_save_distributions DEVICE FOLDER"""
import itertools
import os
import subprocess
import sys

import torch
from torch import distributions as D
from torch.distributions import transforms as T

program, device, folder = sys.argv[1:4]
torch.manual_seed(3)
SHAPES = [((), ()), ((3,), (3,)), ((2, 1), (4,)), ((5, 7), (5, 7)), ((1,), (6, 1, 2))]
DRAW = {"any": lambda s, t: torch.randn(s, dtype=t) * 2,
        "positive": lambda s, t: torch.rand(s, dtype=t) * 3 + 0.1,
        "rate": lambda s, t: torch.rand(s, dtype=t) * 30 + 0.2,
        "share": lambda s, t: torch.rand(s, dtype=t) * 0.9 + 0.05}
FAMILIES = {"Normal": ("any", "positive"), "LogNormal": ("any", "positive"), "Laplace": ("any", "positive"),
            "Uniform": ("any", "positive"), "Exponential": ("positive",), "Gamma": ("positive", "positive"),
            "Beta": ("positive", "positive"), "Poisson": ("rate",), "Bernoulli": ("share",),
            "Bernoulli logits": ("any",), "Categorical": ("positive",), "Categorical logits": ("any",),
            "Dirichlet": ("positive",), "MultivariateNormal": ("any", "any"), "MultivariateNormal tril": ("any", "any"),
            "Independent": ("any", "positive"), "tanh": ("any", "positive", "any"),
            "sigmoid": ("any", "positive", "any"), "exp": ("any", "positive", "any")}


def make(entry):
    a, b, c = (entry.get(k) for k in "abc")
    name = entry["family"]
    if name in ("Bernoulli", "Categorical"):
        return getattr(D, name)(probs=a, logits=b)
    if name == "MultivariateNormal":
        return D.MultivariateNormal(a, covariance_matrix=b, scale_tril=c)
    if name == "Independent":
        return D.Independent(D.Normal(a, b), 1)
    if name in ("tanh", "sigmoid", "exp"):
        middle = {"tanh": T.TanhTransform, "sigmoid": T.SigmoidTransform, "exp": T.ExpTransform}[name]()
        return D.TransformedDistribution(D.Normal(a, torch.ones_like(a)),
                                         [T.AffineTransform(c, b), middle, T.AffineTransform(0.0, b)])
    return getattr(D, name)(*(x for x in (a, b) if x is not None))


def entry_of(name, shapes, dtype):
    family, _, form = name.partition(" ")
    vector = family in ("Categorical", "Dirichlet", "MultivariateNormal")
    kinds = FAMILIES[name]
    if family in ("tanh", "sigmoid", "exp"):
        shapes = (torch.broadcast_shapes(*shapes),) * 2 + ((),)
    if family == "Independent" and not torch.broadcast_shapes(*shapes):
        shapes = ((4,), (4,))
    values = [DRAW[k](tuple(s) + ((5,) if vector else ()), dtype) for k, s in zip(kinds, shapes)]
    entry = {"family": family, **dict(zip("abc", values))}
    if family == "Uniform":
        entry["b"] = entry["a"].max() + entry["b"]
    if form == "logits":
        entry["b"] = entry.pop("a")
    if family == "MultivariateNormal":
        m = torch.randn(shapes[1] + (5, 5), dtype=dtype)
        m = m @ m.mT + torch.eye(5, dtype=dtype)
        entry["c" if form else "b"] = torch.linalg.cholesky(m) if form else m
        if form:
            del entry["b"]
    return entry


QUANTITIES = ("log_prob", "entropy", "mean", "variance", "cdf", "icdf", "rsample")


def expected(entry):
    leaves = {k: v.clone().requires_grad_() for k, v in entry.items() if k in "abc"}
    d = make({**entry, **leaves})
    results = {}
    if "value" not in entry:
        entry["value"] = d.sample((2,))
        entry["share"] = torch.rand(d.batch_shape, dtype=next(iter(leaves.values())).dtype) * 0.98 + 0.01
        if type(d) is D.Gamma:
            entry["value"] = entry["value"].clamp_min(0.01)
    entry["wants"] = {}
    for q in QUANTITIES:
        if q == "rsample" and entry["family"] in ("Gamma", "Beta", "Dirichlet"):
            continue
        torch.manual_seed(12)
        try:
            r = getattr(d, q)
            r = r(entry["value"]) if q in ("log_prob", "cdf") else r(entry["share"]) if q == "icdf" else (
                r((4,)) if q == "rsample" else r() if q == "entropy" else r)
        except NotImplementedError:
            continue
        entry["wants"][q] = True
        results[q] = r.detach()
        if not r.requires_grad:
            continue
        try:
            grads = torch.autograd.grad(r.sum(), list(leaves.values()), retain_graph=True, allow_unused=True)
        except (NotImplementedError, RuntimeError):
            entry["wants"].pop(q)
            results.pop(q)
            continue
        results.update({q + "." + k: g for k, g in zip(leaves, grads) if g is not None})
    torch.manual_seed(11)
    results["sample"], results["one"], results["after"] = d.sample((5, 3)), d.sample(), torch.rand(4)
    return results


cases, wanted = {}, {}
for name, dtype in itertools.product(FAMILIES, (torch.float32, torch.float64)):
    for i, shapes in enumerate(SHAPES):
        key = "%s %s %d" % (name, str(dtype)[6:], i)
        cases[key] = entry_of(name, shapes, dtype)
        wanted[key] = expected(cases[key])
for p, q in itertools.product(FAMILIES, FAMILIES):
    for i, dtype in enumerate((torch.float32, torch.float64)):
        pair = {"p": entry_of(p, SHAPES[3], dtype), "q": entry_of(q, SHAPES[3], dtype)}
        if p.startswith("Uniform") and i:
            pair["p"]["a"], pair["p"]["b"] = pair["p"]["a"].sigmoid() / 2, pair["p"]["a"].sigmoid() / 2 + 0.3
        if q.startswith("Uniform") and i:
            pair["q"]["a"], pair["q"]["b"] = -pair["q"]["a"].abs(), 1 + pair["q"]["a"].abs()
        key = "kl %s, %s %s" % (p, q, str(dtype)[6:])
        cases[key] = pair
        try:
            wanted[key] = {"kl": D.kl_divergence(make(pair["p"]), make(pair["q"]))}
        except NotImplementedError:
            wanted[key] = {}
os.makedirs(folder, exist_ok=True)
torch.save(cases, folder + "/cases.pth")
with open(folder + "/messages", "w") as messages:
    subprocess.run([program, device, folder + "/cases.pth", folder + "/results.pth"], check=True, stderr=messages)
given = torch.load(folder + "/results.pth", weights_only=True)
failures = compared = same = samples = 0
largest = {}
for key, results in wanted.items():
    if set(results) != {k for k, v in given[key].items() if v is not None and not (k == "kl" and key not in wanted)}:
        failures += 1
        print("FAILED", key, "others:", set(results) ^ set(given[key]))
        continue
    for what, own in results.items():
        theirs = given[key][what]
        single = "float32" in key
        bound = 2e-4 if single else 1e-9
        compared += 1
        if what in ("sample", "one", "after", "rsample"):
            samples += own.numel()
            same += (own == theirs).sum().item() if own.shape == theirs.shape else 0
            bound = 2e-6 if single else 1e-12
        if own.shape != theirs.shape or own.dtype != theirs.dtype or not torch.allclose(
                own, theirs, rtol=bound, atol=bound, equal_nan=True):
            failures += 1
            print("FAILED", key, what, tuple(own.shape), tuple(theirs.shape), own.flatten()[:3].tolist(),
                  theirs.flatten()[:3].tolist())
        elif own.is_floating_point():
            error = ((own - theirs).abs() / (1 + own.abs())).nan_to_num(0, 0, 0)
            kind = what.split(".")[0] + (" gradients" if "." in what else "") + (" float32" if single else " float64")
            largest[kind] = max(largest.get(kind, 0), error.max().item() if error.numel() else 0)
for kind, error in sorted(largest.items()):
    print("%-28s %.1e" % (kind, error))
print("%d results; of %d drawn numbers %d have PyTorch's bits" % (compared, samples, same))
print("torch", torch.__version__, "failures:", failures)
sys.exit(failures != 0)
