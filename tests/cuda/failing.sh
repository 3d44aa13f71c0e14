#!/bin/bash
# failing: the n-th call of the driver, of cuBLASLt or of cuDNN fails: a run ends with a reason or goes on, and leaves
# nothing. One run trains a model of products, the other one of convolutions, part of it by a replay. The points are
# spread over a run; TERN_LONG=1 takes every one.
. "$(dirname "$0")/../cli/common.sh"
log=$work/log
export TERN_CUDA_STANDIN_LOG=$log TERN_CUDA_LIBRARIES=always # whose calls count too
epochs=$([ -n "${TERN_LONG:-}" ] && echo 40 || echo 3)
train_products() {
    rm -rf "$work/model"
    timeout 60 "$tern" train linear --device cuda --epochs "$epochs" --out "$work/model" --no-plots
}
train_convolutions() { timeout 60 "$exercise" replay_convolutions; }

# attempt RUN WORDS
attempt() {
    status=0
    rm -f "$log"
    TERN_CUDA_STANDIN=$2 "$1" >"$out" 2>"$err" || status=$?
    read -r _ calls _ _ _ left _ <"$log" || true
}

points=0
for run in train_products train_convolutions; do
    attempt $run ""
    check "$run does not pass: $(<"$err")" [ "$status" -eq 0 ]
    total=$calls
    step=$((total / 40 + 1))
    [ -z "${TERN_LONG:-}" ] || step=1
    for ((n = 1; n <= total; n += step)); do
        mode=$([ $((n % 2)) = 0 ] && echo late)
        attempt $run "fail=$n $mode"
        check "$run, call $n fails: exit status $status: $(<"$err")" [ "$status" -le 1 ]
        check "$run, call $n fails: ${left:-?} objects are left" [ "${left:-1}" -eq 0 ]
        [ "$status" -eq 0 ] || check "$run, call $n fails: no reason: $(<"$err")" grep -q cuda "$out" "$err"
        points=$((points + 1))
    done
done
echo "$points calls failed"
[ -z "${TERN_LONG:-}" ] || check "only $points calls" [ "$points" -ge 2000 ]
finish
