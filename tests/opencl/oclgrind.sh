#!/bin/bash
# oclgrind: a small case of each family on a simulated device, which reports every invalid access and every race
# between the items of a group. 77 where oclgrind is not installed. Its compiler's optimiser makes instructions that
# it cannot run, so that is switched off.
. "$(dirname "$0")/../cli/common.sh"
command -v oclgrind >/dev/null || exit 77
export TERN_CACHE_DIR=$work/cache
failed=0
cases=0
for name in add sum cumsum sort matmul gather scatter_add index_select index_put nonzero take softmax linear_map \
    convolution_map nn.functional.conv2d nn.functional.conv_transpose2d nn.functional.max_pool2d \
    nn.functional.avg_pool2d nn.functional.interpolate nn.functional.embedding nn.functional.cross_entropy \
    nn.functional.layer_norm nn.functional.scaled_dot_product_attention; do
    for check in values gradients; do
        id=$("$tern" conformance --device cpu_ref --list --filter "properties/$check" 2>/dev/null |
            grep -F -m 1 "properties/$check:$name#1/float") || continue
        cases=$((cases + 1))
        if ! oclgrind --build-options -cl-opt-disable --data-races "$tern" conformance --device opencl \
            --timeout 500 --replay "$id" >"$work/log" 2>&1 || grep -qE "Invalid|race|Error" "$work/log"; then
            echo "$id:"
            grep -E "Invalid|race|Error|FAILED" "$work/log" | head -5
            failed=$((failed + 1))
        fi
    done
done
echo "$cases cases on a simulated device, $failed failed"
[ "$failed" = 0 ] && [ "$cases" -ge 23 ]
