#!/bin/bash
# tune: tiles are measured and kept, results stay bit by bit what they were, and a damaged or foreign table counts for
# nothing.
. "$(dirname "$0")/../cli/common.sh"
export TERN_CACHE_DIR=$work/cache

# losses NAME: a short training run's, into a file.
losses() {
    run 0 train linear --device opencl --epochs 3 --out "$work/model" --no-plots
    grep Epoch "$out" >"$work/$1"
}

losses before
check "something is kept untuned" [ ! -e "$TERN_CACHE_DIR/tiles" ]
run 0 tune --device opencl --json
check "$last: no row: $(cat "$out")" grep -q '"dtype": "float32"' "$out"
check "$last: no table" [ "$(ls "$TERN_CACHE_DIR/tiles" | wc -l)" = 1 ]
losses after
check "tuning changes losses" cmp -s "$work/before" "$work/after"
for table in "$TERN_CACHE_DIR"/tiles/*; do printf '\377\377\377' | dd of="$table" bs=1 seek=60 conv=notrunc status=none; done
losses damaged
check "a damaged table changes losses" cmp -s "$work/before" "$work/damaged"
run 0 tune --device cpu_ref
says "float32"
check "a device without a table keeps one" [ "$(ls "$TERN_CACHE_DIR/tiles" | wc -l)" = 1 ]
finish
