#!/bin/bash
# builds: how many programs a device of OpenCL compiles, from the test backend gpu_builds, which counts them without
# compiling: the models that conformance-opencl trains, a sample of the suite, and in long mode the whole suite, fused
# and composed, with the vectors that TERN_VECTORS names.
. "$(dirname "$0")/../cli/common.sh"
vectors=${TERN_VECTORS:-$source/tests/vectors}

# builds DEVICE LIMIT ARGUMENTS: at most so many, and the cases pass.
builds() {
    local device=$1 limit=$2 count
    shift 2
    run 0 conformance --device "$device" --vectors "$vectors" --quiet "$@"
    grep -h 'gpu_builds: [0-9]* builds' "$out" "$err" | tail -1
    count=$(grep -h 'gpu_builds: [0-9]* builds' "$out" "$err" | sed 's/.*gpu_builds: \([0-9]*\) .*/\1/' | sort -n | tail -1)
    check "$last: ${count:-no} builds, more than $limit" [ "${count:-$((limit + 1))}" -le "$limit" ]
}

builds gpu_builds 60 --filter 'training/*'
builds gpu_builds 850 --sample 20
builds gpu_builds:1 850 --sample 20
if [ -n "${TERN_LONG:-}" ]; then
    builds gpu_builds 1500
    builds gpu_builds:1 1500
    builds gpu_builds 1500 --composed
fi
finish
