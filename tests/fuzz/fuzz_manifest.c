/*
 * fuzz_manifest.c: the manifest parser against any bytes.
 *
 * With clang's -fsanitize=fuzzer this is a fuzz target. With -DFUZZ_SMOKE it is a program of its own
 * that feeds the target a fixed number of inputs, made from a seed by changing legal manifests: the
 * same ones on every machine. Both want a sanitizer, which sees what the checks here do not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/plugin/manifest.h"

/* A property that does not hold ends the program, as a sanitizer would. */
static void require(bool holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "fuzz_manifest: %s\n", what);
    abort();
}

static bool terminated(const char *text, size_t size) {
    return memchr(text, '\0', size) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tern_manifest m;
    tern_fault fault = {0};
    tern_status status = tern_manifest_parse("input", (const char *)data, size, &m, &fault);
    require(terminated(fault.message, sizeof fault.message), "an endless message");
    require(strchr(fault.message, '\n') == NULL, "a message of several lines");
    if (status != TERN_OK) {
        require(status == TERN_ERR_FORMAT && fault.message[0], "a refusal without a reason");
        require(m.device[0] == '\0' && m.library[0] == '\0', "a refused manifest left something");
        return 0;
    }
    require(fault.status == TERN_OK, "accepted with an error");
    require(m.device[0] && m.library[0] && m.library[0] != '/',
            "accepted without what is required");
    require(terminated(m.device, sizeof m.device) && terminated(m.library, sizeof m.library) &&
                terminated(m.variant, sizeof m.variant) && terminated(m.arch, sizeof m.arch) &&
                terminated(m.warning, sizeof m.warning),
            "an endless text");
    require(m.feature_count >= 0 && m.feature_count <= TERN_MANIFEST_FEATURES, "feature count");
    require(abs(m.priority) <= TERN_MANIFEST_PRIORITY && m.abi >= 0, "a number out of bounds");
    return 0;
}

#ifdef FUZZ_SMOKE

static uint64_t state = 42;

/* splitmix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014. */
static uint64_t draw(uint64_t below) {
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % below;
}

static const char *const seeds[] = {
    "device = cpu_fast\nvariant = avx2\nlibrary = ../x.so\nabi = 0\nrequires = avx2 fma\n",
    "# comment\n\ndevice=a\nlibrary=b\nabi=0\n",
    "device = d\nlibrary = l\nabi = 0\nunknown = x\npriority = -1000\n",
};

static const char *const tokens[] = {
    "=",         "\n",       "\r\n",    "#",        "\t",
    " ",         "device",   "abi",     "priority", "-",
    "999999999", "requires", "variant", "\xc3\xa4", "auto",
    "/",         "library",  "= =",     "arch",     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

/* Replaces `remove` bytes at `at` by a token; the text stays within `room`. */
static size_t splice(char *text, size_t length, size_t room, size_t at, size_t remove,
                     const char *token) {
    size_t added = strlen(token);
    if (remove > length - at) remove = length - at;
    if (length - remove + added > room) return length;
    memmove(text + at + added, text + at + remove, length - at - remove);
    memcpy(text + at, token, added);
    return length - remove + added;
}

static size_t mutate(char *text, size_t length, size_t room) {
    size_t at = length ? (size_t)draw(length) : 0;
    const char byte[2] = {(char)(1 + draw(255)), '\0'};
    switch (draw(6)) {
    case 0: return splice(text, length, room, at, 1, byte);
    case 1: return splice(text, length, room, at, 0, tokens[draw(sizeof tokens / sizeof *tokens)]);
    case 2: return splice(text, length, room, at, (size_t)draw(20), "");
    case 3: return at;
    case 4: return splice(text, length, room, at, 0, seeds[draw(sizeof seeds / sizeof *seeds)]);
    default:
        if (length) text[at] = (char)(text[at] ^ 1 << draw(8));
        return length;
    }
}

int main(int argc, char **argv) {
    char *unit = NULL;
    long most = argc > 1 ? strtol(argv[1], &unit, 10) : 200000; /* or seconds: 60s */
    bool by_time = unit && *unit == 's';
    time_t end = time(NULL) + most;
    long accepted = 0, runs = 0;
    enum { ROOM = TERN_MANIFEST_MAX_BYTES + 64 };
    char *text = malloc(ROOM);
    if (!text) return 1;
    for (; by_time ? time(NULL) < end : runs < most; runs++) {
        const char *seed = seeds[draw(sizeof seeds / sizeof *seeds)];
        size_t length = strlen(seed);
        memcpy(text, seed, length);
        for (uint64_t n = draw(8); n > 0; n--) length = mutate(text, length, ROOM);
        /* An exact copy, so that a read beyond its end is seen. */
        uint8_t *input = malloc(length ? length : 1);
        if (!input) return 1;
        memcpy(input, text, length);
        LLVMFuzzerTestOneInput(input, length);
        tern_manifest m;
        tern_fault fault = {0};
        accepted += tern_manifest_parse("x", (char *)input, length, &m, &fault) == TERN_OK;
        free(input);
    }
    free(text);
    printf("fuzz_manifest: %ld inputs, %ld of them legal\n", runs, accepted);
    /* Were all refused, or none, the inputs would prove nothing. */
    return accepted > runs / 100 && accepted < runs ? 0 : 1;
}

#endif
