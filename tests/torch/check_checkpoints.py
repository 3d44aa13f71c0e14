"""Checkpoints go from Tern to PyTorch and back: model, optimizer and scheduler, and training goes on.

usage: build the target tern_save_checkpoints, then
       python3 check_checkpoints.py .../tern_save_checkpoints FOLDER"""
import os
import subprocess
import sys

import torch
from torch import nn

program, folder = sys.argv[1:3]
failures = 0
os.makedirs(os.path.join(folder, "torch"), exist_ok=True)
make = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, amsgrad=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1, lr_decay=0.1),
}


def check(holds, what):
    global failures
    if not holds:
        failures += 1
        print("FAILED", what)


def load(name):
    return torch.load(os.path.join(folder, name), weights_only=True)


def shape_of(v):
    """What a state looks like, numbers left out."""
    if isinstance(v, dict):
        return {k: shape_of(x) for k, x in v.items()}
    if isinstance(v, (list, tuple)):
        return [type(v).__name__] + [shape_of(x) for x in v]
    return (str(v.dtype), tuple(v.shape)) if isinstance(v, torch.Tensor) else type(v).__name__


def step(model, optimizer, scheduler):
    x, y = torch.arange(24.0).reshape(8, 3).sin(), torch.arange(16.0).reshape(8, 2).cos()
    optimizer.zero_grad()
    nn.functional.mse_loss(model(x), y).backward()
    optimizer.step()
    scheduler.step()


def difference(model, name):
    theirs = load(name)
    check(list(theirs) == list(model.state_dict()), name + ": other keys")
    return max((theirs[k].double() - v.double()).abs().max().item() for k, v in model.state_dict().items())


subprocess.run([program, folder], check=True)
runs = {}
for name, optimizer in make.items():
    torch.manual_seed(42)
    model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    optimizer = optimizer(model.parameters())
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    for _ in range(3):
        step(model, optimizer, scheduler)
    own = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}
    ours = load(name + ".pth")
    for part in ("model", "optimizer"):
        check(shape_of(own[part]) == shape_of(ours[part]), "%s: the %s has another form:\n%s\n%s" % (name, part, shape_of(own[part]), shape_of(ours[part])))
    check(own["optimizer"]["param_groups"] == ours["optimizer"]["param_groups"], name + ": param_groups")
    # PyTorch's own flags of a scheduler's inside differ from version to version.
    check(all(own["scheduler"][k] == v for k, v in ours["scheduler"].items()), name + ": scheduler")
    torch.save(ours, os.path.join(folder, "torch", name + ".pth"))
    same = [open(os.path.join(folder, d, name + ".pth"), "rb").read() for d in (".", "torch")]
    check(same[0] == same[1], name + ": torch.save writes other bytes")
    # On from Tern's state.
    model.load_state_dict(ours["model"])
    optimizer.load_state_dict(ours["optimizer"])
    scheduler.load_state_dict(ours["scheduler"])
    step(model, optimizer, scheduler)
    fourth = difference(model, name + "_fourth.pth")
    check(fourth <= 1e-6, "%s: after the fourth step %g apart" % (name, fourth))
    torch.save({"epoch": 4, "model": model.state_dict(), "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()},
               os.path.join(folder, "torch", name + ".pth"))
    step(model, optimizer, scheduler)
    runs[name] = (model, fourth)
subprocess.run([program, folder, "again"], check=True)
for name, (model, fourth) in runs.items():
    fifth = difference(model, name + "_fifth.pth")
    check(fifth <= 1e-6, "%s: after the fifth step %g apart" % (name, fifth))
    print("%-8s largest difference: %g on from Tern's checkpoint, %g on from PyTorch's" % (name, fourth, fifth))
print("torch", torch.__version__, "failures:", failures)
sys.exit(failures != 0)
