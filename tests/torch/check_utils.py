"""torch.nn.utils and swa_utils in Tern compute what PyTorch's do, with the same states and gradients.

usage: build the target tern_save_utils, then
       python3 check_utils.py .../tern_save_utils FILE.pth"""
import subprocess
import sys
import warnings

import torch
from torch import nn
from torch.nn.utils import fuse_conv_bn_eval, parametrizations, prune
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

program, file = sys.argv[1:3]


def old_weight_norm():
    torch.manual_seed(8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return nn.utils.weight_norm(nn.Linear(4, 3))


torch.save(old_weight_norm().state_dict(), file + ".old.pth")
subprocess.run([program, file, file + ".old.pth"], check=True)
theirs = torch.load(file, weights_only=True)
failures = 0
torch.manual_seed(1)
x, image = torch.randn(5, 4), torch.randn(1, 2, 6, 6)


def made(make):
    torch.manual_seed(7)
    return make()


def compare(name, own, given):
    global failures
    largest = 0.0
    if list(own) != list(given):
        failures += 1
        print("FAILED", name, "other keys", list(own), list(given))
    for key in own:
        if key in given:
            largest = max(largest, (own[key].double() - given[key].double()).abs().max().item())
    if largest > 2e-6:
        failures += 1
        print("FAILED", name)
    return largest


def check(name, module, input):
    output = module(input)
    output.square().sum().backward()
    given = theirs[name]
    largest = compare(name, {"output": output.detach()}, {"output": given["output"]})
    largest = max(largest, compare(name, module.state_dict(), given["state"]))
    grads = {k: p.grad for k, p in module.named_parameters() if p.grad is not None}
    relative = compare(name + " gradients", {k: v / v.abs().max() for k, v in grads.items()},
                       {k: v / v.abs().max() for k, v in given["grads"].items()})
    print("%-26s output and state %.1e, gradients %.1e" % (name, largest, relative))


check("weight_norm", parametrizations.weight_norm(made(lambda: nn.Linear(4, 3))), x)
check("weight_norm_all", parametrizations.weight_norm(made(lambda: nn.Conv2d(2, 3, 3)), dim=None), image)
m = parametrizations.spectral_norm(made(lambda: nn.Conv2d(2, 3, 3)))
m(image)
check("spectral_norm", m, image)
check("spectral_norm_transposed",
      parametrizations.spectral_norm(made(lambda: nn.ConvTranspose2d(2, 3, 3)), n_power_iterations=2), image)
m = made(lambda: nn.Linear(4, 3))
prune.l1_unstructured(m, "weight", 0.4)
prune.l1_unstructured(m, "weight", 0.3)
check("prune_l1", m, x)
m = made(lambda: nn.Conv2d(2, 4, 3))
prune.ln_structured(m, "weight", 0.5, 1, 0)
check("prune_ln", m, image)
m = made(lambda: nn.Linear(4, 3))
prune.random_unstructured(m, "weight", 0.4)
prune.random_unstructured(m, "weight", 0.3)
check("prune_random", m, x)
m = made(lambda: nn.Conv2d(2, 4, 3))
prune.random_structured(m, "weight", 0.5, 0)
check("prune_random_structured", m, image)
m = made(lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)))
several = [(m[0], "weight"), (m[2], "weight"), (m[0], "bias")]
prune.global_unstructured(several, prune.L1Unstructured, amount=0.3)
prune.global_unstructured(several, prune.RandomUnstructured, amount=0.2)
check("prune_global", m, x)
m = parametrizations.weight_norm(nn.Linear(4, 3))
m.load_state_dict(old_weight_norm().state_dict())
check("weight_norm_old", m, x)
conv, norm = made(lambda: nn.Conv2d(2, 3, 3, bias=False)), made(lambda: nn.BatchNorm2d(3))
norm(conv(image))
check("fused", fuse_conv_bn_eval(conv.eval(), norm.eval()), image)
for name, form in (("swa", {}), ("ema", {"multi_avg_fn": get_ema_multi_avg_fn(0.9), "use_buffers": True})):
    m = made(lambda: nn.Linear(4, 3))
    average = AveragedModel(m, **form)
    for _ in range(4):
        m.weight.data.mul_(1.5)
        average.update_parameters(m)
    print("%-26s state %.1e" % (name, compare(name, average.state_dict(), theirs[name])))
print("torch", torch.__version__, "failures:", failures)
sys.exit(failures != 0)
