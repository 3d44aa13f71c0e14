"""A GPT of PyTorch's with a tied head is loaded by Tern, trains to the same losses there, and is loaded back, strict.

usage: build the target tern_train_tied_gpt, then
       python3 check_tied_gpt.py .../tern_train_tied_gpt FOLDER"""
import os
import subprocess
import sys

import torch
from torch import nn
from torch.nn import functional as F

program, folder = sys.argv[1:3]
HEADS, STEPS = 2, 60


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm_1 = nn.LayerNorm(16)
        self.qkv = nn.Linear(16, 48)
        self.projection = nn.Linear(16, 16)
        self.norm_2 = nn.LayerNorm(16)
        self.network = nn.Sequential(nn.Linear(16, 64), nn.GELU(approximate="tanh"), nn.Linear(64, 16))

    def forward(self, x):
        parts = (p.unflatten(2, (HEADS, -1)).transpose(1, 2) for p in self.qkv(self.norm_1(x)).split(16, 2))
        seen = F.scaled_dot_product_attention(*parts, is_causal=True)
        x = x + self.projection(seen.transpose(1, 2).flatten(2))
        return x + self.network(self.norm_2(x))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Embedding(7, 16)
        self.position = nn.Embedding(9, 16)
        self.blocks = nn.Sequential(Block(), Block(), nn.LayerNorm(16))
        self.head = nn.Linear(16, 7, bias=False)
        self.head.weight = self.token.weight

    def forward(self, tokens):
        return self.head(self.blocks(self.token(tokens) + self.position(torch.arange(tokens.shape[1]))))


torch.manual_seed(3)
model = GPT()
words = torch.randint(0, 6, (STEPS, 24, 4))
tokens = torch.cat([words, torch.full((STEPS, 24, 1), 6), words.flip(2)], 2)
source, target = os.path.join(folder, "tied_gpt.pth"), os.path.join(folder, "tied_gpt_trained.pth")
torch.save({"state": model.state_dict(), "tokens": list(tokens)}, source)
subprocess.run([program, source, target], check=True)
theirs = torch.load(target, weights_only=True)

named = list(model.named_parameters())
plain = [p for n, p in named if n.endswith("bias") or "norm" in n]
decayed = [p for n, p in named if not (n.endswith("bias") or "norm" in n)]
adam = torch.optim.AdamW([{"params": decayed}, {"params": plain, "weight_decay": 0}], lr=0.01, weight_decay=0.1)
losses = []
for batch in tokens:
    loss = F.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
    adam.zero_grad()
    loss.backward()
    adam.step()
    losses.append(loss.item())

failures = []
if list(theirs["state"]) != list(model.state_dict()):
    failures.append("other keys: %s" % list(theirs["state"]))
if theirs["parameters"] != sum(p.numel() for p in model.parameters()):
    failures.append("%d parameters" % theirs["parameters"])
apart = max(abs(a - b) / b for a, b in zip(theirs["losses"], losses))
if len(theirs["losses"]) != STEPS or apart > 1e-4:
    failures.append("losses differ by %.1e" % apart)
trained = GPT()
trained.load_state_dict(theirs["state"], strict=True)
if trained.head.weight is not trained.token.weight or not torch.equal(
        theirs["state"]["head.weight"], theirs["state"]["token.weight"]):
    failures.append("the head is not tied")
# A bias of the keys changes no score's softmax: its gradient is rounding alone, and Adam makes steps of that.
largest = 0.0
for (key, own), given in zip(model.state_dict().items(), trained.state_dict().values()):
    apart_here = (own - given).abs()
    if key.endswith("qkv.bias"):
        apart_here[16:32] = 0
    largest = max(largest, apart_here.max().item())
if largest > 1e-3:
    failures.append("weights differ by %.1e" % largest)
print("losses %.4f to %.4f, apart by %.1e; weights by %.1e" % (losses[0], losses[-1], apart, largest))
for failure in failures:
    print("FAILED", failure)
print("torch", torch.__version__, "failures:", len(failures))
sys.exit(len(failures) != 0)
