/*
 * fuzz_zip.c: the reader of zip archives against any bytes.
 *
 * With clang's -fsanitize=fuzzer this is a fuzz target. With -DFUZZ_SMOKE it is a program of its own
 * that feeds the target a fixed number of inputs, made from a seed by changing archives.
 */
#include "fuzz_common.h"

#include "io/zip_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tern_ctx *ctx = fuzz_context();
    tern_zip zip;
    volatile unsigned sum = 0;
    uint64_t total = 0;
    bool opened = tern_zip_open(&zip, ctx, "input", data, size) == TERN_OK;
    for (size_t i = 0; i < zip.count && tern_check(ctx) == TERN_OK; i++) {
        const unsigned char *bytes;
        tern_zip_member *m = &zip.members[i];
        if (tern_zip_read(&zip, m, &bytes) != TERN_OK) break;
        for (uint64_t k = 0; k < m->size; k++) sum += bytes[k];
        total += m->size;
        fuzz_require(tern_zip_find(&zip, m->name, m->name_length) == m, "a member is not found");
    }
    fuzz_require(total <= (uint64_t)size * 257 + 65536, "an archive unpacks to far too much");
    fuzz_require(opened || tern_check(ctx) != TERN_OK, "an archive is refused without a message");
    fuzz_check(ctx, tern_none());
    tern_zip_close(&zip);
    tern_error_clear(ctx);
    return 0;
}

#ifdef FUZZ_SMOKE

static size_t seed_input(uint8_t *out, size_t room) {
    static const char *const names[] = {"pth/m1.pth", "pth/m1_deflated.pth", "pth/bomb.pth",
                                        "npy/two.npz", "npy/packed.npz"};
    return fuzz_sample("tests/data", names[fuzz_draw(5)], out, room);
}

int main(int argc, char **argv) {
    return fuzz_smoke("fuzz_zip", argc, argv, seed_input);
}

#endif
