/*
 * cpu_simd's kernels that move data: the bits of cpu_ref, for sizes beside those of a vector, a tile and
 * a block, for views that begin anywhere, and for every dtype.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tern/tern.h"

/* ---- the same on both devices ---------------------------------------------------------------- */

enum { FAST, REFERENCE, DEVICES };

static tern_ctx *context[DEVICES];

/* False on a machine without variants of its own. */
static bool open_both(void) {
    context[FAST] = tern_open("cpu_simd");
    context[REFERENCE] = tern_open("cpu_ref");
    bool there = tern_check(context[FAST]) == TERN_OK;
    cr_assert(there || tern_check(context[FAST]) == TERN_ERR_NOT_FOUND);
    return there;
}

static void close_both(void) {
    for (int d = 0; d < DEVICES; d++) {
        tern_close(context[d]);
        context[d] = NULL;
    }
}

static void *bytes_of(tern_tensor *tensor, size_t *out_size) {
    *out_size = (size_t)tern_numel(tensor) * tern_dtype_size(tern_dtype_of(tensor));
    void *bytes = malloc(*out_size + 1);
    cr_assert(bytes && tern_to_host(tensor, bytes, *out_size) == TERN_OK);
    return bytes;
}

/* The tensors, one of each device, have the same bits. */
static void expect_equal(tern_tensor *const *both, const char *what) {
    size_t size[DEVICES];
    void *bytes[DEVICES];
    for (int d = 0; d < DEVICES; d++) {
        cr_assert_eq(tern_check(context[d]), TERN_OK, "%s: %s", what, tern_error(context[d]));
        bytes[d] = bytes_of(both[d], &size[d]);
    }
    cr_assert_eq(size[FAST], size[REFERENCE], "%s", what);
    cr_assert_eq(memcmp(bytes[FAST], bytes[REFERENCE], size[FAST]), 0, "%s", what);
    for (int d = 0; d < DEVICES; d++) free(bytes[d]);
}

/* Values with ties, both zeros, NaN and infinities; integers where `whole`. */
static void draw(tern_tensor **out, tern_shape shape, int64_t seed) {
    static const float odd[] = {0.0f, -0.0f, NAN, INFINITY, -INFINITY, 3e9f, -3e9f, 1e20f, -129.5f};
    int64_t n = 1;
    for (int32_t d = 0; d < shape.rank; d++) n *= shape.dim[d];
    float *values = malloc((size_t)n * sizeof *values);
    cr_assert_not_null(values);
    uint64_t state = (uint64_t)seed * 2 + 1;
    for (int64_t i = 0; i < n; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint64_t r = state >> 40;
        values[i] = r % 16 == 0 ? odd[r / 16 % 9] : (float)(int64_t)(r % 801 - 400) / 4.0f;
    }
    for (int d = 0; d < DEVICES; d++)
        out[d] = tern_from_data(context[d], values, shape, TERN_FLOAT32);
    free(values);
}

static void draw_indices(tern_tensor **out, tern_shape shape, int64_t size) {
    for (int d = 0; d < DEVICES; d++) {
        tern_manual_seed(context[d], 3);
        out[d] = tern_randint(context[d], 0, size, shape, NULL);
    }
}

/* The tensors of both devices, or a number. */
typedef struct argument {
    tern_tensor *const *both;
    tern_value number;
} argument;

#define TENSOR(both)  ((argument){both, {0}})
#define NUMBER(value) ((argument){NULL, tern_int(value)})

/* An operation by its name gives the same on both; of several results each. */
static void compare(const char *name, const argument *arguments, int count) {
    tern_value results[DEVICES], values[6];
    for (int d = 0; d < DEVICES; d++) {
        for (int i = 0; i < count; i++)
            values[i] =
                arguments[i].both ? tern_tensor_value(arguments[i].both[d]) : arguments[i].number;
        results[d] = tern_call(context[d], name, values, count, tern_none());
    }
    if (results[FAST].kind == TERN_VALUE_TENSOR) {
        expect_equal((tern_tensor *[]){results[FAST].as.tensor, results[REFERENCE].as.tensor},
                     name);
        return;
    }
    cr_assert_gt(tern_value_count(results[FAST]), 0, "%s: %s", name, tern_error(context[FAST]));
    for (size_t i = 0; i < tern_value_count(results[FAST]); i++)
        expect_equal((tern_tensor *[]){tern_value_at(results[FAST], i).as.tensor,
                                       tern_value_at(results[REFERENCE], i).as.tensor},
                     name);
}

#define COMPARE(name, ...)                                                                         \
    compare(name, (argument[]){__VA_ARGS__},                                                       \
            (int)(sizeof((argument[]){__VA_ARGS__}) / sizeof(argument)))

/* Both views of a pair of tensors, made by the same expression of `in`. */
#define VIEW(out, pair, expression)                                                                \
    for (int d_ = 0; d_ < DEVICES; d_++) {                                                         \
        tern_tensor *in = (pair)[d_];                                                              \
        (out)[d_] = (expression);                                                                  \
    }

static void in_scopes(void (*body)(tern_dtype dtype), tern_dtype dtype) {
    tern_scope scope[DEVICES];
    for (int d = 0; d < DEVICES; d++) scope[d] = tern_scope_begin(context[d], TERN_INFERENCE);
    body(dtype);
    for (int d = 0; d < DEVICES; d++) tern_scope_end(scope[d]);
}

static void for_each_dtype(void (*body)(tern_dtype dtype)) {
    if (open_both())
        for (int dtype = TERN_FLOAT32; dtype <= TERN_BOOL; dtype++)
            in_scopes(body, (tern_dtype)dtype);
    close_both();
}

/* ---- copies ---------------------------------------------------------------------------------- */

static void transposed(tern_dtype dtype) {
    static const int64_t sizes[] = {1, 3, 7, 8, 9, 31, 33, 65, 130};
    enum { SIZES = sizeof sizes / sizeof sizes[0] };
    tern_tensor *whole[DEVICES], *typed[DEVICES], *view[DEVICES];
    draw(whole, TERN_SHAPE(132, 132), 5);
    VIEW(typed, whole, tern_to_dtype(in, dtype))
    for (int r = 0; r < SIZES; r++) {
        for (int c = 0; c < SIZES; c++) {
            int64_t rows = sizes[r], columns = sizes[c];
            VIEW(view, typed,
                 tern_transpose(tern_narrow(tern_narrow(in, 0, 1, rows), 1, 2, columns), 0, 1))
            COMPARE("contiguous", TENSOR(view));
        }
    }
}

Test(cpu_simd_data, transpositions_of_any_size_have_the_bits_of_cpu_ref) {
    for_each_dtype(transposed);
}

static void converted(tern_dtype dtype) {
    tern_tensor *drawn[DEVICES], *from[DEVICES], *to[DEVICES], *view[DEVICES];
    draw(drawn, TERN_SHAPE(67, 71), 9);
    VIEW(from, drawn, tern_to_dtype(in, dtype))
    VIEW(view, from, tern_transpose(in, 0, 1))
    for (int into = TERN_FLOAT32; into <= TERN_BOOL; into++) {
        VIEW(to, from, tern_to_dtype(in, (tern_dtype)into))
        expect_equal(to, "dense");
        VIEW(to, view, tern_to_dtype(in, (tern_dtype)into))
        expect_equal(to, "transposed");
    }
}

Test(cpu_simd_data, conversions_saturate_round_and_keep_nan_as_cpu_ref_does) {
    for_each_dtype(converted);
}

/* ---- indices --------------------------------------------------------------------------------- */

static void indexed(tern_dtype dtype) {
    tern_tensor *drawn[DEVICES], *x[DEVICES], *view[DEVICES], *source[DEVICES], *rows[DEVICES];
    tern_tensor *places[DEVICES];
    draw(drawn, TERN_SHAPE(37, 41), 11);
    VIEW(x, drawn, tern_to_dtype(in, dtype))
    draw(drawn, TERN_SHAPE(90, 41), 13);
    VIEW(source, drawn, tern_to_dtype(in, dtype))
    VIEW(view, x, tern_transpose(in, 0, 1))
    draw_indices(rows, TERN_SHAPE(90), 37);
    draw_indices(places, TERN_SHAPE(90, 41), 37);
    COMPARE("index_select", TENSOR(x), NUMBER(0), TENSOR(rows));
    COMPARE("index_select", TENSOR(view), NUMBER(1), TENSOR(rows));
    COMPARE("gather", TENSOR(x), NUMBER(0), TENSOR(places));
    COMPARE("nonzero", TENSOR(view));
    if (dtype == TERN_BOOL) return;
    COMPARE("index_add", TENSOR(x), NUMBER(0), TENSOR(rows), TENSOR(source));
    COMPARE("scatter_add", TENSOR(x), NUMBER(0), TENSOR(places), TENSOR(source));
}

Test(cpu_simd_data, what_an_index_names_is_moved_and_added_in_order) {
    for_each_dtype(indexed);
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* As many as are inserted, merged, and distributed by short and by long digits. */
static void sorted(tern_dtype dtype) {
    static const int64_t lengths[] = {1, 2, 24, 25, 160, 161, 330, 9000};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        tern_tensor *drawn[DEVICES], *x[DEVICES];
        draw(drawn, TERN_SHAPE(3, lengths[i]), 17);
        VIEW(x, drawn, tern_to_dtype(in, dtype))
        for (int descending = 0; descending < 2; descending++) {
            COMPARE("sort", TENSOR(x), NUMBER(1), ((argument){NULL, tern_bool(descending)}));
            VIEW(drawn, x, tern_transpose(in, 0, 1))
            COMPARE("sort", TENSOR(drawn), NUMBER(0), ((argument){NULL, tern_bool(descending)}));
        }
    }
}

Test(cpu_simd_data, sorting_is_stable_for_any_length_and_dtype) {
    for_each_dtype(sorted);
}

static void scanned(tern_dtype dtype) {
    static const char *const names[] = {"cumsum", "cumprod", "cummax", "cummin"};
    tern_tensor *drawn[DEVICES], *x[DEVICES], *view[DEVICES];
    if (dtype == TERN_BOOL) return;
    draw(drawn, TERN_SHAPE(139, 7), 19);
    VIEW(x, drawn, tern_to_dtype(in, dtype))
    VIEW(view, x, tern_transpose(in, 0, 1))
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (int dim = 0; dim < 2; dim++) {
            COMPARE(names[i], TENSOR(x), NUMBER(dim));
            COMPARE(names[i], TENSOR(view), NUMBER(dim));
        }
    }
}

Test(cpu_simd_data, scans_keep_the_order_of_their_sums) {
    for_each_dtype(scanned);
}
