/*
 * fuzz_json.c: the JSON reader and writer against any bytes.
 *
 * With clang's -fsanitize=fuzzer this is a fuzz target. With -DFUZZ_SMOKE it is a program of its own
 * that feeds the target a fixed number of inputs, made from a seed by changing small texts.
 */
#include "fuzz_common.h"

/* What is read is written, in one line or in many, as something that is read as the same. */
static void try_again(tern_ctx *ctx, tern_value value) {
    const char *text = tern_json_text(ctx, value, 0), *wide = tern_json_text(ctx, value, 2);
    fuzz_require(text && wide && !strchr(text, '\n'), "what was read is not written");
    tern_value again = tern_json_parse(ctx, wide, strlen(wide));
    fuzz_require(tern_check(ctx) == TERN_OK, tern_error(ctx));
    const char *other = tern_json_text(ctx, again, 0);
    fuzz_require(other && strcmp(text, other) == 0, "written and read again it is another value");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tern_ctx *ctx = fuzz_context();
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_value value = tern_json_parse(ctx, (const char *)data, size);
    fuzz_check(ctx, value);
    if (tern_check(ctx) == TERN_OK) try_again(ctx, value);
    tern_error_clear(ctx);
    tern_scope_end(scope);
    return 0;
}

#ifdef FUZZ_SMOKE

static size_t seed_input(uint8_t *out, size_t room) {
    static const char *const texts[] = {
        "{\"a\": [1, -2.5e-3, true, null], \"b\": {\"\\u00e9\\n\": \"x\\\"y\"}}",
        "[[1, 2], [3.0, 4], {\"dtype\": \"float32\", \"size\": [2, 3]}, \"@name\", 1e300]",
        "[9223372036854775807, -9223372036854775808, -0.0, 1E+2, 0]",
        "\"\\ud83d\\ude00 \\u001f \\/\"",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[{}]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
        " {\"k\": 1, \"l\": 2}\r\n\t"};
    return fuzz_seed_text(texts, sizeof texts / sizeof texts[0], out, room);
}

int main(int argc, char **argv) {
    return fuzz_smoke("fuzz_json", argc, argv, seed_input);
}

#endif
