/*
 * fuzz_tables.c: the readers of IDX and CSV, packed by gzip or not, against any bytes.
 *
 * With clang's -fsanitize=fuzzer this is a fuzz target. With -DFUZZ_SMOKE it is a program of its own
 * that feeds the target a fixed number of inputs, made from a seed by changing small files.
 */
#include <zlib.h>

#include "fuzz_common.h"

#include "io/csv.h"
#include "io/format.h"
#include "io/idx.h"

static tern_value read_idx(tern_ctx *ctx, const uint8_t *data, size_t size) {
    tern_tensor *tensor = tern_idx_read(ctx, "input", data, size);
    return tern_is_nil(tensor) ? tern_none() : tern_tensor_value(tensor);
}

/* Every cell is a text; numbers and classes are made or refused in one line. */
static tern_value read_csv(tern_ctx *ctx, const uint8_t *data, size_t size) {
    tern_csv_options o = TERN_CSV_OPTIONS;
    o.header = size % 2;
    unsigned char *copy = tern_alloc(size + 1);
    fuzz_require(copy != NULL, "out of memory");
    memcpy(copy, data, size);
    copy[size] = 0;
    tern_csv *csv = tern_csv_over(ctx, "input", copy, size, &o);
    if (!csv) return tern_none();
    size_t letters = 0;
    for (int64_t row = 0; row < tern_csv_row_count(csv); row++)
        for (int c = 0; c < tern_csv_column_count(csv); c++)
            letters += strlen(tern_csv_text(csv, row, c));
    fuzz_require(letters < SIZE_MAX, "cells beyond the file");
    tern_tensor *codes = tern_csv_classes(csv, tern_csv_name(csv, 0), NULL);
    fuzz_require(tern_numel(codes) == tern_csv_row_count(csv), tern_error(ctx));
    tern_tensor *numbers = tern_csv_numbers(csv, NULL, 0);
    return tern_is_nil(numbers) ? tern_none() : tern_tensor_value(numbers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tern_ctx *ctx = fuzz_context();
    tern_scope scope = tern_scope_begin(ctx, 0);
    fuzz_check(ctx, read_idx(ctx, data, size));
    if (tern_format_of(data, size) == TERN_FORMAT_IDX) fuzz_inspect(ctx, data, size);
    tern_error_clear(ctx);
    fuzz_check(ctx, read_csv(ctx, data, size));
    tern_scope_end(scope);
    tern_error_clear(ctx);
    return 0;
}

#ifdef FUZZ_SMOKE

static size_t packed(const char *text, size_t size, uint8_t *out, size_t room) {
    z_stream z = {.next_in = (z_const Bytef *)text, .avail_in = (uInt)size};
    deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    z.next_out = out;
    z.avail_out = (uInt)room;
    fuzz_require(deflate(&z, Z_FINISH) == Z_STREAM_END, "no room for a seed");
    deflateEnd(&z);
    return room - z.avail_out;
}

static size_t seed_input(uint8_t *out, size_t room) {
    static const char idx[] = "\0\0\x0b\2\0\0\0\2\0\0\0\3abcdefghijk";
    static const char csv[] = "a,b,\"c \"\"d\"\"\"\r\n1,2.5,-3\n\n4,\"5\",6e2\n7,,inf";
    bool table = fuzz_draw(2);
    const char *text = table ? csv : idx;
    size_t size = table ? sizeof csv - 1 : sizeof idx;
    if (fuzz_draw(3) == 0) return packed(text, size, out, room);
    memcpy(out, text, size);
    return size;
}

int main(int argc, char **argv) {
    return fuzz_smoke("fuzz_tables", argc, argv, seed_input);
}

#endif
