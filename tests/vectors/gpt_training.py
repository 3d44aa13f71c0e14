"""The training vector "gpt" of the clone: a run with the exact gelu and two with what its options can say,
gelu by tanh and a head tied to the token embedding."""
import torch
import torch.nn.functional as F
from torch import nn

from vector_file import VectorFile, difference


class Block(nn.Module):
    def __init__(self, o):
        super().__init__()
        d = o["d"]
        self.heads, self.gelu = o["heads"], o["gelu"].strip('"')
        self.ln1 = nn.LayerNorm(d)
        self.qkv = nn.Linear(d, 3 * d, bias=False)
        self.proj = nn.Linear(d, d)
        self.ln2 = nn.LayerNorm(d)
        self.fc = nn.Linear(d, 4 * d)
        self.out = nn.Linear(4 * d, d)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = [s.view(b, t, self.heads, d // self.heads).transpose(1, 2)
                   for s in self.qkv(self.ln1(x)).split(d, dim=2)]
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(a.transpose(1, 2).reshape(b, t, d))
        return x + self.out(F.gelu(self.fc(self.ln2(x)), approximate=self.gelu))


class GPT(nn.Module):
    def __init__(self, o):
        super().__init__()
        self.token = nn.Embedding(o["vocab"], o["d"])
        self.position = nn.Embedding(o["context"], o["d"])
        self.blocks = nn.ModuleList([Block(o) for _ in range(o["layers"])])
        self.ln = nn.LayerNorm(o["d"])
        self.head = nn.Linear(o["d"], o["vocab"], bias=False)
        if o["tied"]:
            self.head.weight = self.token.weight
        for m in self.modules():
            if isinstance(m, (nn.Linear, nn.Embedding)):
                nn.init.normal_(m.weight, mean=0.0, std=0.02)
            if isinstance(m, nn.Linear) and m.bias is not None:
                nn.init.zeros_(m.bias)

    def forward(self, x):
        x = self.token(x) + self.position(torch.arange(x.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.ln(x))


def train(model, text, starts, o):
    decay = [p for p in model.parameters() if p.dim() >= 2]
    rest = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}],
                                  lr=o["lr"], betas=(0.9, 0.95))
    losses, norms, context = [], [], o["context"]
    for start in starts:
        x = torch.stack([text[i:i + context] for i in start])
        y = torch.stack([text[i + 1:i + 1 + context] for i in start])
        loss = F.cross_entropy(model(x).view(-1, o["vocab"]), y.view(-1))
        optimizer.zero_grad()
        loss.backward()
        norms.append(nn.utils.clip_grad_norm_(model.parameters(), o["clip"]))
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses), torch.stack(norms)


def write_case(file, o):
    case = str(len(file.cases))
    torch.manual_seed(o["seed"])
    text = torch.randint(0, 3, (o["n"],)).cumsum(0) % o["vocab"]
    model = GPT(o)
    wide = GPT(o).double()
    wide.load_state_dict(model.state_dict())
    initial = {k: file.add(case, f"initial.{k}", v.clone()) for k, v in model.state_dict().items()}
    torch.manual_seed(o["seed"])
    torch.randint(0, 3, (o["n"],))
    GPT(o)
    starts = [torch.randint(len(text) - o["context"] - 1, (o["batch"],)) for _ in range(o["epochs"])]
    rand_after = torch.rand(4)
    losses, losses64 = train(model, text, starts, o), train(wide, text, starts, o)
    off = {name: difference(a, b) for name, a, b in zip(("losses", "norms"), losses, losses64)}
    states = model.state_dict(), wide.state_dict()
    off["final"] = max(difference(states[0][k], states[1][k]) for k in states[0])
    record = {"id": case, "seed": o["seed"], "options": o, "steps": o["epochs"],
              "data": {"text": file.add(case, "data.text", text)}, "initial": initial,
              "batches": [o["batch"]] * o["epochs"], "order": file.add(case, "order", torch.cat(starts)),
              "rand_after": file.add(case, "rand_after", rand_after), "error": off, "rtol": 1e-5,
              "final": {k: file.add(case, f"final.{k}", v) for k, v in states[0].items()},
              "final64": {k: file.add(case, f"final64.{k}", v) for k, v in states[1].items()}}
    for i, key in enumerate(("losses", "norms")):
        record[key] = file.add(case, key, losses[i])
        record[key + "64"] = file.add(case, key + "64", losses64[i])
    file.cases.append(record)


def write(folder):
    file = VectorFile("gpt")
    for gelu, tied in [("none", False), ("tanh", False), ("none", True)]:
        write_case(file, dict(seed=11, vocab=5, d=8, heads=2, context=6, layers=1, n=80, gelu=f'"{gelu}"', tied=tied,
                              lr=0.02, clip=5.0, batch=8, epochs=60))
    file.write(f"{folder}/training/gpt.safetensors")
