#!/bin/bash
# faults: drivers that are missing or broken, a cache that cannot be used, and calls of OpenCL that fail: each
# a clear reason, and never a crash. The points at which a call fails are spread over a run; TERN_LONG=1 takes
# every one.
. "$(dirname "$0")/../cli/common.sh"
export TERN_CACHE_DIR=$work/cache

# reason WORDS: the list says that the device is not available, and why; the CPU's devices are there.
reason() {
    run 0 devices --probe
    check "$last: not '$1': $(cat "$out")" grep -q "opencl.*unavailable.*$1" "$out"
    check "$last: the CPU's device is ready" grep -q 'cpu_ref.*ready' "$out"
}

mkdir "$work/none" "$work/broken"
echo /no/such/driver.so >"$work/broken/broken.icd"
: >"$work/broken/empty.icd"
OCL_ICD_VENDORS=$work/none reason "no OpenCL driver is installed"
OCL_ICD_VENDORS=$work/broken reason "no OpenCL driver is installed"
TERN_OPENCL_DEVICE="no such name" reason "TERN_OPENCL_DEVICE=no such name is in no device's name"

# losses NAME: a short training run's, into a file.
losses() {
    run 0 train linear --device opencl --epochs 3 --out "$work/model" --no-plots
    grep Epoch "$out" >"$work/$1"
}

# A cache that cannot be written keeps nothing; what is broken in it is made again.
losses first
: >"$work/file"
TERN_CACHE_DIR=$work/file losses unwritable
check "an unwritable cache changes losses" cmp -s "$work/first" "$work/unwritable"
TERN_OPENCL_COUNT=1 losses second
check "a second run compiles: $(cat "$err")" grep -q 'opencl: 0 programs were compiled' "$err"
broken=0
for entry in "$TERN_CACHE_DIR"/opencl/*; do
    case $((broken++ % 3)) in
    0) : >"$entry" ;;
    1) truncate -s -7 "$entry" ;;
    2) printf '\377\377\377' | dd of="$entry" bs=1 seek=200 conv=notrunc status=none ;;
    esac
done
TERN_OPENCL_COUNT=1 losses third
check "broken entries are not compiled again: $(cat "$err")" grep -q ' 0 came from the cache' "$err"
check "a broken cache changes losses" cmp -s "$work/first" "$work/third"

# The n-th call fails.
export LD_PRELOAD=$failing TERN_OPENCL_FAIL_LOG=$work/log
"$tern" train linear --device opencl --epochs 3 --out "$work/model" --no-plots >"$out" 2>"$err"
read -r _ calls _ objects <"$work/log"
check "$objects objects of OpenCL are left" [ "$objects" -eq 0 ]
step=$((calls / 100 + 1))
[ -z "${TERN_LONG:-}" ] || step=1
points=0
for ((n = 1; n <= calls; n += step)); do
    status=0
    TERN_OPENCL_FAIL_AT=$n "$tern" train linear --device opencl --epochs 3 --out "$work/model" \
        --no-plots >"$out" 2>"$err" || status=$?
    read -r _ _ _ objects <"$work/log"
    check "call $n fails: exit status $status: $(<"$err")" [ "$status" -le 1 ]
    check "call $n fails: $objects objects of OpenCL are left" [ "$objects" -eq 0 ]
    [ "$status" -eq 0 ] || check "call $n fails: no reason" grep -q opencl "$err"
    points=$((points + 1))
done
unset LD_PRELOAD
echo "$points of $calls calls failed"
finish
