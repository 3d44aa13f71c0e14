#!/bin/bash
# faults: no driver, one that is too old, broken or has no GPU, a GPU that is lost or has no memory left, no compiler:
# each a sentence, never a crash, and the CPU stays usable.
. "$(dirname "$0")/../cli/common.sh"
export TERN_PLUGIN_PATH=$manifests:${manifests%/*}/cpu_ref.d

# reason WORDS: the list says that the device is not available, and why; the CPU's devices are there.
reason() {
    run 0 devices --probe
    check "$last: not '$1': $(cat "$out")" grep -q "cuda.*unavailable.*$1" "$out"
    check "$last: the CPU's device is ready" grep -q 'cpu_ref.*ready' "$out"
    run 0 doctor
    check "doctor: not '$1': $(cat "$out" "$err")" grep -q "$1" "$out"
    run 0 ops --device cpu_ref
}

LD_LIBRARY_PATH='' reason "there is no NVIDIA driver (libcuda.so.1 is missing): install version 525"
TERN_CUDA_STANDIN=version=11080 reason "the driver is of CUDA 11.8, and CUDA 12.0 is needed: update"
TERN_CUDA_STANDIN=devices=0 reason "the driver sees no NVIDIA GPU"
CUDA_VISIBLE_DEVICES='' reason "the driver sees no NVIDIA GPU"
TERN_CUDA_STANDIN=init=803 reason "do not fit: restart the machine"
TERN_CUDA_STANDIN=init=999 reason "the driver does not start: unknown error"
TERN_CUDA_DEVICE="no such name" reason "TERN_CUDA_DEVICE=no such name is the UUID of no GPU"

# A driver's library that lacks a function, and one that is none.
mkdir "$work/old" "$work/none"
echo 'int cuDriverGetVersion(int *v) { *v = 12000; return 0; } int cuInit(unsigned f) { return f != 0; }' >"$work/old.c"
cc -shared -fPIC -o "$work/old/libcuda.so.1" "$work/old.c"
LD_LIBRARY_PATH=$work/old reason "the driver's library has no cu"
: >"$work/none/libcuda.so.1"
LD_LIBRARY_PATH=$work/none reason "there is no NVIDIA driver"

# Which GPUs count.
TERN_CUDA_DEVICE="stands in, b" run 0 devices --probe
check "one GPU by name: $(cat "$out")" [ "$(grep -c 'cuda:' "$out")" = 1 ]
TERN_CUDA_DEVICE=GPU-01122334- run 0 devices --probe --json
check "one GPU by UUID: $(cat "$out")" grep -q '"name": "cuda:0".*stands in, B' "$out"
CUDA_VISIBLE_DEVICES=1 run 0 devices --probe
check "CUDA_VISIBLE_DEVICES: $(cat "$out")" [ "$(grep -c 'cuda:' "$out")" = 1 ]

# The report names the libraries, or what is not there.
libraries() {
    run 0 doctor
    check "doctor: not '$1': $(cat "$out")" grep -q "ok: .*$1" "$out"
}
libraries 'cuBLASLt 13.1.0; cuDNN 9.19.0'
TERN_CUDA_LIBRARIES=off libraries 'TERN_CUDA_LIBRARIES is off'

# train WORDS MESSAGE: a run ends with the message.
train() {
    rm -rf "$work/model"
    TERN_CUDA_STANDIN=$1 run 1 train linear --device cuda --epochs 30 --out "$work/model" --no-plots
    check "$1: not '$2': $(cat "$err")" grep -q "$2" "$err"
}
train "capability=61" "has compute capability 6.1, and 7.5 is needed"
train "lose=40" "the GPU was lost: an illegal memory access was encountered (CUDA_ERROR_ILLEGAL_ADDRESS), met when"
train "lose=40 late" "the GPU was lost: .* in one of the last kernels .*map.*TERN_CUDA_SYNC=1 names the kernel"
TERN_CUDA_SYNC=1 train "lose=40" "the GPU was lost: .* in the kernel [a-z_]*:"
train "memory=1000" "MiB are free; .* buffers of this program hold"

# Without a compiler nothing can be run that was not compiled ahead; this one is none.
mkdir "$work/driver"
ln -s "$standin/libcuda.so.1" "$work/driver"
echo 'int nothing;' >"$work/nothing.c"
for version in 12 13; do cc -shared -o "$work/driver/libnvrtc.so.$version" "$work/nothing.c"; done
LD_LIBRARY_PATH=$work/driver train "" "NVRTC (libnvrtc.so.12 or .13) is needed, and it is too old: install it"

# Products are cuBLASLt's where they are worth it, or always, or never; without it, or with one that is broken, own
# kernels are as good.
products() {
    run 0 train linear --device cuda --epochs 3 --out "$work/products" --no-plots
    rm -rf "$work/products"
    check "$1: not '$2 products by cuBLASLt': $(cat "$err")" grep -q "; $2 products by cuBLASLt" "$err"
}
export TERN_CUDA_COUNT=1
products small 0
TERN_CUDA_LIBRARIES=always products always '[1-9][0-9]*'
TERN_CUDA_LIBRARIES=off products off 0
mkdir "$work/alone" "$work/bare"
ln -s "$standin"/libcuda.so.1 "$standin"/libnvrtc.so.13 "$work/alone"
ln -s "$standin"/libcuda.so.1 "$standin"/libnvrtc.so.13 "$work/bare"
cc -shared -o "$work/bare/libcublasLt.so.13" "$work/nothing.c"
TERN_CUDA_LIBRARIES=always LD_LIBRARY_PATH=$work/alone products "not installed" 0
TERN_CUDA_LIBRARIES=always LD_LIBRARY_PATH=$work/bare products "too old" 0
unset TERN_CUDA_COUNT

# Convolutions likewise: two that are large and a smaller one. convolutions COUNT [STATUS]
convolutions() {
    local status=0
    TERN_CUDA_STANDIN_LOG=$work/log timeout 100 "$exercise" large_convolutions >"$out" 2>&1 || status=$?
    check "exit status $status, not ${2:-0}: $(cat "$out")" [ "$status" -eq "${2:-0}" ]
    check "not $1 convolutions: $(cat "$work/log")" grep -q " convolutions $1$" "$work/log"
}
convolutions 2
TERN_CUDA_LIBRARIES=always convolutions 3
TERN_CUDA_LIBRARIES=off convolutions 0
cc -shared -o "$work/bare/libcudnn.so.9" "$work/nothing.c"
LD_LIBRARY_PATH=$work/bare libraries 'the cuBLASLt that is installed is too old; the cuDNN that is installed lacks a function'
LD_LIBRARY_PATH=$work/alone convolutions 0
LD_LIBRARY_PATH=$work/bare convolutions 0

# TF32 is used where it is asked for, and only there: the driver that stands in looks at every product.
TERN_CUDA_TF32=1 TERN_CUDA_STANDIN=tf32 TERN_CUDA_LIBRARIES=always run 0 train linear --device cuda --epochs 3 \
    --out "$work/tf32" --no-plots
TERN_CUDA_TF32=1 TERN_CUDA_LIBRARIES=always run 86 train linear --device cuda --epochs 3 --out "$work/tf32" --no-plots
check "TF32 is not seen: $(cat "$err")" grep -q 'TF32 that was not asked for' "$err"

TERN_CUDA_TF32=1 TERN_CUDA_STANDIN=tf32 convolutions 2 1 # whose numbers are rounded
TERN_CUDA_TF32=1 "$exercise" large_convolutions >"$out" 2>&1
check "TF32 is not seen in a convolution: $(cat "$out")" grep -q 'cudnn.*TF32 that was not asked for' "$out"

# A cache that cannot be written, or is broken, changes nothing but the time.
losses() {
    rm -rf "$work/model"
    TERN_CUDA_COUNT=1 run 0 train linear --device cuda --epochs 3 --out "$work/model" --no-plots
    grep Epoch "$out" >"$work/$1"
}
losses filling
losses first
check "the cache changes losses" cmp -s "$work/filling" "$work/first"
check "the cache is not used: $(cat "$err")" grep -q 'cuda: 0 programs were compiled' "$err"
cp -r "$TERN_CACHE_DIR" "$work/cache"
for entry in "$work"/cache/cuda/*; do : >"$entry"; done
TERN_CACHE_DIR=$work/cache losses broken
check "broken entries are taken: $(cat "$err")" grep -q ' 0 came from the cache' "$err"
check "a broken cache changes losses" cmp -s "$work/first" "$work/broken"
finish
