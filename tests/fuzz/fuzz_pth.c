/*
 * fuzz_pth.c: the reader of .pth files against any bytes.
 *
 * An input that begins as an archive or an old stream is read as it is; any other is a pickle, which
 * is put into an archive first, so that checksums do not keep the changes away from it.
 *
 * With clang's -fsanitize=fuzzer this is a fuzz target. With -DFUZZ_SMOKE it is a program of its own
 * that feeds the target a fixed number of inputs, made from a seed by changing samples.
 */
#include "fuzz_common.h"

#include "io/pth.h"
#include "io/zip_writer.h"
#include "tern/memory.h"

/* The archive around a pickle: ten storages of 4 or 8 bytes. */
static tern_sink archive_of(tern_ctx *ctx, const uint8_t *data, size_t size) {
    tern_sink sink;
    tern_zip_writer zip;
    tern_sink_memory(&sink, ctx);
    tern_zip_writer_init(&zip, ctx, &sink, "r");
    tern_zip_add(&zip, "data.pkl", data, size);
    for (int i = 0; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "data/%d", i);
        tern_zip_add(&zip, name, "\0\0\x80\x3f\0\0\0\x40", i == 0 ? 4 : 8);
    }
    tern_zip_add(&zip, "version", "3\n", 2);
    tern_zip_writer_end(&zip);
    return sink;
}

/* What was read can be written and read again. */
static void write_again(tern_ctx *ctx, tern_value value) {
    tern_sink sink;
    tern_sink_memory(&sink, ctx);
    fuzz_require(tern_pth_write(ctx, value, "x", &sink) == TERN_OK, tern_error(ctx));
    fuzz_check(ctx, tern_pth_read(ctx, "again", sink.bytes, sink.used));
    fuzz_require(tern_check(ctx) == TERN_OK, tern_error(ctx));
    tern_free(sink.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const unsigned char stream[] = {0x80, 2, 0x8a, 10};
    tern_ctx *ctx = fuzz_context();
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_sink sink = {.bytes = NULL};
    if (size < 4 || (memcmp(data, "PK\3\4", 4) != 0 && memcmp(data, stream, 4) != 0)) {
        sink = archive_of(ctx, data, size);
        data = sink.bytes;
        size = sink.used;
    }
    tern_value value = tern_pth_read(ctx, "input", data, size);
    fuzz_check(ctx, value);
    if (tern_check(ctx) == TERN_OK) write_again(ctx, value);
    fuzz_inspect(ctx, data, size);
    tern_free(sink.bytes);
    tern_scope_end(scope);
    tern_error_clear(ctx);
    return 0;
}

#ifdef FUZZ_SMOKE

#include "io/zip_reader.h"

/* The pickle of a sample, or the sample itself. */
static size_t seed_input(uint8_t *out, size_t room) {
    static const char *const names[] = {"misc.pth",
                                        "ckpt_adam.pth",
                                        "tied_legacy.pth",
                                        "m1_deflated.pth",
                                        "model_protocol4.pth",
                                        "dtypes_legacy.pth",
                                        "sparse.pth",
                                        "small.pth"};
    static uint8_t file[FUZZ_ROOM];
    size_t size = fuzz_sample("tests/data/pth", names[fuzz_draw(8)], file, sizeof file);
    tern_zip zip;
    tern_ctx *ctx = fuzz_context();
    const unsigned char *data;
    bool pickle = fuzz_draw(2) && tern_zip_open(&zip, ctx, "x", file, size) == TERN_OK;
    if (pickle) {
        for (size_t i = 0; i < zip.count; i++) {
            tern_zip_member *m = &zip.members[i];
            if (m->name_length < 9 || memcmp(m->name + m->name_length - 9, "/data.pkl", 9))
                continue;
            fuzz_require(tern_zip_read(&zip, m, &data) == TERN_OK && m->size <= room, "a sample");
            size = (size_t)m->size;
            memcpy(out, data, size);
        }
        tern_zip_close(&zip);
    } else {
        memcpy(out, file, size);
    }
    tern_error_clear(ctx);
    return size;
}

int main(int argc, char **argv) {
    return fuzz_smoke("fuzz_pth", argc, argv, seed_input);
}

#endif
