/*
 * allocations_of SAMPLES FOLDER [STRIDE [FILTER]]: files of each format are loaded, inspected and saved; models of
 * each kind are made, trained, saved and loaded, optimizers and schedules of each kind run, steps are replayed,
 * contexts opened; and every sample of the conformance properties is called: each once for every allocation in it,
 * which fails. STRIDE tries one in so many only, FILTER what has that text in its name. SAMPLES is tests/data.
 *
 * What fails must be one line of error; what does not must give what the undisturbed run gives; and a file that was
 * being written is the old one or the new one.
 */
#include "points.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_WRONG = 10 };

void add(uint64_t *digest, const void *bytes, size_t size) {
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++) *digest = (*digest ^ at[i]) * UINT64_C(1099511628211);
}

void add_tensor(uint64_t *digest, tern_tensor *tensor) {
    double numbers[64];
    size_t count = (size_t)tern_numel(tensor);
    if (count > 64) {
        tensor = tern_narrow(tern_flatten(tensor, 0, -1), 0, 0, 64);
        count = 64;
    }
    if (tern_to_doubles(tensor, numbers, count) == TERN_OK)
        add(digest, numbers, count * sizeof *numbers);
}

void add_value(uint64_t *digest, tern_value value) {
    char text[TEXT_BYTES];
    tern_value_repr(value, text, sizeof text);
    add(digest, text, strlen(text));
}

#pragma GCC visibility push(default) /* in place of the C library's */

/* No run waits for the disk: what a file holds is looked at, not when it lies there. */
int fsync(int fd) {
    return fcntl(fd, F_GETFD) < 0 ? -1 : 0;
}

#pragma GCC visibility pop

/* ---- one run --------------------------------------------------------------------------------- */

typedef struct outcome {
    tern_status status;
    uint64_t digest, calls;
    char message[TEXT_BYTES];
} outcome;

static uint64_t failing;

void point_begin(void) {
    tern_fail_allocation(failing);
}

static void run(const scenario *s, const char *path, uint64_t nth, outcome *out) {
    tern_ctx *ctx = tern_open("cpu_ref");
    *out = (outcome){.digest = UINT64_C(14695981039346656037)};
    failing = nth;
    s->run(ctx, s, path, &out->digest);
    out->status = tern_check(ctx);
    snprintf(out->message, sizeof out->message, "%s", tern_error(ctx));
    out->calls = tern_fail_allocation(0);
    tern_close(ctx);
}

/* ---- files ----------------------------------------------------------------------------------- */

/* A hash of what a file holds, 0 for one that is not there. */
static uint64_t file_digest(const char *path) {
    unsigned char bytes[TEXT_BYTES];
    uint64_t digest = UINT64_C(14695981039346656037);
    FILE *file = fopen(path, "rb");
    if (!file) return 0;
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, file)) > 0;) add(&digest, bytes, n);
    fclose(file);
    return digest;
}

static void put_text(const char *path, const char *text) {
    FILE *file = fopen(path, "wb");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) {
        perror(path);
        exit(2);
    }
}

/* ---- all of them ----------------------------------------------------------------------------- */

typedef struct counts {
    uint64_t tried, errors, without, wrong, scenarios, refused;
} counts;

/* Whether the n-th failure ended as it must. */
static bool is_right(const scenario *s, const char *path, uint64_t nth, const outcome *right,
                     uint64_t whole, counts *c) {
    static outcome seen;
    uint64_t old = whole;
    if (s->file == SAVES) {
        put_text(path, "old");
        old = file_digest(path);
    }
    run(s, path, nth, &seen);
    uint64_t now = s->file == SAVES ? file_digest(path) : whole;
    bool clean = seen.status != TERN_OK && *seen.message && !strchr(seen.message, '\n');
    bool same = seen.status == TERN_OK && seen.digest == right->digest && now == whole;
    c->tried++;
    c->errors += clean;
    c->without += same;
    if ((clean || same) && (now == whole || now == old)) return true;
    fprintf(stderr, "%s: allocation %" PRIu64 " of %" PRIu64 ": status %d '%s'%s%s\n", s->name, nth,
            right->calls, (int)seen.status, seen.message,
            seen.digest == right->digest ? "" : ", another result",
            now == whole || now == old ? "" : ", a file of neither");
    return false;
}

static void try_all(const scenario *s, char **argv, uint64_t stride, counts *c) {
    char path[PATH_BYTES];
    static outcome right;
    snprintf(path, sizeof path, "%s/%s", argv[s->file == READS ? 1 : 2],
             s->shape.rank ? "model.pth" : s->text);
    run(s, path, 0, &right); /* twice: what the first run sets up stays */
    run(s, path, 0, &right);
    uint64_t whole = s->file == SAVES ? file_digest(path) : 0;
    if (right.status != TERN_OK && s->may_refuse) {
        c->refused++;
        return;
    }
    if (right.status != TERN_OK) {
        fprintf(stderr, "%s fails by itself: %s\n", s->name, right.message);
        c->wrong++;
        return;
    }
    c->scenarios++;
    /* Another first one in each scenario, so that a sample meets early and late ones. */
    for (uint64_t nth = 1 + c->scenarios % stride; nth <= right.calls && c->wrong < MOST_WRONG;
         nth += stride)
        c->wrong += !is_right(s, path, nth, &right, whole, c);
}

int main(int argc, char **argv) {
    static bool (*const families[])(size_t, scenario *) = {file_scenario, training_scenario,
                                                           sample_scenario};
    static const char *const names[] = {"files", "training", "samples"};
    uint64_t stride = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    uint64_t some =
        1 + stride / 20; /* a scenario costs two runs, however few of its allocations fail */
    const char *filter = argc > 4 ? argv[4] : "";
    counts c = {0};
    scenario s;
    if (argc < 3 || stride == 0) {
        fprintf(stderr, "usage: allocations_of SAMPLES FOLDER [STRIDE [FILTER]]\n");
        return 2;
    }
    if (mkdir(argv[2], 0777) != 0 && errno != EEXIST) {
        perror(argv[2]);
        return 2;
    }
    for (int family = 0; family < 3; family++) {
        counts before = c;
        for (size_t i = 0; families[family](i, &s); i++)
            if (i % some == 0 && strstr(s.name, filter))
                try_all(&s, argv, 1 + (stride - 1) / some, &c);
        printf("%s: %" PRIu64 " of %" PRIu64 " scenarios, %" PRIu64 " refused\n", names[family],
               c.tried - before.tried, c.scenarios - before.scenarios, c.refused - before.refused);
    }
    printf("%" PRIu64 " allocations failed: %" PRIu64 " clean errors, %" PRIu64
           " done without, %" PRIu64 " wrong\n",
           c.tried, c.errors, c.without, c.wrong);
    return c.wrong || !c.errors || c.refused > c.scenarios / 4;
}
