"""The examples of changed models, averages, checkpointing and own functions print what PyTorch computes; the
tied weights that one of them saves load in PyTorch, and train on alike.

usage: build the examples, then
       python3 check_models.py BUILD/examples FOLDER"""
import os
import re
import subprocess
import sys

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.checkpoint import checkpoint_sequential

examples, folder = os.path.abspath(sys.argv[1]), sys.argv[2]
os.makedirs(folder, exist_ok=True)
failures = 0


def check(name, own, tolerance=2e-4):
    """Compares the numbers with a point that the example prints with PyTorch's, in order."""
    global failures
    printed = subprocess.run([os.path.join(examples, name)], cwd=folder, check=True, capture_output=True, text=True,
                             env=dict(os.environ, TERN_DEVICE="cpu_ref")).stdout
    theirs = [float(x) for x in re.findall(r"-?\d+\.\d+(?! MiB)", re.sub(r"[\d.]+ MiB", "", printed))]
    largest = max(abs(a - b) for a, b in zip(own, theirs))
    if len(own) != len(theirs) or largest > tolerance:
        failures += 1
        print("FAILED", name, own, theirs)
    print("%-14s %2d numbers, largest difference %.1e" % (name, len(own), largest))


def transfer():
    torch.manual_seed(3)
    out = []
    x = torch.randn(256, 2)
    positive = (x > 0).long()
    make = lambda: nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 4))

    def train(model, x, y, steps):
        adam = torch.optim.Adam(model.parameters(), lr=0.02)
        for step in range(steps + 1):
            loss = F.cross_entropy(model(x), y)
            adam.zero_grad()
            loss.backward()
            adam.step()
            if step % (steps // 3) == 0:
                out.append(loss.item())

    first = make()
    train(first, x, 2 * positive[:, 0] + positive[:, 1], 150)
    model = make()
    model.load_state_dict(first.state_dict())
    model.requires_grad_(False)
    model[4] = nn.Linear(8, 2)
    both = positive[:, 0] * positive[:, 1]
    train(model, x[:24], both[:24], 90)
    out.append((model(x).argmax(1) == both).float().mean().item())
    return out


class Letters(nn.Module):
    def __init__(self):
        super().__init__()
        self.token, self.position = nn.Embedding(27, 16), nn.Embedding(24, 16)
        self.block = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.head = nn.Linear(16, 27, bias=False)
        self.register_buffer("places", torch.arange(24), persistent=False)
        self.register_buffer("mask", torch.full((24, 24), -1e9).triu(1), persistent=False)
        self.head.weight = self.token.weight

    def forward(self, x):
        return self.head(self.block(self.token(x) + self.position(self.places), self.mask))


def letters():
    text = "the quick brown fox jumps"
    codes = torch.tensor([26 if c == " " else ord(c) - ord("a") for c in text])
    return codes[None, :24], codes[1:25]


def tied_weights():
    torch.manual_seed(5)
    model, (x, y), out = Letters(), letters(), []
    adam = torch.optim.AdamW(model.parameters(), lr=0.01)
    for step in range(61):
        loss = F.cross_entropy(model(x).flatten(0, 1), y)
        adam.zero_grad()
        loss.backward()
        adam.step()
        if step % 15 == 0:
            out.append(loss.item())
    return out, model


def ema():
    torch.manual_seed(11)
    out, model = [], nn.Linear(4, 1)
    truth = torch.randn(4, 1)
    test_x = torch.randn(128, 4)
    test_y = test_x @ truth
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.95))
    sgd = torch.optim.SGD(model.parameters(), lr=0.2)
    for step in range(1, 201):
        x = torch.randn(8, 4)
        loss = F.mse_loss(model(x), x @ truth + torch.randn(8, 1))
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        average.update_parameters(model)
        if step % 50 == 0:
            with torch.inference_mode():
                out += [F.mse_loss(m(test_x), test_y).item() for m in (model, average)]
    return out


def checkpointing():
    out = []
    for segments in (0, 6):
        torch.manual_seed(2)
        layers = [nn.Linear(8, 64)]
        for _ in range(12):
            layers += [nn.Linear(64, 64), nn.Tanh(), nn.Dropout(0.1)]
        model = nn.Sequential(*layers, nn.Linear(64, 1))
        x = torch.randn(512, 8)
        y = x.sum(1, keepdim=True)
        adam = torch.optim.Adam(model.parameters(), lr=0.001)
        for step in range(6):
            output = checkpoint_sequential(model, segments, x, use_reentrant=False) if segments else model(x)
            loss = F.mse_loss(output, y)
            adam.zero_grad()
            loss.backward()
            adam.step()
            if step % 5 == 0:
                out.append(loss.item())
    return out


class SignThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sign()

    @staticmethod
    def backward(ctx, grad):
        return grad * (ctx.saved_tensors[0].abs() <= 1)


class Binary(nn.Module):
    def forward(self, x):
        return SignThrough.apply(x)


def own_function():
    torch.manual_seed(4)
    model, out, now = nn.Sequential(nn.Linear(2, 32), Binary(), nn.Linear(32, 1)), [], {}
    x = torch.randn(64, 2)
    y = (x[:, :1] * x[:, 1:]).sign()
    adam = torch.optim.Adam(model.parameters(), lr=0.02)
    model[1].register_forward_hook(lambda m, a, o: now.update(mean=o.mean().item()))
    model[1].register_full_backward_hook(lambda m, i, o: now.update(norm=o[0].square().sum().sqrt().item()))
    model[0].weight.register_hook(lambda g: g.clamp(-0.05, 0.05))
    for step in range(151):
        loss = F.mse_loss(model(x), y)
        adam.zero_grad()
        loss.backward()
        adam.step()
        if step % 50 == 0:
            out += [loss.item(), now["mean"], now["norm"]]
    return out


check("transfer", transfer())
losses, theirs = tied_weights()
check("tied_weights", losses)
check("ema", ema())
check("checkpointing", checkpointing())
check("own_function", own_function())

# What the example saved has PyTorch's keys, one storage for both, and loads strictly into a tied model.
state = torch.load(os.path.join(folder, "tied_weights.pth"), weights_only=True)
model = Letters()
model.load_state_dict(state, strict=True)
same = state["token.weight"].untyped_storage().data_ptr() == state["head.weight"].untyped_storage().data_ptr()
x, y = letters()
loss = [F.cross_entropy(m(x).flatten(0, 1), y).item() for m in (model, theirs)]
if not same or list(state) != list(model.state_dict()) or abs(loss[0] - loss[1]) > 1e-4:
    failures += 1
    print("FAILED: the saved weights", same, loss)
print("tied weights saved by Tern: loss %.6f in PyTorch, %.6f trained there" % tuple(loss))
print("torch", torch.__version__, "failures:", failures)
sys.exit(failures != 0)
