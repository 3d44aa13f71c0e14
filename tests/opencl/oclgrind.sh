#!/bin/bash
# oclgrind: a small case of each family on a simulated device, which reports every invalid access and every race
# between the items of a group, and some whose programs are interpreted. 77 where oclgrind is not installed. Its
# compiler's optimiser makes instructions that it cannot run, so that is switched off.
. "$(dirname "$0")/../cli/common.sh"
command -v oclgrind >/dev/null || exit 77
export TERN_CACHE_DIR=$work/cache
cases=0

# simulate CHECK:NAME#1/DTYPE: the first such case.
simulate() {
    local id status=0
    id=$("$tern" conformance --device cpu_ref --list --filter "${1%%:*}" 2>/dev/null | grep -F -m 1 "$1") || return 0
    cases=$((cases + 1))
    oclgrind --build-options -cl-opt-disable --data-races "$tern" conformance --device opencl \
        --timeout 500 --replay "$id" >"$work/log" 2>&1 || status=1
    grep -qE "Invalid|race|Error" "$work/log" && status=1
    check "$id: $(grep -E "Invalid|race|Error|FAILED" "$work/log" | head -5)" [ "$status" -eq 0 ]
}

for name in add sum cumsum sort matmul gather scatter_add index_select index_put nonzero take softmax linear_map \
    convolution_map nn.functional.conv2d nn.functional.conv_transpose2d nn.functional.max_pool2d \
    nn.functional.avg_pool2d nn.functional.interpolate nn.functional.embedding nn.functional.cross_entropy \
    nn.functional.layer_norm nn.functional.scaled_dot_product_attention; do
    simulate "properties/values:$name#1/float"
    simulate "properties/gradients:$name#1/float"
done
for case in add#1/int64 where#1/float32 lerp#1/float64 erfinv#1/float16 nn.functional.gelu#1/bfloat16; do
    TERN_OPENCL_INTERPRET=always simulate "properties/values:$case"
done
echo "$cases cases on a simulated device"
check "$cases cases" [ "$cases" -ge 50 ]
finish
