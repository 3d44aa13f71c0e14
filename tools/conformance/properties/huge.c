/*
 * Elements that lie beyond 2^31 bytes and elements of their tensor: what a device computes with 32 bits goes
 * wrong there. Two gigabytes of memory, so that it runs where `--huge` asks for it.
 */
#include "property.h"

#include <string.h>

typedef struct huge_case {
    const char *id;
    void (*check)(property *p, tern_tensor *x);
} huge_case;

enum { BEYOND = 64, MARKED = 8 };
static const int64_t count = (INT64_C(1) << 31) + BEYOND;

/* Zeros, and threes in the last elements. */
static tern_tensor *marked(property *p) {
    tern_tensor *x = tern_zeros(p->device, TERN_SHAPE(count), TERN_UINT8);
    tern_add_scalar_in_place(tern_narrow(x, 0, count - MARKED, MARKED), 3);
    return x;
}

/* The positions that are looked at: the last, an early one, the last zero, the first three. */
static tern_tensor *positions(property *p) {
    const int64_t at[] = {count - 1, 5, count - MARKED - 1, count - MARKED};
    return tern_from_data(p->device, at, TERN_SHAPE(4), TERN_INT64);
}

static void check_index_select(property *p, tern_tensor *x) {
    expect_doubles(p, "index_select", tern_index_select(x, 0, positions(p)),
                   (const double[]){3, 0, 0, 3}, 4);
}

static void check_gather(property *p, tern_tensor *x) {
    expect_doubles(p, "gather", tern_gather(x, 0, positions(p)), (const double[]){3, 0, 0, 3}, 4);
}

/* A column of a matrix whose rows are 2^30 apart. */
static void check_strides(property *p, tern_tensor *x) {
    tern_tensor *matrix = tern_reshape(x, TERN_SHAPE(2, count / 2));
    tern_tensor *column = tern_select(tern_transpose(matrix, 0, 1), 0, count / 2 - 1);
    expect_doubles(p, "a column", tern_add_scalar(column, 1), (const double[]){1, 4}, 2);
}

static void check_reduction(property *p, tern_tensor *x) {
    tern_tensor *matrix = tern_reshape(x, TERN_SHAPE(2, count / 2));
    tern_tensor *sums =
        tern_sum_dims(tern_narrow(matrix, 1, count / 2 - 4, 4), TERN_SHAPE(1), false);
    expect_doubles(p, "sums", sums, (const double[]){0, 12}, 2);
}

static void check_copy(property *p, tern_tensor *x) {
    tern_copy_in_place(tern_narrow(x, 0, count - 2 * MARKED, MARKED),
                       tern_narrow(x, 0, count - MARKED, MARKED));
    expect_doubles(p, "copied", tern_index_select(x, 0, positions(p)), (const double[]){3, 0, 3, 3},
                   4);
}

static const huge_case cases[] = {
    {"index_select", check_index_select},
    {"gather", check_gather},
    {"add", check_strides},
    {"sum", check_reduction},
    {"copy_", check_copy},
};

static void play(test_case *t, void *user) {
    property *p = user;
    p->t = t;
    tern_tensor *x = marked(p);
    if (strstr(tern_error(p->device), "memory")) {
        t->skip = "there is no memory for it";
        tern_error_clear(p->device);
        return;
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (strcmp(cases[i].id, t->id) == 0) cases[i].check(p, x);
}

void run_huge(property *p) {
    if (!p->run->huge || !conformance_begin(p->run, "properties/huge")) return;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        conformance_case(p->run, NULL, tern_none(), cases[i].id, play, p);
}
