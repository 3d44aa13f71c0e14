#!/usr/bin/env python3
"""What PyTorch and ONNX Runtime take for the cases of `tern bench`, by the same names and rules.

Prints a JSON object a line: case, peer, threads, value, unit, better ("less" or "more").

    bench/peers.py [--threads N] [--only CASES] [--budget S] [--fashion DIR] [--compile]
    bench/peers.py --serve ...    reads lines of CASES from standard input; after each the results, then
                                  a line {"end": true}

Who changes a case here changes it in tools/bench too.
"""
import argparse
import functools
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

PARSER = argparse.ArgumentParser(description=__doc__.splitlines()[0])
PARSER.add_argument("--threads", type=int, default=1)
PARSER.add_argument("--only", default="", help="names or groups of cases, separated by commas")
PARSER.add_argument("--budget", type=float, default=1.0, help="seconds a case is measured; 0 calls each once")
PARSER.add_argument("--fashion", default="/usr/share/datasets/fashion-mnist")
PARSER.add_argument("--compile", action="store_true", help="torch.compile, too, where a model is trained")
PARSER.add_argument("--device", default="cpu", help="PyTorch's device; what needs another is left out")
PARSER.add_argument("--serve", action="store_true")
OPTIONS = PARSER.parse_args()

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # before torch is imported
    os.environ[variable] = str(OPTIONS.threads)

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

torch.set_num_threads(OPTIONS.threads)
torch.set_num_interop_threads(1)
if OPTIONS.device != "cpu":
    torch.set_default_device(OPTIONS.device)
    # as the device cuda: TF32 where it is asked for, and only there
    in_tf32 = os.environ.get("TERN_CUDA_TF32") == "1"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = in_tf32
TORCH = "torch " + torch.__version__.split("+")[0]

# A second, or one a second, in the unit.
TIMES = {"ns": 1e9, "us": 1e6, "ms": 1e3}
RATES = {"GF/s": 1e-9, "GB/s": 1e-9, "M/s": 1e-6, "samples/s": 1, "tokens/s": 1}

# ---- measuring -------------------------------------------------------------------------------------

LEAST_RUNS, LEAST_LONG_RUNS, MOST_RUNS = 5, 3, 1024
PATIENCE, SHORTEST_RUN = 4, 0.01


def wait():
    """For the device's work, where it has a queue."""
    if OPTIONS.device != "cpu":
        torch.accelerator.synchronize()


def timed(call, inner):
    wait()
    start = time.perf_counter()
    for _ in range(inner):
        call()
    wait()
    return (time.perf_counter() - start) / inner


def seconds(call, budgets=1):
    """Seconds of one call: the median over runs of at least 10 ms each, as tools/bench/measure.c."""
    budget, least = OPTIONS.budget * budgets, LEAST_LONG_RUNS if budgets > 1 else LEAST_RUNS
    first = timed(call, 1)
    if first > PATIENCE * budget:
        return first
    timed(call, 1)
    one = timed(call, 1)
    inner = int(SHORTEST_RUN / max(one, 1e-9)) if one < SHORTEST_RUN else 1
    end, runs = time.perf_counter() + budget, []
    while len(runs) < MOST_RUNS and (len(runs) < least or time.perf_counter() < end):
        runs.append(timed(call, inner))
    return statistics.median(runs)


class Run:
    """The cases that were asked for, and where results go."""

    def __init__(self, words):
        self.words = set(words)

    def wants(self, *cases):
        return not self.words.isdisjoint(cases)

    def result(self, case, value, unit, peer=TORCH):
        better = "more" if unit in RATES else "less"
        print(json.dumps({"case": case, "peer": peer, "threads": OPTIONS.threads, "value": float(f"{value:.6g}"),
                          "unit": unit, "better": better}), flush=True)

    def time(self, case, unit, call, work=1, budgets=1, peer=TORCH):
        """Times a call that does so much work; the unit says whether that is a time or a rate."""
        took = seconds(call, budgets)
        value = TIMES[unit] * took / work if unit in TIMES else RATES[unit] * work / took
        self.result(case, value, unit, peer)

    def missing(self, case, reason):
        print(f"peers: missing {case}: {reason}", file=sys.stderr, flush=True)


GROUPS = {}


def group(*cases):
    """A function that times these cases, as far as the run wants them; its name is the group's."""
    def register(function):
        GROUPS[function.__name__] = function, cases
        return function

    return register


def variants():
    """The peers that train a model, each with how it wraps one."""
    yield TORCH, lambda model: model
    if OPTIONS.compile:
        yield TORCH + " compile", torch.compile


# ---- small things ----------------------------------------------------------------------------------


@group("startup", "startup_rss")
def startup(run):
    # The kernel's count for this program; getrusage would count what the parent held before.
    peak = "\nfor line in open('/proc/self/status'):\n    if line.startswith('VmHWM'): print(line.split()[1])"
    programs = {TORCH: "import torch; torch.ones(1) + 1"}
    if onnx_runtime():
        programs[onnx_runtime().peer] = "import onnxruntime"
    for peer, program in programs.items():
        words = [sys.executable, "-c", program + peak]
        output = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        if run.wants("startup"):
            start = functools.partial(subprocess.run, words, capture_output=True, check=True)
            run.time("startup", "ms", start, budgets=2, peer=peer)
        if run.wants("startup_rss"):
            run.result("startup_rss", int(output) / 1024, "MiB", peer)


@group("seed_epoch")
def seed_loop(run):
    x = torch.arange(0, 1, 0.02).unsqueeze(1)
    y = 0.7 * x + 0.3
    for peer, wrap in variants():
        torch.manual_seed(42)
        model = nn.Linear(1, 1)
        optimizer, loss_fn, forward = torch.optim.SGD(model.parameters(), lr=0.01), nn.L1Loss(), wrap(model)
        x_train, y_train, x_test, y_test = x[:40], y[:40], x[40:], y[40:]

        def epoch():
            model.train()
            loss = loss_fn(forward(x_train), y_train)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            model.eval()
            with torch.inference_mode():
                loss_fn(forward(x_test), y_test)

        run.time("seed_epoch", "us", epoch, peer=peer)


@group("op_add_1", "op_add_1_recorded", "op_add_scalar_1", "grad_chain_20", "lstm_backward_64", "lstm_backward_256")
def overhead(run):
    one, other, leaf = torch.ones(1), torch.ones(1), torch.ones(1, requires_grad=True)
    with torch.inference_mode():
        if run.wants("op_add_1"):
            run.time("op_add_1", "ns", lambda: torch.add(one, other))
        if run.wants("op_add_scalar_1"):
            run.time("op_add_scalar_1", "ns", lambda: torch.add(one, 0.5))
    if run.wants("op_add_1_recorded"):
        run.time("op_add_1_recorded", "ns", lambda: torch.add(leaf, other))

    def chain():
        value = leaf
        for _ in range(20):
            value = value * other
        value.backward()

    if run.wants("grad_chain_20"):
        run.time("grad_chain_20", "us", chain)
    for steps in (64, 256):  # a graph that stays
        if run.wants(f"lstm_backward_{steps}"):
            total = nn.LSTM(8, 16)(torch.rand(steps, 1, 8))[0].sum()
            run.time(f"lstm_backward_{steps}", "us", lambda: total.backward(retain_graph=True))


# ---- kernels ---------------------------------------------------------------------------------------

SQUARES = (32, 64, 128, 256, 512, 1024, 2048)
TRANSPOSED = ((1, 4096, 4096), (8, 1024, 1024), (64, 784, 256), (32, 128, 10), (4096, 64, 64), (64, 64, 4096),
              (128, 4096, 128))


@group(*(f"gemm_{n}" for n in SQUARES), *(f"gemm_{m}x{k}x{n}_nt" for m, k, n in TRANSPOSED), "gemm_1024_bf16")
def gemm(run):
    for n in SQUARES:
        if run.wants(f"gemm_{n}"):
            a, b, c = torch.rand(n, n), torch.rand(n, n), torch.empty(n, n)
            run.time(f"gemm_{n}", "GF/s", lambda: torch.mm(a, b, out=c), work=2 * n**3)
    for m, k, n in TRANSPOSED:
        if run.wants(f"gemm_{m}x{k}x{n}_nt"):
            a, b = torch.rand(m, k), torch.rand(n, k).t()
            run.time(f"gemm_{m}x{k}x{n}_nt", "GF/s", lambda: torch.mm(a, b), work=2 * m * k * n)
    if run.wants("gemm_1024_bf16"):
        a, b = torch.rand(1024, 1024).bfloat16(), torch.rand(1024, 1024).bfloat16()
        run.time("gemm_1024_bf16", "GF/s", lambda: torch.mm(a, b), work=2 * 1024**3)


FACTORISATIONS = ("cholesky", "solve", "inv", "qr", "eigh", "svd")
BATCHES = ("solve_8_b1024", "eigh_8_b1024")


@group(*(f"{name}_{n}" for name in FACTORISATIONS for n in (64, 256, 1024)), *BATCHES)
def linalg(run):
    def of(name, case, n, count):
        if not run.wants(case):
            return
        a = torch.randn(count, n, n)
        b = a @ a.mT + n * torch.eye(n)
        calls = {
            "cholesky": lambda: torch.linalg.cholesky(b),
            "solve": lambda: torch.linalg.solve(b, a),
            "inv": lambda: torch.linalg.inv(b),
            "qr": lambda: torch.linalg.qr(a),
            "eigh": lambda: torch.linalg.eigh(b),
            "svd": lambda: torch.linalg.svd(a, full_matrices=False),
        }
        run.time(case, "ms", calls[name])

    for name in FACTORISATIONS:
        for n in (64, 256, 1024):
            of(name, f"{name}_{n}", n, 1)
    for case in BATCHES:
        of(case.split("_")[0], case, 8, 1024)


@group("add_1e7", "exp_1e7", "gelu_1e6", "sum_1e7", "softmax_4096x1000", "layer_norm_4096x1000", "transpose_2048",
       "sum_dim0_4096x1000", "randn_1e6")
def bandwidth(run):
    n = 10_000_000
    a, b, c = torch.rand(n), torch.rand(n), torch.empty(n)
    rows, weight, bias = torch.rand(4096, 1000), torch.rand(1000), torch.rand(1000)
    small, square = a[:1_000_000], a[:2048**2].view(2048, 2048)
    cases = {
        "add_1e7": (lambda: torch.add(a, b, out=c), 12 * n),
        "exp_1e7": (lambda: torch.exp(a, out=c), 8 * n),
        "gelu_1e6": (lambda: F.gelu(small), 8 * small.numel()),
        "sum_1e7": (a.sum, 4 * n),
        "softmax_4096x1000": (lambda: F.softmax(rows, 1), 8 * rows.numel()),
        "layer_norm_4096x1000": (lambda: F.layer_norm(rows, (1000,), weight, bias), 8 * rows.numel()),
        "transpose_2048": (lambda: square.t().contiguous(), 8 * square.numel()),
        "sum_dim0_4096x1000": (lambda: rows.sum(0), 4 * rows.numel()),
    }
    with torch.inference_mode():
        for case, (call, moved) in cases.items():
            if run.wants(case):
                run.time(case, "GB/s", call, work=moved)
        if run.wants("randn_1e6"):
            run.time("randn_1e6", "M/s", lambda: torch.randn(1_000_000), work=1e6)


# Batch, channels, side, filters, kernel, stride, padding, groups.
CONVOLUTIONS = {
    "conv3x3_64_56": (1, 64, 56, 64, 3, 1, 1, 1),
    "conv1x1_256_14": (8, 256, 14, 256, 1, 1, 0, 1),
    "conv7x7_3_112": (1, 3, 224, 64, 7, 2, 3, 1),
    "dwconv3x3_128_56": (1, 128, 56, 128, 3, 1, 1, 128),
    "conv3x3_10_28_b32": (32, 10, 28, 10, 3, 1, 1, 1),
}


@group(*CONVOLUTIONS, *(case + "_train" for case in CONVOLUTIONS))
def conv(run):
    for case, (batch, channels, side, filters, kernel, stride, padding, groups) in CONVOLUTIONS.items():
        if not run.wants(case, case + "_train"):
            continue
        x = torch.rand(batch, channels, side, side)
        weight, bias = torch.rand(filters, channels // groups, kernel, kernel), torch.rand(filters)

        def forward():
            return F.conv2d(x, weight, bias, stride, padding, 1, groups)

        with torch.inference_mode():
            shape = forward().shape
            flops = 2 * shape.numel() * weight[0].numel()
            if run.wants(case):
                run.time(case, "GF/s", forward, work=flops)
        if run.wants(case + "_train"):
            gradient = torch.rand(shape)
            for leaf in (x, weight, bias):
                leaf.requires_grad_()
            run.time(case + "_train", "GF/s", lambda: forward().backward(gradient), work=3 * flops)


# ---- images ----------------------------------------------------------------------------------------


@functools.lru_cache(None)
def fashion():
    """Images as float32 [60000, 1, 28, 28] within [0, 1], and labels; None where they are not installed."""
    def read(name, header):
        with gzip.open(os.path.join(OPTIONS.fashion, name)) as file:
            return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8)

    try:
        images, labels = read("train-images-idx3-ubyte.gz", 16), read("train-labels-idx1-ubyte.gz", 8)
    except FileNotFoundError:
        return None
    return images.view(-1, 1, 28, 28).to(torch.float32) / 255, labels.to(torch.int64)


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(),
                         nn.Linear(128, 10))


def tiny_vgg(channels):
    def convolution(inputs):
        return [nn.Conv2d(inputs, channels, 3, padding=1), nn.ReLU()]

    return nn.Sequential(*convolution(1), *convolution(channels), nn.MaxPool2d(2), *convolution(channels),
                         *convolution(channels), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(channels * 49, 10))


@group("mlp_train_b64", "cnn_train_b32", "cnn64_train_b32")
def train_images(run):
    cases = {"mlp_train_b64": (mlp, 64), "cnn_train_b32": (lambda: tiny_vgg(10), 32),
             "cnn64_train_b32": (lambda: tiny_vgg(64), 32)}
    for case, (make, batch) in cases.items():
        if not run.wants(case):
            continue
        if fashion() is None:
            run.missing(case, f"the images are not in {OPTIONS.fashion}")
            continue
        images, labels = fashion()
        for peer, wrap in variants():
            torch.manual_seed(42)
            model = make()
            optimizer, loss_fn = torch.optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss()
            forward, first = wrap(model), 0

            def step():
                nonlocal first
                last = first + batch
                optimizer.zero_grad()
                loss_fn(forward(images[first:last]), labels[first:last]).backward()
                optimizer.step()
                first = last % (900 * batch)

            run.time(case, "samples/s", step, work=batch, budgets=3, peer=peer)


@group("loader_b64_shuffle")
def loader(run):
    if fashion() is None:
        run.missing("loader_b64_shuffle", f"the images are not in {OPTIONS.fashion}")
        return
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*fashion()), batch_size=64, shuffle=True)

    def hundred():
        for k, _ in enumerate(data):
            if k == 100:
                break

    run.time("loader_b64_shuffle", "samples/s", hundred, work=6400, budgets=2)


# ---- sequences -------------------------------------------------------------------------------------


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln1, self.qkv, self.proj = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.ln2, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def by_heads(self, x):
        """Queries, keys and values, each [N, heads, T, width / heads]."""
        parts = self.qkv(self.ln1(x)).split(x.shape[2], 2)
        return [part.view(*x.shape[:2], self.heads, -1).transpose(1, 2) for part in parts]

    def behind_attention(self, x, attended):
        x = x + self.proj(attended.transpose(1, 2).reshape(x.shape))
        return x + self.down(F.gelu(self.up(self.ln2(x)), approximate="tanh"))

    def forward(self, x):
        return self.behind_attention(x, F.scaled_dot_product_attention(*self.by_heads(x), is_causal=True))

    def one_more(self, x, keys, values, place):
        query, key, value = self.by_heads(x)
        keys[:, :, place:place + 1] = key
        values[:, :, place:place + 1] = value
        seen = slice(0, place + 1)
        return self.behind_attention(x, F.scaled_dot_product_attention(query, keys[:, :, seen], values[:, :, seen]))


class GPT(nn.Module):
    def __init__(self, vocab=65, context=64, width=128, layers=4, heads=4):
        super().__init__()
        self.tok, self.pos = nn.Embedding(vocab, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.ln, self.head = nn.LayerNorm(width), nn.Linear(width, vocab, bias=False)
        self.cache_shape = (1, heads, context, width // heads)

    def forward(self, tokens):
        x = self.tok(tokens) + self.pos(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.ln(x))

    def token_by_token(self, tokens):
        """Each token alone, with the keys and values of those before kept in tensors made once."""
        caches = [(torch.empty(self.cache_shape), torch.empty(self.cache_shape)) for _ in self.blocks]
        for place in range(tokens.shape[1]):
            x = self.tok(tokens[:, place:place + 1]) + self.pos.weight[place]
            for block, (keys, values) in zip(self.blocks, caches):
                x = block.one_more(x, keys, values, place)
            self.head(self.ln(x))


@group("gpt_train_step", "gpt_forward_b1", "gpt_token_cached", "attention_4096_train")
def gpt(run):
    tokens, target = torch.randint(0, 65, (12, 64)), torch.randint(0, 65, (12, 64))
    for peer, wrap in variants() if run.wants("gpt_train_step") else ():
        torch.manual_seed(42)
        model = GPT()
        forward, optimizer = wrap(model), torch.optim.AdamW(model.parameters(), lr=1e-3, foreach=True)

        def step():
            optimizer.zero_grad()
            F.cross_entropy(forward(tokens).view(-1, 65), target.view(-1)).backward()
            optimizer.step()

        run.time("gpt_train_step", "tokens/s", step, work=tokens.numel(), budgets=3, peer=peer)
    model = GPT().eval()
    with torch.inference_mode():
        if run.wants("gpt_forward_b1"):
            run.time("gpt_forward_b1", "us", lambda: model(tokens[:1]))
        if run.wants("gpt_token_cached"):
            run.time("gpt_token_cached", "us", lambda: model.token_by_token(tokens[:1]), work=64)
    if run.wants("attention_4096_train"):
        attention(run)


def attention(run):
    leaves = [torch.randn(1, 8, 4096, 64, requires_grad=True) for _ in range(3)]
    gradient = torch.randn(1, 8, 4096, 64)

    def step():
        for leaf in leaves:
            leaf.grad = None
        F.scaled_dot_product_attention(*leaves, is_causal=True).backward(gradient)

    run.time("attention_4096_train", "ms", step, budgets=3)


@group("lstm_forward", "lstm_train")
def rnn(run):
    model, x = nn.LSTM(64, 128, batch_first=True), torch.rand(16, 50, 64)
    if run.wants("lstm_forward"):
        with torch.inference_mode():
            run.time("lstm_forward", "ms", lambda: model(x))
    if run.wants("lstm_train"):
        run.time("lstm_train", "ms", lambda: model(x)[0].sum().backward())


# ---- optimizers ------------------------------------------------------------------------------------


@group("optim_sgd_momentum_5M", "optim_adamw_5M", "optim_adamw_fused_5M")
def optim(run):
    def step_of(make, **options):
        parameters = [nn.Parameter(torch.rand(1000, 1000)) for _ in range(5)]
        for parameter in parameters:
            parameter.grad = torch.rand_like(parameter)
        return make(parameters, **options).step

    sgd, adamw = functools.partial(torch.optim.SGD, lr=0.1, momentum=0.9), functools.partial(torch.optim.AdamW, lr=1e-3)
    for case, make in (("optim_sgd_momentum_5M", sgd), ("optim_adamw_5M", adamw)):
        if run.wants(case):
            run.time(case, "ms", step_of(make))
            run.time(case, "ms", step_of(make, fused=True), peer=TORCH + " fused")
    if run.wants("optim_adamw_fused_5M"):
        run.time("optim_adamw_fused_5M", "ms", step_of(adamw, fused=True))


# ---- answers ---------------------------------------------------------------------------------------


@functools.lru_cache(None)
def onnx_runtime():
    """ONNX Runtime, or None where it is not installed."""
    try:
        import onnx_peer
        return onnx_peer.OnnxRuntime(OPTIONS.threads)
    except ImportError:
        return None


def infer_by_onnx(run, case, model, x):
    onnx = onnx_runtime()
    if onnx is None:
        run.missing(case, "ONNX Runtime (onnxruntime, onnx) is not installed")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        onnx.save(model, x, path)
        session = onnx.session(path)
        answer = torch.from_numpy(session.run(["y"], {"x": x.numpy()})[0])
        torch.testing.assert_close(answer, model(x), atol=1e-4, rtol=1e-4)
        if run.wants(case):
            run.time(case, "us", onnx.bound(session, x), peer=onnx.peer)
        if run.wants(case + "_load"):
            run.time(case + "_load", "ms", lambda: onnx.session(path), peer=onnx.peer)


@group(*(f"{model}_infer_b1{what}" for model in ("mlp", "cnn", "cnn64", "linear") for what in ("", "_load")))
def infer(run):
    image = torch.rand(1, 1, 28, 28)
    models = {"mlp_infer_b1": (mlp, image), "cnn_infer_b1": (lambda: tiny_vgg(10), image),
              "cnn64_infer_b1": (lambda: tiny_vgg(64), image),
              "linear_infer_b1": (lambda: nn.Sequential(nn.Linear(1, 1)), torch.rand(1, 1))}
    for case, (make, x) in models.items():
        if not run.wants(case, case + "_load"):
            continue
        model = make().eval()
        called = model[0] if len(model) == 1 else model  # a Linear alone needs no Sequential around it
        with torch.inference_mode():
            if run.wants(case):
                run.time(case, "us", lambda: called(x))
            infer_by_onnx(run, case, model, x)


# ---- files -----------------------------------------------------------------------------------------


def durably(write, path):
    """As Tern writes a file: beside it, flushed to the disk, renamed, the folder flushed."""
    write(path + ".new")
    for name, then in ((path + ".new", lambda: os.replace(path + ".new", path)), (os.path.dirname(path), lambda: None)):
        descriptor = os.open(name, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        then()


def formats():
    """For each format: the peer, save(state, path) and load(path)."""
    yield "pth", TORCH, torch.save, functools.partial(torch.load, weights_only=True)
    try:
        import safetensors
        import safetensors.torch
    except ImportError:
        return
    yield ("safetensors", "safetensors " + safetensors.__version__, safetensors.torch.save_file,
           safetensors.torch.load_file)


@group(*(f"{name}_{what}_100MB" for name in ("pth", "safetensors") for what in ("save", "save_durable", "load")),
       "pth_load_copied_100MB")
def files(run):
    state = nn.Sequential(*[nn.Linear(1000, 1000) for _ in range(25)]).state_dict()
    for name, peer, save, load in formats():
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model." + name)
            save(state, path)
            calls = {
                f"{name}_save_100MB": lambda: save(state, path),
                f"{name}_save_durable_100MB": lambda: durably(lambda where: save(state, where), path),
                f"{name}_load_100MB": lambda: load(path),
                f"{name}_load_copied_100MB": lambda: load(path),
            }
            for case, call in calls.items():
                if run.wants(case):
                    run.time(case, "ms", call, budgets=2, peer=peer)


# ---- the command -----------------------------------------------------------------------------------


def versions():
    known = {"python": sys.version.split()[0], "torch": torch.__version__}
    if onnx_runtime():
        known["onnxruntime"] = onnx_runtime().version
    return known


def run_cases(text):
    """Runs the cases and groups of a text, separated by commas; all where it is empty."""
    words = [word for word in text.split(",") if word] or list(GROUPS)
    known = set(GROUPS).union(*(cases for _, cases in GROUPS.values()))
    for word in words:
        if word not in known:
            print(f"peers: no case '{word}'", file=sys.stderr, flush=True)
    run = Run([*words, *(case for word in words if word in GROUPS for case in GROUPS[word][1])])
    for name, (function, cases) in GROUPS.items():
        if not run.wants(*cases):
            continue
        try:
            function(run)
        except Exception as error:  # what one group lacks is no reason to lose the others
            print(f"peers: {name} failed: {error!r}", file=sys.stderr, flush=True)


def main():
    if not OPTIONS.serve:
        run_cases(OPTIONS.only)
        return
    print(json.dumps({"versions": versions()}), flush=True)
    for line in sys.stdin:
        run_cases(line.strip())
        print(json.dumps({"end": True}), flush=True)


main()
