#!/bin/bash
# cuda: every kernel of backends/gpu compiles as CUDA C, to PTX. 77 without the toolkit.
set -u
nvcc=$(command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null) || exit 77
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
count=$("$sources" "$work") || exit 1
failed=0
for file in "$work"/*.cu; do
    "$nvcc" -ptx -x cu -arch=sm_80 -fmad=false -o "$work/out.ptx" "$file" >"$work/log" 2>&1 ||
        { echo "$(basename "$file") does not compile:"; grep -m 3 error "$work/log"; failed=$((failed + 1)); }
done
echo "$count kernels compiled to PTX, $failed failed"
[ "$failed" = 0 ]
