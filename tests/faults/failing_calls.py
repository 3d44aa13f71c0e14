"""failing_calls.py TERN LIBRARY STRIDE [EPOCHS]: the n-th call to the system for files fails, and the n-th is the
program's last, for every STRIDE-th n of `tern train`, `--resume` and `convert`. They are counted from the last one:
how many calls a start takes depends on the machine, what is read and written after it does not.

LIBRARY is failing_calls.so. A run that fails says so in one line and exits with 1; one that exits with 0 leaves what the
undisturbed run leaves. After both, and after a kill, the folder resumes to the same weights."""
import errno
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile

tern, library, stride = sys.argv[1], sys.argv[2], int(sys.argv[3])
epochs = int(sys.argv[4]) if len(sys.argv) > 4 else 2
scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)
tried, errors, kills, wrong = 0, 0, 0, 0
HOWS = [str(errno.EIO), str(errno.ENOSPC), "short", str(errno.EACCES)]


def run(arguments, call=0, how="5"):
    environment = dict(os.environ, LD_PRELOAD=library, TERN_FAULT_CALL=str(call), TERN_FAULT_HOW=how,
                       TERN_FAULT_COUNT=os.path.abspath("count"), TERN_DEVICE="cpu_ref")
    return subprocess.run([tern, *arguments], env=environment, capture_output=True, text=True, errors="replace",
                          timeout=60)


def fail(what, p):
    global wrong
    wrong += 1
    if wrong <= 20:
        print("WRONG", what, "status", p.returncode, repr(p.stdout[-200:]), repr(p.stderr[-300:]))


def counted(arguments):
    p = run(arguments)
    if p.returncode != 0:
        sys.exit(f"{arguments}: fails by itself: {p.stderr}")
    with open("count") as f:
        return int(f.read())


def judge(what, arguments, call, how, same):
    """Runs with a failing call. `same` tells whether what is there is right, given whether the run succeeded."""
    global tried, errors, kills
    p = run(arguments, call, how)
    tried += 1
    what = f"{what}, call {call}, {how}:"
    if p.returncode == -9 and how == "kill":
        kills += 1
    elif p.returncode == 1 and p.stderr.startswith("tern ") and p.stderr.count("\n") == 1:
        errors += 1
    elif p.returncode != 0:
        fail(what, p)
    problem = same(p.returncode == 0)
    if problem:
        fail(what + " " + problem, p)


def files_of(folder):
    return sorted(name for name in os.listdir(folder) if not name.startswith("plots"))


def resumes(succeeded):
    if succeeded and not filecmp.cmp("right/model.pth", "run/model.pth", shallow=False):
        return "another model"
    how = "--resume" if os.path.exists("run/checkpoint.pth") else "--force"
    if how == "--resume" and subprocess.run([tern, "inspect", "run/checkpoint.pth"], capture_output=True).returncode:
        return "a checkpoint that cannot be loaded"
    p = run(["train", "r.txt", "--out", "run", "--quiet", how])
    if p.returncode != 0:
        return f"does not go on ({how}): {p.stderr}"
    if not filecmp.cmp("right/model.pth", "run/model.pth", shallow=False):
        return "goes on to another model"
    return ""


def begin_new():
    shutil.rmtree("run", ignore_errors=True)


def begin_half():
    shutil.rmtree("run", ignore_errors=True)
    shutil.copytree("half", "run")


def converted(path):
    def same(succeeded):
        with open(path, "rb") as f:
            now = f.read()
        return "" if now == right_bytes or (now == b"old" and not succeeded) else "the file is neither old nor new"
    return same


with open("t.csv", "w") as f:
    f.write("a,b,price\n" + "".join(f"{i},{i % 7},{3 * i + i % 7}\n" for i in range(24)))
recipe = "model = Linear(2, 1)\noptimizer = Adam(lr=0.1)\nloss = MSELoss()\ndata = t.csv\nbatch_size = 8\n"
with open("r.txt", "w") as f:
    f.write(recipe + f"epochs = {epochs}\n")
with open("h.txt", "w") as f:
    f.write(recipe + f"epochs = {max(1, epochs // 2)}\n")
train = ["train", "r.txt", "--quiet", "--out"]
calls = counted(train + ["right"])
run(["train", "h.txt", "--quiet", "--out", "half"])
begin_half()
resume_calls = counted(train + ["run", "--resume", "--epochs", str(epochs)])

for n in range(calls, 0, -stride):
    for how in (HOWS[(calls - n) % len(HOWS)], "kill"):
        begin_new()
        judge("train", train + ["run"], n, how, resumes)
for n in range(resume_calls, 0, -stride):
    for how in (HOWS[(resume_calls - n) % len(HOWS)], "kill"):
        begin_half()
        judge("resume", train + ["run", "--resume", "--epochs", str(epochs)], n, how, resumes)
for ending in ("pth", "safetensors", "npz"):
    source, target = f"source.{ending}", f"target.{ending}"
    run(["convert", "right/model.pth", source])
    run(["convert", source, target])
    with open(target, "rb") as f:
        right_bytes = f.read()
    n_calls = counted(["convert", source, target])
    for n in range(n_calls, 0, -stride):
        for how in HOWS + ["kill"]:
            with open(target, "wb") as f:
                f.write(b"old")
            judge("convert " + ending, ["convert", source, target], n, how, converted(target))
print(f"{tried} calls failed, of {calls} of a run and {resume_calls} of a resumed one: {errors} clean errors, "
      f"{kills} kills, {wrong} wrong")
sys.exit(wrong > 0 or not errors or not kills)
