#!/bin/bash
# failing: the n-th call of the driver or of cuBLASLt fails: a run ends with a reason or goes on, and leaves nothing. The points are
# spread over a run; TERN_LONG=1 takes every one.
. "$(dirname "$0")/../cli/common.sh"
log=$work/log
export TERN_CUDA_STANDIN_LOG=$log TERN_CUDA_LIBRARIES=always # whose calls count too
epochs=${TERN_LONG:+40}
attempt() {
    status=0
    rm -rf "$work/model" "$log"
    TERN_CUDA_STANDIN=${1:-} timeout 60 "$tern" train linear --device cuda --epochs "${epochs:-3}" \
        --out "$work/model" --no-plots >"$out" 2>"$err" || status=$?
    read -r _ calls _ _ _ left _ <"$log" || true
}

attempt
check "the run does not pass: $(<"$err")" [ "$status" -eq 0 ]
total=$calls
step=$((total / 50 + 1))
[ -z "${TERN_LONG:-}" ] || step=1
points=0
for ((n = 1; n <= total; n += step)); do
    mode=$([ $((n % 2)) = 0 ] && echo late)
    attempt "fail=$n $mode"
    check "call $n fails: exit status $status: $(<"$err")" [ "$status" -le 1 ]
    check "call $n fails: ${left:-?} objects are left" [ "${left:-1}" -eq 0 ]
    [ "$status" -eq 0 ] || check "call $n fails: no reason: $(<"$err")" grep -q cuda "$err"
    points=$((points + 1))
done
echo "$points of $total calls failed"
[ -z "${TERN_LONG:-}" ] || check "only $points calls" [ "$points" -ge 2000 ]
finish
