#!/bin/bash
# bench: every case by its name, those that are quick on the reference device run once, what cannot run is
# told; and bench/compare over it. What is measured is never tested.
. "$(dirname "$0")/common.sh"

# Cases that the reference device answers within a second, by group; then those that take longer.
quick="startup startup_rss seed_epoch op_add_1 op_add_1_recorded op_add_scalar_1 grad_chain_20
lstm_backward_64 lstm_backward_256 gemm_32 gemm_64 gemm_128 gemm_256 gemm_8x1024x1024_nt gemm_64x784x256_nt
gemm_32x128x10_nt gemm_4096x64x64_nt gemm_64x64x4096_nt gemm_128x4096x128_nt add_1e7 sum_1e7
layer_norm_4096x1000 transpose_2048 sum_dim0_4096x1000 randn_1e6 conv1x1_256_14 dwconv3x3_128_56
dwconv3x3_128_56_train conv3x3_10_28_b32 conv3x3_10_28_b32_train mlp_train_b64 cnn_train_b32 gpt_forward_b1
gpt_token_cached optim_sgd_momentum_5M optim_adamw_5M lstm_forward lstm_train mlp_infer_b1 mlp_infer_b1_load
cnn_infer_b1 cnn_infer_b1_load cnn64_infer_b1 cnn64_infer_b1_load linear_infer_b1 linear_infer_b1_load
loader_b64_shuffle seed_epoch_replayed mlp_train_b64_replayed cnn_train_b32_replayed gpt_forward_b1_replayed
lstm_train_replayed mlp_infer_b1_replayed cnn_infer_b1_replayed cnn64_infer_b1_replayed linear_infer_b1_replayed
cholesky_64 solve_64 inv_64 qr_64 eigh_64 svd_64 cholesky_256 solve_256 inv_256 qr_256 solve_8_b1024 eigh_8_b1024"
slow="eigh_256 svd_256 cholesky_1024 solve_1024 inv_1024 qr_1024 eigh_1024 svd_1024 gemm_1x4096x4096_nt gelu_1e6 conv3x3_64_56 conv7x7_3_112 optim_adamw_fused_5M gemm_512 gemm_1024
gemm_2048 gemm_1024_bf16 exp_1e7 softmax_4096x1000 conv3x3_64_56_train conv1x1_256_14_train
conv7x7_3_112_train cnn64_train_b32 gpt_train_step gpt_train_step_replayed attention_4096_train pth_save_durable_100MB pth_load_100MB
pth_load_copied_100MB safetensors_save_durable_100MB safetensors_load_100MB pth_save_100MB safetensors_save_100MB"
limits="limit_fma_f32 limit_fma_f64 limit_read limit_copy"

words() { printf '%s\n' $*; }
joined() { words "$*" | paste -sd,; }
names() { sed -nE 's/^\{"case": "([^"]*)".*/\1/p' "$out"; }

# same TEXT WANTED: the words of standard input are the wanted ones, in any order.
same() {
    local differences
    differences=$(diff <(words "$2" | sort) <(sort) | grep '^[<>]' | paste -sd' ')
    check "$1: $differences" [ -z "$differences" ]
}

run 0 bench --list --roofline
same "$last: cases wanted (<) and there (>)" "$quick $slow $limits" < <(awk '{ print $2 }' "$out")

# 64 images without content.
mkdir "$work/fashion"
{ printf '\0\0\10\3\0\0\0\100\0\0\0\34\0\0\0\34' && head -c 50176 /dev/zero; } |
    gzip >"$work/fashion/train-images-idx3-ubyte.gz"
{ printf '\0\0\10\1\0\0\0\100' && head -c 64 /dev/zero; } | gzip >"$work/fashion/train-labels-idx1-ubyte.gz"

run 0 bench --only "$(joined "$quick")" --budget 0 --fashion "$work/fashion" --json
json --lines case 'peer=tern cpu_ref' threads=1 value unit better
same "$last: results wanted (<) and given (>)" "$quick" < <(names)
check "$last: a value that is not above 0" [ -z "$(grep -E '"value": (-|0\.0,|null)' "$out")" ]

run 0 bench --roofline --only op_add_1 --budget 0 --threads 2 --json
json --lines case peer threads=2 value unit better
same "$last: results wanted (<) and given (>)" "$limits op_add_1" < <(names)
check "$last: the limits are the machine's" [ "$(grep -c '"peer": "machine"' "$out")" = 4 ]

run 0 bench --only mlp_train_b64,loader --budget 0 --fashion "$work/nowhere" --json
silent
check "$last: not told as missing: $(<"$err")" \
    [ "$(grep -c 'missing .*: the images are not in .*install .*dataset-fashion-mnist' "$err")" = 2 ]

run 0 bench --only gemm_32 --budget 0
says "GF/s"
run 2 bench --only gemm_33
complains "tern bench: " "gemm_33" "did you mean"
run 2 bench --budget -1
complains "tern bench: " "--budget"
run 2 bench --threads 0
complains "tern bench: " "--threads"

# ---- bench/compare ----

python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || { finish; exit; }
cat >"$work/peers.py" <<'END'
import sys
threads, group = sys.argv[sys.argv.index("--threads") + 1], sys.argv[sys.argv.index("--only") + 1]
values = {"seed_loop": [("seed_epoch", "a 1", 1e9, "us", "less"), ("seed_epoch", "b 2", 2e9, "us", "less")],
          "gemm": [("gemm_32", "a 1", 1e9, "GF/s", "more"), ("gemm_32", "b 2", 2e9, "GF/s", "more")],
          "loader": [("loader_b64_shuffle", "a 1", 5.0, "samples/s", "more")]}
for case, peer, value, unit, better in values[group]:
    print(f'{{"case": "{case}", "peer": "{peer}", "threads": {threads}, "value": {value}, "unit": "{unit}", '
          f'"better": "{better}"}}')
END
cat >"$work/targets.txt" <<'END'
seed_epoch ratio=2
gemm_32    ratio=2 share=99 limit=fma_f32   # neither is reached
gemm_32    threads=2 speedup=1000
END
cat >"$work/check.py" <<'END'
import json
import sys
run = json.load(open(sys.argv[1]))
rows = {(row["case"], row["threads"]): row for row in run["rows"]}
seed, gemm, two, loader = (rows[key] for key in (("seed_epoch", 1), ("gemm_32", 1), ("gemm_32", 2), ("loader_b64_shuffle", 1)))
assert seed["fastest"] == "a 1" and seed["met"] is True, seed
assert abs(seed["ratio"] * seed["tern"] / 1e9 - 1) < 1e-9, seed
assert gemm["fastest"] == "b 2" and gemm["met"] is False, gemm
assert abs(gemm["ratio"] * 2e9 / gemm["tern"] - 1) < 1e-9, gemm
assert abs(gemm["share"] - 100 * gemm["tern"] / run["limits"]["1"]["fma_f32"]) < 1e-9, gemm
assert abs(two["speedup"] - two["tern"] / gemm["tern"]) < 1e-9 and two["met"] is False, two
assert loader["tern"] is None and "images" in run["missing"]["loader_b64_shuffle"], loader
END
last="bench/compare"
if ! python3 -B "$source/bench/compare" --tern "$tern" --device cpu_ref --budget 0 --rounds 1 --threads 1,2 \
    --only seed_epoch,gemm_32,loader_b64_shuffle --fashion "$work/nowhere" --python python3 --peers-script "$work/peers.py" \
    --targets "$work/targets.txt" --out "$work/results" >"$out" 2>"$err"; then
    check "$last: $(<"$err")" false
fi
says "1 of 3 targets met"
says "missing: loader_b64_shuffle"
check "$last: not the right results: $(cat "$err")" python3 "$work/check.py" "$work"/results/*-cpu_ref-1+2t-*.json

# Ratios and shares are made within a round: the second round is ten times as slow for all.
cat >"$work/rounds.py" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import report
measured = report.Measurements({("gemm_32", 1): report.NO_TARGET._replace(limit="fma_f32", ratio=2.0)})
assert measured.limit_of("gemm_32", 1) == "fma_f32"
for round_, (peer, limit, own) in enumerate([(20, 100, 50), (2, 10, 4), (1, 10, 3)]):
    for who, value in (("a", peer), ("machine", limit), ("tern cpu", own)):
        measured.add("gemm_32", round_, {"case": "limit_fma_f32" if who == "machine" else "gemm_32", "peer": who,
                                         "threads": 1, "unit": "GF/s", "better": "more", "value": value})
row, = report.make_rows(measured, "tern cpu")
assert (row["ratio"], row["share"], row["tern"], row["met"]) == (2.5, 40, 4, True), row
assert measured.limits(1) == {"fma_f32": 100}
# At most so many times the peer's time and so much more: 1.2 * 10 + 3 is 15.
for own, met in ((15, True), (16, False)):
    measured = report.Measurements({("op_add_1", 1): report.NO_TARGET._replace(times=1.2, plus=3)})
    for who, value in (("a", 10), ("tern cpu", own)):
        measured.add("op_add_1", 0, {"case": "op_add_1", "peer": who, "threads": 1, "unit": "ns", "better": "less", "value": value})
    row, = report.make_rows(measured, "tern cpu")
    assert (row["ratio"], row["met"]) == (10 / own, met), row
    assert report.wanted(row) == "<= 1.2x the time + 3", row
END
check "bench/report.py: rounds are not compared singly" python3 -B "$work/rounds.py" "$source/bench"
finish
