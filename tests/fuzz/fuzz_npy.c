/*
 * fuzz_npy.c: the readers of .npy and .npz against any bytes.
 *
 * With clang's -fsanitize=fuzzer this is a fuzz target. With -DFUZZ_SMOKE it is a program of its own
 * that feeds the target a fixed number of inputs, made from a seed by changing numpy's files.
 */
#include "fuzz_common.h"

#include "io/npy.h"

static tern_value read_any(tern_ctx *ctx, const uint8_t *data, size_t size) {
    if (tern_is_npz(data, size)) return tern_npz_read(ctx, "input", data, size);
    tern_tensor *tensor = tern_npy_read(ctx, "input", data, size);
    return tern_is_nil(tensor) ? tern_none() : tern_tensor_value(tensor);
}

/* A tensor that was read can be written, and what is written reads back as long. */
static void write_again(tern_ctx *ctx, tern_tensor *tensor) {
    tern_sink sink;
    tern_sink_memory(&sink, ctx);
    fuzz_require(tern_npy_write(tensor, &sink) == TERN_OK, tern_error(ctx));
    tern_tensor *again = tern_npy_read(ctx, "again", sink.bytes, sink.used);
    fuzz_require(tern_numel(again) == tern_numel(tensor), tern_error(ctx));
    tern_free(sink.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tern_ctx *ctx = fuzz_context();
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_value value = read_any(ctx, data, size);
    fuzz_check(ctx, value);
    if (value.kind == TERN_VALUE_TENSOR) write_again(ctx, value.as.tensor);
    if (tern_is_npy(data, size) || tern_is_npz(data, size)) fuzz_inspect(ctx, data, size);
    tern_scope_end(scope);
    tern_error_clear(ctx);
    return 0;
}

#ifdef FUZZ_SMOKE

static size_t seed_input(uint8_t *out, size_t room) {
    static const char *const names[] = {"c.npy",      "fortran.npy", "big.npy",
                                        "scalar.npy", "uint16.npy",  "version3.npy",
                                        "record.npy", "two.npz",     "packed.npz"};
    return fuzz_sample("tests/data/npy", names[fuzz_draw(9)], out, room);
}

int main(int argc, char **argv) {
    return fuzz_smoke("fuzz_npy", argc, argv, seed_input);
}

#endif
