/* fuzz_common.h: what the fuzz targets of files share. */
#ifndef TERN_TESTS_FUZZ_COMMON_H
#define TERN_TESTS_FUZZ_COMMON_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "io/inspect.h"
#include "tern/io.h"
#include "tern/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that does not hold ends the program, as a sanitizer would. */
static inline void fuzz_require(bool holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "fuzz: %s\n", what);
    abort();
}

/* One context for all inputs: opening one takes longer than reading one. On the device whose elementary
 * functions are exact, so that numbers computed in two ways can be compared. */
static inline tern_ctx *fuzz_context(void) {
    static tern_ctx *ctx;
    if (!ctx) {
        ctx = tern_open("cpu_ref");
        fuzz_require(tern_check(ctx) == TERN_OK, tern_error(ctx));
    }
    return ctx;
}

/* Touches every element of every tensor, so that a sanitizer sees a view that reaches too far; views
 * of astronomic size (stride 0) are left out. */
static inline void fuzz_touch(tern_ctx *ctx, tern_value value, int depth) {
    static unsigned char bytes[1 << 16];
    tern_value item;
    if (depth > 20) return;
    if (value.kind == TERN_VALUE_TENSOR) {
        uint64_t size = (uint64_t)tern_numel(value.as.tensor);
        if (size < sizeof bytes / 8)
            tern_to_host(value.as.tensor, bytes,
                         (size_t)size * tern_dtype_size(tern_dtype_of(value.as.tensor)));
    }
    if (value.kind == TERN_VALUE_DICT)
        for (size_t i = 0; tern_dict_at(value, i, NULL, &item); i++)
            fuzz_touch(ctx, item, depth + 1);
    if (value.kind == TERN_VALUE_LIST || value.kind == TERN_VALUE_TUPLE)
        for (size_t i = 0; i < tern_value_count(value); i++)
            fuzz_touch(ctx, tern_value_at(value, i), depth + 1);
}

/* How many inputs were read as something. */
static inline long *fuzz_accepted(void) {
    static long count;
    return &count;
}

static inline void fuzz_check(tern_ctx *ctx, tern_value value) {
    const char *message = tern_error(ctx);
    if (tern_check(ctx) == TERN_OK) {
        ++*fuzz_accepted();
        fuzz_touch(ctx, value, 0);
        fuzz_require(tern_check(ctx) == TERN_OK, tern_error(ctx));
    } else {
        fuzz_require(value.kind == TERN_VALUE_NONE, "an error with a value");
        fuzz_require(message[0] && !strchr(message, 10), message);
    }
}

/* The report of what is in a file agrees with its reader: what is read is told, and as JSON. */
static inline void fuzz_inspect(tern_ctx *ctx, const uint8_t *data, size_t size) {
    bool read = tern_check(ctx) == TERN_OK;
    tern_error_clear(ctx);
    tern_scope scope = tern_scope_begin(ctx, 0);
    unsigned char *copy = tern_alloc(size);
    fuzz_require(copy != NULL, "out of memory");
    if (size) memcpy(copy, data, size);
    tern_value report = tern_inspect_over(ctx, "input", copy, size, NULL);
    tern_free(copy);
    if (tern_check(ctx) == TERN_OK)
        fuzz_require(tern_json_text(ctx, report, 0) != NULL, tern_error(ctx));
    else
        fuzz_require(!read, tern_error(ctx));
    tern_scope_end(scope);
    tern_error_clear(ctx);
}

#ifdef FUZZ_SMOKE

#define FUZZ_ROOM 65536

/* splitmix64 (Steele, Lea and Flood 2014): the same inputs on every machine. */
static inline uint64_t *fuzz_state(void) {
    static uint64_t state = 42;
    return &state;
}

static inline uint64_t fuzz_draw(uint64_t below) {
    uint64_t z = *fuzz_state() += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % below;
}

static inline size_t fuzz_sample(const char *folder, const char *name, uint8_t *out, size_t room) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s/%s", TERN_TEST_SOURCE, folder, name);
    FILE *file = fopen(path, "rb");
    fuzz_require(file != NULL, path);
    size_t size = fread(out, 1, room, file);
    fclose(file);
    return size;
}

/* Flips a bit, sets a byte, cuts, repeats or removes a part. */
static inline size_t fuzz_change(uint8_t *bytes, size_t size) {
    size_t at = size ? (size_t)fuzz_draw(size) : 0, left = size - at;
    size_t part = left ? 1 + (size_t)fuzz_draw(left < 40 ? left : 40) : 0;
    switch (size ? fuzz_draw(7) : 6) {
    case 0:
    case 1: bytes[at] ^= (uint8_t)(1u << fuzz_draw(8)); return size;
    case 2: bytes[at] = (uint8_t)fuzz_draw(256); return size;
    case 3: bytes[at] = (uint8_t)(fuzz_draw(2) ? 0xff : 0); return size;
    case 4: memmove(bytes + at, bytes + at + part, left - part); return size - part;
    case 5:
        if (size + part > FUZZ_ROOM) return size;
        memmove(bytes + at + part, bytes + at, left);
        return size + part;
    default: return fuzz_draw(20) ? size : at;
    }
}

/* One of `count` texts as a seed; its length. */
static inline size_t fuzz_seed_text(const char *const *texts, size_t count, uint8_t *out,
                                    size_t room) {
    const char *text = texts[fuzz_draw(count)];
    size_t length = strlen(text);
    fuzz_require(length <= room, "no room for a seed");
    memcpy(out, text, length);
    return length;
}

/* NAME [RUNS | SECONDSs [SEED]]: feeds changed seeds, so many or for so long; a few seeds go in unchanged, so that both
 * outcomes occur. */
static inline int fuzz_smoke(const char *name, int argc, char **argv,
                             size_t (*seed)(uint8_t *out, size_t room)) {
    char *unit = NULL;
    long most = argc > 1 ? strtol(argv[1], &unit, 10) : 20000, runs = 0;
    bool by_time = unit && *unit == 's';
    time_t end = time(NULL) + most;
    if (argc > 2) *fuzz_state() = strtoull(argv[2], NULL, 10);
    static uint8_t bytes[FUZZ_ROOM];
    for (; by_time ? time(NULL) < end : runs < most; runs++) {
        size_t size = seed(bytes, sizeof bytes);
        for (uint64_t n = fuzz_draw(6); n > 0; n--) size = fuzz_change(bytes, size);
        uint8_t *input = malloc(size ? size : 1); /* of the exact size: a sanitizer sees its end */
        fuzz_require(input != NULL, "out of memory");
        memcpy(input, bytes, size);
        LLVMFuzzerTestOneInput(input, size);
        free(input);
    }
    tern_close(fuzz_context());
    long accepted = *fuzz_accepted();
    printf("%s: %ld inputs, %ld times something was read\n", name, runs, accepted);
    /* Were all refused, or none, the inputs would prove nothing. */
    return accepted > runs / 100 && accepted < 2 * runs ? 0 : 1;
}

#endif
#endif
