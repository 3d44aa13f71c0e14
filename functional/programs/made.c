#include "made.h"

#include <string.h>

#include "core/memory/arena.h"

enum { MOST = 256, MOST_BYTES = 4096 };

/* Behind it the source's bytes, then the program's. */
struct tern_made_program {
    tern_made_program *next;
    uint64_t hash, traits;
    uint32_t source_size, size;
};

static size_t size_of(const tern_program_source *source) {
    size_t size = 0;
    for (int i = 0; i < TERN_SOURCE_PIECES; i++) size += source->size[i];
    return size;
}

/* FNV-1a over words of 8 bytes, and what is left over. */
static uint64_t hash_of(const tern_program_source *source) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (int i = 0; i < TERN_SOURCE_PIECES; i++)
        for (size_t at = 0; at < source->size[i]; at += sizeof(uint64_t)) {
            uint64_t word = 0;
            size_t left = source->size[i] - at;
            memcpy(&word, (const char *)source->piece[i] + at,
                   left < sizeof word ? left : sizeof word);
            hash = (hash ^ word) * UINT64_C(0x100000001b3);
        }
    return hash ^ hash >> 32;
}

static bool is_from(const tern_made_program *made, const tern_program_source *source) {
    const char *own = (const char *)(made + 1);
    for (int i = 0; i < TERN_SOURCE_PIECES; own += source->size[i++])
        if (source->size[i] && memcmp(own, source->piece[i], source->size[i]) != 0) return false;
    return true;
}

tern_value tern_program_made(tern_ctx *ctx, const tern_program_source *source,
                             uint64_t *out_traits) {
    uint64_t hash = hash_of(source);
    size_t size = size_of(source);
    for (tern_made_program *m = ctx->made_programs[hash % TERN_MADE_PROGRAMS]; m; m = m->next) {
        if (m->hash != hash || m->source_size != size || !is_from(m, source)) continue;
        *out_traits = m->traits;
        return tern_string_n(ctx, (const char *)(m + 1) + size, m->size);
    }
    return tern_none();
}

void tern_program_was_made(tern_ctx *ctx, const tern_program_source *source, tern_value bytes,
                           uint64_t traits) {
    size_t size = size_of(source);
    if (ctx->status != TERN_OK || bytes.kind != TERN_VALUE_STRING || ctx->n_made_programs == MOST ||
        size + bytes.length > MOST_BYTES)
        return;
    tern_made_program *made = tern_frame_alloc(ctx->root, sizeof *made + size + bytes.length);
    if (!made) return;
    *made =
        (tern_made_program){NULL, hash_of(source), traits, (uint32_t)size, (uint32_t)bytes.length};
    char *at = (char *)(made + 1);
    for (int i = 0; i < TERN_SOURCE_PIECES; at += source->size[i++])
        if (source->size[i]) memcpy(at, source->piece[i], source->size[i]);
    memcpy(at, bytes.as.s, bytes.length);
    tern_made_program **list = &ctx->made_programs[made->hash % TERN_MADE_PROGRAMS];
    made->next = *list;
    *list = made;
    ctx->n_made_programs++;
}
