/*
 * fuzz_safetensors.c: the reader of safetensors against any bytes.
 *
 * With clang's -fsanitize=fuzzer this is a fuzz target. With -DFUZZ_SMOKE it is a program of its own
 * that feeds the target a fixed number of inputs, made from a seed by changing legal files.
 */
#include "fuzz_common.h"

#include "io/safetensors.h"
#include "tern/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tern_ctx *ctx = fuzz_context();
    tern_scope scope = tern_scope_begin(ctx, 0);
    unsigned char *copy = tern_alloc(size); /* the reader takes its bytes over */
    fuzz_require(copy != NULL, "out of memory");
    if (size) memcpy(copy, data, size);
    tern_safetensors *file = tern_safetensors_over(ctx, "input", copy, size);
    fuzz_require((file != NULL) == (tern_check(ctx) == TERN_OK), "an error with a file");
    tern_value value = tern_safetensors_value(file);
    fuzz_check(ctx, value);
    if (tern_check(ctx) == TERN_OK) {
        /* What was read can be written and read again. */
        tern_sink sink;
        tern_sink_memory(&sink, ctx);
        fuzz_require(tern_safetensors_write(ctx, value, &sink) == TERN_OK, tern_error(ctx));
        file = tern_safetensors_over(ctx, "again", sink.bytes, sink.used);
        fuzz_require(tern_safetensors_count(file) == tern_value_count(value), tern_error(ctx));
    }
    if (size > 8 && data[8] == '{') fuzz_inspect(ctx, data, size);
    tern_scope_end(scope);
    tern_error_clear(ctx);
    return 0;
}

#ifdef FUZZ_SMOKE

static size_t seed_input(uint8_t *out, size_t room) {
    static const char *const headers[] = {
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
        "\"b\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[8,9]}}",
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"x\":{\"dtype\":\"BF16\",\"shape\":[2,0,3],\"data_offsets\":[0,0]},"
        "\"y\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]},"
        "\"z\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[8,9]}}   ",
    };
    const char *header = headers[fuzz_draw(2)];
    size_t length = strlen(header);
    fuzz_require(length + 17 <= room, "a seed is too long");
    memset(out, 0, 8);
    out[0] = (uint8_t)(length + (fuzz_draw(10) ? 0 : fuzz_draw(4)));
    out[1] = (uint8_t)(length >> 8);
    memcpy(out + 8, header, length);
    memset(out + 8 + length, 1, 9);
    return 8 + length + 9;
}

int main(int argc, char **argv) {
    return fuzz_smoke("fuzz_safetensors", argc, argv, seed_input);
}

#endif
