#!/bin/bash
# cuda: every kernel of backends/gpu compiles as CUDA C, to PTX that ptxas assembles for each architecture, within the
# budgets of budgets.txt: registers, bytes of stack, bytes of spills, bytes of shared memory. Of a kernel that needs
# more it is said; --write makes the file anew. 77 without the toolkit.
#   TERN_LONG=1: all kernels and architectures, else every sixth kernel for sm_80
set -u
budgets=$(dirname "$0")/budgets.txt
nvcc=${nvcc:-$(command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null)} || exit 77
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
count=$("$sources" "$work") || exit 1
archs=sm_80
[ -z "${TERN_LONG:-}" ] || archs='sm_75 sm_80 sm_90'

# assemble FILE ARCH: lines `KERNEL ARCH registers stack spills shared`, with the number of the file before them.
assemble() {
    "$nvcc" -cubin -x cu -w -arch="$2" -fmad=false -Xptxas -v -o "$work/$1.$2" "$work/$1.cu" >"$work/$1.$2.log" 2>&1 ||
        { echo "$1 does not compile for $2:"; grep -m 3 error "$work/$1.$2.log"; return 1; } >&2
    awk -v file="$1" -v arch="$2" '
        /Compiling entry function/ { split($0, part, "\x27"); kernel = part[2] }
        /bytes stack frame/ { stack = $1; spills = $5 + $9 }
        /Used [0-9]+ registers/ {
            shared = 0
            for (i = 1; i < NF; i++) {
                if ($i == "Used") registers = $(i + 1)
                if ($(i + 1) == "bytes" && $(i + 2) ~ /^smem/) shared = $i
            }
            print file, kernel, arch, registers, stack, spills, shared
        }' "$work/$1.$2.log"
}

number=0 failed=0
for file in "$work"/*.cu; do
    number=$((number + 1))
    [ -n "${TERN_LONG:-}" ] || [ $((number % 6)) = 0 ] || continue
    for arch in $archs; do
        assemble "$(basename "$file" .cu)" "$arch" >>"$work/measured" || failed=$((failed + 1))
    done
done
if [ "${1:-}" = --write ]; then
    { sed -n '/^#/p' "$budgets"; sort "$work/measured"; } >"$work/budgets" && cp "$work/budgets" "$budgets"
fi
# Compilers differ by a few registers.
awk '
    /^#/ || !NF { next }
    NR == FNR { registers[$1 $2 $3] = $4; stack[$1 $2 $3] = $5; spills[$1 $2 $3] = $6; shared[$1 $2 $3] = $7; next }
    { key = $1 $2 $3 }
    !(key in registers) { print $1, $2, $3 ": no budget"; wrong++; next }
    $4 > registers[key] + 8 { print $1, $2, $3 ": " $4 " registers, not " registers[key]; wrong++ }
    $5 > stack[key] + 16 { print $1, $2, $3 ": " $5 " bytes of stack, not " stack[key]; wrong++ }
    $6 > spills[key] { print $1, $2, $3 ": " $6 " bytes of spills, not " spills[key]; wrong++ }
    $7 > shared[key] { print $1, $2, $3 ": " $7 " bytes shared, not " shared[key]; wrong++ }
    END { exit wrong > 0 }' "$budgets" "$work/measured" || failed=$((failed + 1))
echo "$(wc -l <"$work/measured") kernels of $count sources assembled, $failed failures"
[ "$failed" = 0 ] && [ -s "$work/measured" ]
