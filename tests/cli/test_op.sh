#!/bin/bash
# op and ops: calls by name on tensors of a file, the table of operations, and bad input.
. "$(dirname "$0")/common.sh"
vectors=$source/tests/vectors/ops

run 0 ops --json
json 0/name 0/kind 0/devices/cpu_ref/float32
check "ops --json: add has a kernel" \
    grep -q '"name": "add", "kind": "primitive".*"cpu_ref": {"float32": "kernel"' "$out"
run 0 ops
says "add"

# A round trip: the result of one call is the input of the next.
run 0 op matmul --args '{"input": "@0/input", "other": "@0/other"}' --in "$vectors/matmul.safetensors" \
    --out "$work/product.safetensors" --json
json out/0/dtype=float32 'out/0/shape=[3,2]'
run 0 op sub --args '["@out0", "@out0"]' --in "$work/product.safetensors" --out "$work/zero.safetensors"
run 0 op abs --args '{"input": "@out0"}' --in "$work/zero.safetensors"
says "out0 = tensor([[0., 0.],"
run 0 op full --args '{"size": [2], "fill_value": "inf", "dtype": "torch.float64"}'
says "tensor([inf, inf], dtype=torch.float64)"
run 0 op randn --args '{"size": [2]}' --seed 42
says "tensor([0.3367, 0.1288])"
run 0 op max --args '{"input": "@1/input", "dim": 1}' --in "$vectors/max.safetensors" --json
json out/0/dtype out/1/dtype=int64

# Bad input: one line, status 1, and no file.
bad() {
    run 1 "$@" --out "$work/never.safetensors"
    complains "tern op: "
    silent
    check "$last: it left a file" [ ! -e "$work/never.safetensors" ]
}
bad op ad --args '{}'
complains "tern op: " "'ad'" "did you mean 'add'?"
bad op add --args '{"input": '
bad op add --args '{"input": 1, "input": 2}'
bad op add --args '3'
bad op add --args '{"input": "@x", "other": 1}'
complains "tern op: " "@x" "--in"
bad op add --args '{"input": "@nothing", "other": 1}' --in "$vectors/matmul.safetensors"
complains "tern op: " "nothing" "matmul.safetensors"
bad op add --args '{"input": "@0/input", "other": 1}' --in "$work/absent.safetensors"
complains "tern op: " "absent.safetensors"
bad op matmul --args '{"input": "@0/input", "other": "@0/input"}' --in "$vectors/matmul.safetensors"
bad op abs --args '{"inptu": "@0/input"}' --in "$vectors/abs.safetensors"
complains "tern op: " "inptu"
bad op softmax --args '{"input": "@0/input"}' --in "$vectors/softmax.safetensors"
complains "tern op: " "dim"
bad op full --args '{"size": [-1], "fill_value": 0}'
bad op full --args '{"size": [9223372036854775807, 9223372036854775807], "fill_value": 0}'
head -c 100 "$vectors/abs.safetensors" >"$work/short.safetensors"
bad op abs --args '{"input": "@0/input"}' --in "$work/short.safetensors"
complains "tern op: " "short.safetensors"
run 1 op abs --args '{"input": "@0/input"}' --in "$vectors/abs.safetensors" --out "$work/no/such/folder.safetensors"
complains "tern op: " "folder.safetensors"
finish
