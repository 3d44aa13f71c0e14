#include "made.h"

#include <string.h>

#include "core/memory/arena.h"

enum { MOST = 256, MOST_BYTES = 4096, KNOWN = 64 };

/* The gradient program for so many inputs and outputs as a word has bits. */
struct tern_made_gradient {
    tern_made_gradient *next;
    uint64_t given, wanted;
    tern_made_program *program;
};

/* Where a formula was found last, by the addresses of its texts. */
typedef struct known {
    tern_made_key key;
    tern_made_program *program;
} known;

/* ---- what programs are made from ------------------------------------------------------------- */

/* Pieces of memory, compared byte by byte. */
enum { PIECES = 4 };
typedef struct source {
    const void *piece[PIECES];
    size_t size[PIECES];
} source;

static source source_of(const tern_made_key *key) {
    source s = {{&key->kind}, {sizeof key->kind}};
    for (int i = 0; i < TERN_MADE_TEXTS; i++) {
        s.piece[i + 1] = key->text[i] ? key->text[i] : "";
        s.size[i + 1] = strlen(s.piece[i + 1]) + 1;
    }
    return s;
}

static size_t size_of(const source *s) {
    size_t size = 0;
    for (int i = 0; i < PIECES; i++) size += s->size[i];
    return size;
}

/* FNV-1a over words of 8 bytes, and what is left over. */
static uint64_t hash_of(const source *s) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (int i = 0; i < PIECES; i++)
        for (size_t at = 0; at < s->size[i]; at += sizeof(uint64_t)) {
            uint64_t word = 0;
            size_t left = s->size[i] - at;
            memcpy(&word, (const char *)s->piece[i] + at, left < sizeof word ? left : sizeof word);
            hash = (hash ^ word) * UINT64_C(0x100000001b3);
        }
    return hash ^ hash >> 32;
}

static bool is_from(const tern_made_program *made, const source *s) {
    const char *own = (const char *)made->attrs + made->size;
    for (int i = 0; i < PIECES; own += s->size[i++])
        if (s->size[i] && memcmp(own, s->piece[i], s->size[i]) != 0) return false;
    return true;
}

/* ---- the table ------------------------------------------------------------------------------- */

static tern_made_program *find(tern_ctx *ctx, const source *s) {
    uint64_t hash = hash_of(s);
    size_t size = size_of(s);
    for (tern_made_program *m = ctx->made_programs[hash % TERN_MADE_PROGRAMS]; m; m = m->next)
        if (m->hash == hash && m->source_size == size && is_from(m, s)) return m;
    return NULL;
}

/* A program with its bytes and the source's behind it; NULL where no more is kept, and after latching. */
static tern_made_program *add(tern_ctx *ctx, const source *s, tern_value bytes,
                              tern_program_traits traits) {
    size_t size = size_of(s), program = (bytes.length + 7u) & ~(size_t)7;
    if (ctx->status != TERN_OK || bytes.kind != TERN_VALUE_STRING || ctx->n_made_programs == MOST ||
        size + program > MOST_BYTES)
        return NULL;
    tern_made_program *made = tern_frame_alloc(ctx->root, sizeof *made + program + size);
    if (!made) return NULL;
    char *at = memcpy(made + 1, bytes.as.s, bytes.length);
    tern_made_program **list = &ctx->made_programs[hash_of(s) % TERN_MADE_PROGRAMS];
    *made = (tern_made_program){.next = *list,
                                .hash = hash_of(s),
                                .traits = traits,
                                .source_size = (uint32_t)size,
                                .attrs = (const tern_map_attrs *)(const void *)at,
                                .size = bytes.length};
    at += bytes.length;
    for (int i = 0; i < PIECES; at += s->size[i++])
        if (s->size[i]) memcpy(at, s->piece[i], s->size[i]);
    ctx->n_made_programs++;
    return *list = made;
}

static tern_value kept_or_bytes(tern_ctx *ctx, const tern_made_program *made, tern_value bytes) {
    if (ctx->status != TERN_OK) return tern_none();
    return made ? tern_made_value(made) : bytes;
}

/* ---- formulas -------------------------------------------------------------------------------- */

static known *place_of(tern_ctx *ctx, const tern_made_key *key) {
    uint64_t hash = key->kind;
    for (int i = 0; i < TERN_MADE_TEXTS; i++)
        hash = (hash ^ (uint64_t)(uintptr_t)key->text[i]) * UINT64_C(0x9e3779b97f4a7c15);
    if (!ctx->known_formulas)
        ctx->known_formulas = tern_frame_alloc(ctx->root, KNOWN * sizeof(known));
    return ctx->known_formulas ? (known *)ctx->known_formulas + hash % KNOWN : NULL;
}

static bool same_key(const tern_made_key *a, const tern_made_key *b) {
    bool same = a->kind == b->kind;
    for (int i = 0; i < TERN_MADE_TEXTS; i++) same = same && a->text[i] == b->text[i];
    return same;
}

tern_made_program *tern_made_formula(tern_ctx *ctx, const tern_made_key *key) {
    known *place = place_of(ctx, key);
    if (!place || same_key(&place->key, key)) return place ? place->program : NULL;
    source s = source_of(key);
    tern_made_program *made = find(ctx, &s);
    if (made) *place = (known){*key, made};
    return made;
}

tern_made_program *tern_made_text(tern_ctx *ctx, const tern_made_key *key) {
    source s = source_of(key);
    return find(ctx, &s);
}

tern_value tern_made_keep(tern_ctx *ctx, const tern_made_key *key, tern_value bytes,
                          tern_program_traits traits) {
    source s = source_of(key);
    return kept_or_bytes(ctx, add(ctx, &s, bytes, traits), bytes);
}

/* ---- gradients ------------------------------------------------------------------------------- */

static uint64_t bits_of(const bool *marks, int count) {
    uint64_t bits = 0;
    for (int k = 0; k < count; k++) bits |= (uint64_t)marks[k] << k;
    return bits;
}
_Static_assert(TERN_P_INPUTS <= 64 && TERN_P_OUTPUTS <= 64, "marks fit into a word");

static tern_value derive(tern_ctx *ctx, const tern_map_attrs *attrs, const bool *given,
                         const bool *wanted) {
    tern_program *program = tern_program_new(ctx);
    if (!program || !tern_program_gradient(ctx, attrs, given, wanted, program)) return tern_none();
    return tern_program_finish(ctx, program, (tern_dtype)attrs->compute);
}

/* Of a program that is not kept itself. */
static tern_value gradient_of_bytes(tern_ctx *ctx, tern_value program, const bool *given,
                                    const bool *wanted) {
    const tern_map_attrs *attrs = tern_program_of(program);
    const uint32_t kind = TERN_MADE_BYTES;
    source s = {{&kind, attrs, given, wanted},
                {sizeof kind, program.length, (size_t)attrs->n_outputs, (size_t)attrs->n_inputs}};
    tern_made_program *made = find(ctx, &s);
    if (made) return tern_made_value(made);
    tern_value bytes = derive(ctx, attrs, given, wanted);
    return kept_or_bytes(ctx, add(ctx, &s, bytes, (tern_program_traits){0}), bytes);
}

tern_value tern_made_gradient_of(tern_ctx *ctx, tern_value value, const bool *given,
                                 const bool *wanted) {
    tern_made_program *program = tern_made_of(value);
    if (!program) return gradient_of_bytes(ctx, value, given, wanted);
    uint64_t out = bits_of(given, program->attrs->n_outputs);
    uint64_t in = bits_of(wanted, program->attrs->n_inputs);
    for (const tern_made_gradient *g = program->gradients; g; g = g->next)
        if (g->given == out && g->wanted == in) return tern_made_value(g->program);
    tern_value bytes = derive(ctx, program->attrs, given, wanted);
    const uint32_t kind = TERN_MADE_GRADIENT;
    source s = {{&kind, &program, &out, &in}, {sizeof kind, sizeof program, sizeof out, sizeof in}};
    tern_made_program *made = add(ctx, &s, bytes, (tern_program_traits){0});
    tern_made_gradient *g = made ? tern_frame_alloc(ctx->root, sizeof *g) : NULL;
    if (g) {
        *g = (tern_made_gradient){program->gradients, out, in, made};
        program->gradients = g;
    }
    return kept_or_bytes(ctx, made, bytes);
}
