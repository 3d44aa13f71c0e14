#!/bin/bash
# faults: drivers that are missing or broken, a cache that cannot be used, and calls of OpenCL that fail: each
# a clear reason, and never a crash. The points at which a call fails are spread over a run; TERN_LONG=1 takes
# every one.
. "$(dirname "$0")/../cli/common.sh"
export TERN_CACHE_DIR=$work/cache

# reason WORDS: the list says that the device is not available, and why; the CPU's devices are there. The doctor says
# it too, and is content: a driver is optional.
reason() {
    run 0 devices --probe
    check "$last: not '$1': $(cat "$out")" grep -q "opencl.*unavailable.*$1" "$out"
    check "$last: the CPU's device is ready" grep -q 'cpu_ref.*ready' "$out"
    run 0 doctor
    check "$last: not '$1': $(cat "$out")" grep -q "not supported: .*$1" "$out"
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
mkdir "$work/full"
TERN_CACHE_DIR=$work/full TERN_FULL_FOLDER=$work/full LD_PRELOAD=$failing losses full.losses
check "a full cache changes losses" cmp -s "$work/first" "$work/full.losses"
check "a full cache keeps $(find "$work/full" -type f)" [ -z "$(find "$work/full" -type f)" ]
check "nothing was to be kept in the full cache" [ -d "$work/full/opencl" ]
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

# calls_fail POINTS COMMAND...: the n-th call fails, for so many n spread over a run.
calls_fail() {
    local most=$1 calls objects step status points=0 n
    shift
    env LD_PRELOAD="$failing" "$@" >"$out" 2>"$err"
    read -r _ calls _ objects <"$work/log"
    check "$1: $objects objects of OpenCL are left" [ "$objects" -eq 0 ]
    step=$((calls / most + 1))
    [ -z "${TERN_LONG:-}" ] || step=1
    for ((n = 1; n <= calls; n += step)); do
        status=0
        timeout 60 env LD_PRELOAD="$failing" TERN_OPENCL_FAIL_AT=$n "$@" >"$out" 2>"$err" || status=$?
        read -r _ _ _ objects <"$work/log"
        check "$1: call $n fails: exit status $status: $(<"$err")" [ "$status" -le 1 -o "$status" -eq 77 ]
        check "$1: call $n fails: $objects objects of OpenCL are left" [ "$objects" -eq 0 ]
        [ "$status" -eq 0 ] || check "$1: call $n fails: no reason" grep -q opencl "$err"
        points=$((points + 1))
    done
    echo "$(basename "$1"): $points of $calls calls failed"
}
epochs=3
[ -z "${TERN_LONG:-}" ] || epochs=9
export TERN_OPENCL_FAIL_LOG=$work/log
calls_fail 90 "$tern" train linear --device opencl --epochs "$epochs" --out "$work/model" --no-plots
POCL_DEVICES="pthread pthread" calls_fail 10 "$between"
finish
