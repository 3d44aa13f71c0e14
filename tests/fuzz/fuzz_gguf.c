/*
 * fuzz_gguf.c: the reader of GGUF against any bytes.
 *
 * With clang's -fsanitize=fuzzer this is a fuzz target. With -DFUZZ_SMOKE it is a program of its own
 * that feeds the target a fixed number of inputs, made from a seed by changing legal files.
 */
#include "fuzz_common.h"

#include "io/format.h"
#include "io/gguf_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tern_ctx *ctx = fuzz_context();
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_value value = tern_gguf_read(ctx, "input", data, size, NULL);
    fuzz_check(ctx, value);
    fuzz_touch(ctx, tern_dict_attributes(value), 0);
    if (tern_format_of(data, size) == TERN_FORMAT_GGUF) fuzz_inspect(ctx, data, size);
    tern_scope_end(scope);
    tern_error_clear(ctx);
    return 0;
}

#ifdef FUZZ_SMOKE

/* The beginning of what a file holds, where most changes should fall. */
static size_t small_file(uint8_t *out) {
    static const char head[] =
        "GGUF\3\0\0\0\3\0\0\0\0\0\0\0\3\0\0\0\0\0\0"
        "\0\1\0\0\0\0\0\0\0a\x08\0\0\0\2\0\0\0\0\0\0\0hi"
        "\1\0\0\0\0\0\0\0b\x09\0\0\0\x09\0\0\0\1\0\0\0\0\0\0\0\5\0\0\0\1\0\0\0\0\0\0\0\7\0\0\0"
        "\1\0\0\0\0\0\0\0c\x0c\0\0\0\0\0\0\0\0\0\0\x40"
        "\1\0\0\0\0\0\0\0x\2\0\0\0\x20\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0"
        "\1\0\0\0\0\0\0\0y\0\0\0\0\x1c\0\0\0\x40\0\0\0\0\0\0\0"
        "\1\0\0\0\0\0\0\0z\1\0\0\0\2\0\0\0\0\0\0\0\x18\0\0\0\x60\0\0\0\0\0\0\0";
    size_t begin = (sizeof head - 1 + 31) / 32 * 32;
    memset(out, 1, begin + 98);
    memcpy(out, head, sizeof head - 1);
    return begin + 98;
}

static size_t seed_input(uint8_t *out, size_t room) {
    return fuzz_draw(4) ? small_file(out)
                        : fuzz_sample("tests/data/gguf", "sample.gguf", out, room);
}

int main(int argc, char **argv) {
    return fuzz_smoke("fuzz_gguf", argc, argv, seed_input);
}

#endif
