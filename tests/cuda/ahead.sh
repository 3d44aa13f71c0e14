#!/bin/bash
# ahead: programs that come with the plugin are found by their sources and run, and nothing is compiled; without a
# compiler, formulas go step by step, fused kernels are composed, and what is left is an error that says so. The
# compiler that makes them stands in, as the driver does.
. "$(dirname "$0")/../cli/common.sh"
mkdir -p -m 755 "$work/tern/cuda.d" "$work/tern/cuda" "$work/driver" "$work/ahead"
cp "$manifests/cuda.tern" "$work/tern/cuda.d"
chmod 644 "$work/tern/cuda.d/cuda.tern"
ln -s "$standin/libcuda.so.1" "$work/driver"
echo 'int nothing;' >"$work/nothing.c"
for version in 12 13; do cc -shared -o "$work/driver/libnvrtc.so.$version" "$work/nothing.c"; done
export TERN_PLUGIN_PATH=$work/tern/cuda.d:${manifests%/*}/cpu_ref.d TERN_CACHE_DIR=$work/cache

# plugin PATTERN: the plugin with the programs of the list that match.
plugin() {
    local rest=()
    grep -E "$1" "$source/backends/cuda/ahead/programs.txt" >"$work/programs"
    "$source/backends/cuda/ahead/compile" "$nvcc" "$ahead" "$work/programs" "$work/ahead" "$work/ready.c" || exit 1
    cc -O1 -fPIC -I"$source/include" -I"$source/backends/cuda" -c -o "$work/ready.o" "$work/ready.c" || exit 1
    for at in $objects; do [ "$(basename "$at")" = none.c.o ] || rest+=("$at"); done
    cc -shared -o "$work/tern/cuda/$(basename "$library")" "$work/ready.o" "${rest[@]}" -lm -ldl -lpthread || exit 1
}

# train DRIVER: a short run; the losses go to the file.
train() {
    rm -rf "$work/model"
    LD_LIBRARY_PATH=$1 TERN_CUDA_COUNT=1 run "$2" train linear --device cuda --epochs 3 --out "$work/model" --no-plots
    grep Epoch "$out" >"$work/$3"
}
export TERN_CUDA_STANDIN_RECORD=$work/record
plugin '^interpret'
train "$standin" 0 compiled
check "nothing was compiled: $(cat "$err")" grep -q 'cuda: [1-9][0-9]* programs were compiled' "$err"
sort -u "$work/record" | grep -v ' idle' >"$work/needed"
# Everything that the run needs is in the list.
while IFS= read -r line; do
    check "programs.txt has no: $line" grep -qxF "$line" "$source/backends/cuda/ahead/programs.txt"
done <"$work/needed"
unset TERN_CUDA_STANDIN_RECORD

sed -e 's/[].*[^$\\]/\\&/g' -e 's/^/^/' -e 's/$/$/' "$work/needed" | paste -sd'|' >"$work/pattern"
plugin "$(<"$work/pattern")|^interpret"
rm -rf "$TERN_CACHE_DIR"
train "$work/driver" 0 ready
check "something was compiled: $(cat "$err")" grep -q 'cuda: 0 programs were compiled, 0 came from the cache' "$err"
check "programs that came with the plugin change losses" cmp -s "$work/compiled" "$work/ready"

# Formulas by the interpreter.
plugin "$(tr '|' '\n' <"$work/pattern" | grep variant | paste -sd'|')|^interpret"
train "$work/driver" 0 interpreted
check "the interpreter changes losses" cmp -s "$work/compiled" "$work/interpreted"

# A primitive that is not there.
plugin '^interpret'
train "$work/driver" 1 none
check "no reason: $(cat "$err")" grep -q "no kernel for .*NVRTC .* is needed" "$err"
finish
