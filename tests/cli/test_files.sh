#!/bin/bash
# inspect and convert: what is in a file of each format, ways from one to another, and bad input.
. "$(dirname "$0")/common.sh"
pth=$source/tests/data/pth
npy=$source/tests/data/npy

run 0 inspect "$pth/ckpt.pth"
says "ckpt.pth: pth"
says "model_state_dict.linear_layer.weight"
says "epoch = 5"
run 0 inspect --json "$pth/ckpt.pth"
json format=pth tensors/0/name=model_state_dict.linear_layer.weight tensors/0/dtype=float32 \
    'tensors/0/shape=[1,1]' tensors/0/sha256 values/epoch=5 values/loss=0.25
run 0 inspect --json "$pth/dtypes.pth"
check "inspect --json: complex numbers are told" grep -q '"dtype": "complex64"' "$out"
run 0 inspect --json "$pth/sparse.pth"
json warnings/0
run 0 inspect --json "$npy/two.npz"
json format=npz tensors/0/name=weights tensors/1/dtype=bool 'values={}'
weights=$(grep -o '"sha256": "[^"]*"' "$out" | head -1)

# There and back: the same tensor, by its checksum, in every format.
run 0 convert "$npy/two.npz" "$work/two.safetensors"
run 0 convert "$work/two.safetensors" "$work/two.pth"
run 0 convert "$work/two.pth" "$work/again.npz"
run 0 convert "$npy/c.npy" "$work/c.npy"
check "convert: .npy has other bytes" cmp -s "$npy/c.npy" "$work/c.npy"
for file in two.safetensors two.pth again.npz c.npy; do
    run 0 inspect --json "$work/$file"
    check "$file: other weights" grep -q "$weights" "$out"
done
run 0 convert "$npy/two.npz" "$work/half.pth" --dtype bfloat16
run 0 inspect --json "$work/half.pth"
json tensors/0/dtype=bfloat16 tensors/1/dtype=bool

run 0 convert "$npy/../gguf/sample.gguf" "$work/gguf.safetensors"
run 0 inspect --json "$work/gguf.safetensors"
json format=safetensors
run 0 inspect --json "$npy/../gguf/sample.gguf"
json format=gguf tensors/0/name=float32 values/u8=255

# Bad input: one line, and no file, or the old one.
run 1 inspect "$pth/code.pth"
complains "tern inspect: " "code.pth" "posix.getcwd"
run 1 inspect "$work/absent.pth"
complains "tern inspect: " "absent.pth" "No such file"
run 2 inspect
complains "tern inspect: "
head -c 500 "$pth/ckpt.pth" >"$work/cut.pth"
run 1 inspect "$work/cut.pth"
complains "tern inspect: " "truncated"
run 1 convert "$work/cut.pth" "$work/never.npz"
complains "tern convert: " "truncated"
run 1 convert "$pth/ckpt.pth" "$work/c.npy"
complains "tern convert: " "one tensor"
run 1 convert "$work/half.pth" "$work/never.npz"
complains "tern convert: " "bfloat16"
run 2 convert "$npy/c.npy" "$work/never.pth" --dtype int8
complains "tern convert: " "int8"
check "convert left a file" [ ! -e "$work/never.npz" ]
check "a failed convert changed the old file" cmp -s "$npy/c.npy" "$work/c.npy"
finish
