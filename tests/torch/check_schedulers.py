"""Schedulers' states go from Tern to PyTorch and back, and their learning rates go on.

    check_schedulers.py SAVE_SCHEDULERS FOLDER
"""
import subprocess
import sys
import warnings

import torch
from torch.optim import lr_scheduler as lr

warnings.simplefilter("ignore")  # the optimizer takes no steps here

# In the order of save_schedulers.c.
SCHEDULERS = [
    lambda o: lr.StepLR(o, 2),
    lambda o: lr.MultiStepLR(o, [1, 4]),
    lambda o: lr.ExponentialLR(o, 0.9),
    lambda o: lr.CosineAnnealingLR(o, 5),
    lambda o: lr.OneCycleLR(o, 0.3, 20),
    lambda o: lr.ReduceLROnPlateau(o, patience=1),
    lambda o: lr.LinearLR(o),
    lambda o: lr.LambdaLR(o, lambda epoch: 0.9**epoch),
    lambda o: lr.SequentialLR(o, [lr.ConstantLR(o), lr.ExponentialLR(o, 0.9)], [4]),
    lambda o: lr.ChainedScheduler([lr.ExponentialLR(o, 0.9), lr.StepLR(o, 2)]),
    lambda o: lr.CyclicLR(o, 0.01, 0.2, step_size_up=2),
    lambda o: lr.CosineAnnealingWarmRestarts(o, 2, 2),
    lambda o: lr.PolynomialLR(o),
    lambda o: lr.MultiplicativeLR(o, lambda epoch: 0.9),
]
failures = 0


def make(index):
    layer = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(layer.parameters(), 0.1, momentum=0.9)
    return optimizer, SCHEDULERS[index](optimizer)


def rates(optimizer, scheduler, steps):
    out = []
    for _ in range(steps):
        scheduler.step(1.0) if isinstance(scheduler, lr.ReduceLROnPlateau) else scheduler.step()
        out.append(optimizer.param_groups[0]["lr"])
    return out


def compare(what, got, wanted):
    global failures
    if any(abs(a - b) > 1e-15 for a, b in zip(got, wanted)):
        failures += 1
        print(f"FAILED: {what}: {got}, not {wanted}")


def tern(*arguments):
    text = subprocess.run([program, folder, *arguments], check=True, capture_output=True, text=True).stdout
    return [[float(x) for x in line.split()] for line in text.splitlines()]


program, folder = sys.argv[1:]
saved = tern()
for i in range(len(SCHEDULERS)):
    optimizer, scheduler = make(i)
    state = torch.load(f"{folder}/{i}.pth")
    scheduler.load_state_dict(state["scheduler"])
    optimizer.load_state_dict(state["optimizer"])
    compare(f"{type(scheduler).__name__} in PyTorch", rates(optimizer, scheduler, 4), saved[i])

wanted = []
for i in range(len(SCHEDULERS)):
    optimizer, scheduler = make(i)
    rates(optimizer, scheduler, 3)
    torch.save({"scheduler": scheduler.state_dict(), "optimizer": optimizer.state_dict()}, f"{folder}/torch_{i}.pth")
    wanted.append((type(scheduler).__name__, rates(optimizer, scheduler, 4)))
for (name, right), got in zip(wanted, tern("load")):
    compare(f"{name} in Tern", got, right)
print(f"{2 * len(SCHEDULERS)} comparisons, {failures} failures")
sys.exit(failures != 0)
