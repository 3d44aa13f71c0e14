/*
 * SCAN and SORT: kernels along one dimension. A line is what runs along it:
 *
 *     SCAN  out[i] = f(in[0], ..., in[i])                       sums in double, or int64
 *     SORT  values[i], indices[i] = the i-th of the sorted line  stable, NaN is the greatest
 */
#include <math.h>

#include "kernels.h"
#include "numerics/elementary.h"
#include "walk.h"

/* The tensors of a launch and the lines they hold: in, out, and the indices where there are any. */
typedef struct lines {
    const tern_kit_tensor *tensor[3];
    int32_t count;  /* of tensors */
    int64_t length; /* of a line */
    int64_t stride[3];
} lines;

static lines begin(tern_kit_walk *walk, const tern_kit_call *call, int32_t dim) {
    lines l = {{&call->inputs[0], &call->outputs[0], NULL}, 1 + call->n_outputs, 1, {0}};
    if (call->n_outputs > 1) l.tensor[2] = &call->outputs[1];
    bool scalar = l.tensor[0]->rank == 0;
    for (int32_t k = 0; k < l.count && !scalar; k++) l.stride[k] = l.tensor[k]->strides[dim];
    if (!scalar) l.length = l.tensor[0]->shape[dim];
    tern_kit_walk_begin(walk, l.tensor, l.count, scalar ? 0 : 1u << dim);
    return l;
}

/* Numbers of one line, as double for floating dtypes and int64 for the others. */
typedef union number {
    double f;
    int64_t i;
} number;

static number read(const tern_kit_tensor *tensor, int64_t offset) {
    number x;
    const void *at = tern_kit_at(tensor, offset);
    if (tern_kit_is_floating(tensor->dtype))
        tern_kit_load_f64(tensor->dtype, at, 1, 1, &x.f);
    else
        tern_kit_load_i64(tensor->dtype, at, 1, 1, &x.i);
    return x;
}

static void write(const tern_kit_tensor *tensor, int64_t offset, number x) {
    void *at = tern_kit_at(tensor, offset);
    if (tern_kit_is_floating(tensor->dtype))
        tern_kit_store_f64(tensor->dtype, at, 1, 1, &x.f);
    else
        tern_kit_store_i64(tensor->dtype, at, 1, 1, &x.i);
}

/* ---- scan ---- */

static double add_exponentials(double a, double b) {
    double high = a > b || isnan(a) ? a : b, low = a > b || isnan(a) ? b : a;
    if (isinf(high) && high == low) return high;
    return high + tern_num_log1p(tern_num_exp(low - high));
}

static double next_f64(int32_t fn, double sum, double x) {
    switch (fn) {
    case TERN_SCAN_CUMSUM: return sum + x;
    case TERN_SCAN_CUMPROD: return sum * x;
    default: return add_exponentials(sum, x);
    }
}

static int64_t next_i64(int32_t fn, int64_t sum, int64_t x) {
    return fn == TERN_SCAN_CUMSUM ? (int64_t)((uint64_t)sum + (uint64_t)x)
                                  : (int64_t)((uint64_t)sum * (uint64_t)x);
}

static void accumulate(const lines *l, const int64_t *offset, int32_t fn) {
    bool floating = tern_kit_is_floating(l->tensor[0]->dtype);
    number sum = read(l->tensor[0], offset[0]);
    write(l->tensor[1], offset[1], sum);
    for (int64_t i = 1; i < l->length; i++) {
        number x = read(l->tensor[0], offset[0] + i * l->stride[0]);
        if (floating)
            sum.f = next_f64(fn, sum.f, x.f);
        else
            sum.i = next_i64(fn, sum.i, x.i);
        write(l->tensor[1], offset[1] + i * l->stride[1], sum);
    }
}

/* Whether x takes the place of the extreme so far: the last of equals does, and NaN stays NaN. */
static bool replaces(int32_t fn, bool floating, number best, number x) {
    if (!floating) return fn == TERN_SCAN_CUMMAX ? x.i >= best.i : x.i <= best.i;
    if (isnan(x.f) || isnan(best.f)) return isnan(x.f);
    return fn == TERN_SCAN_CUMMAX ? x.f >= best.f : x.f <= best.f;
}

static void extremes(const lines *l, const int64_t *offset, int32_t fn) {
    bool floating = tern_kit_is_floating(l->tensor[0]->dtype);
    number best = read(l->tensor[0], offset[0]), position = {.i = 0};
    for (int64_t i = 0; i < l->length; i++) {
        number x = read(l->tensor[0], offset[0] + i * l->stride[0]);
        if (replaces(fn, floating, best, x)) {
            best = x;
            position.i = i;
        }
        write(l->tensor[1], offset[1] + i * l->stride[1], best);
        if (l->tensor[2]) write(l->tensor[2], offset[2] + i * l->stride[2], position);
    }
}

int32_t tern_ref_scan(const tern_kit_call *call) {
    const tern_scan_attrs *attrs = call->attrs;
    tern_kit_walk walk;
    lines l = begin(&walk, call, attrs->dim);
    do {
        if (attrs->fn == TERN_SCAN_CUMMAX || attrs->fn == TERN_SCAN_CUMMIN) {
            extremes(&l, walk.offset, attrs->fn);
        } else {
            accumulate(&l, walk.offset, attrs->fn);
        }
    } while (tern_kit_walk_next(&walk));
    return TERN_BACKEND_OK;
}

/* ---- sort ---- */

typedef struct item {
    number key;
    int64_t index;
} item;

static bool less(number a, number b, bool floating) {
    if (!floating) return a.i < b.i;
    return isnan(b.f) ? !isnan(a.f) : a.f < b.f;
}

/* Whether b must come before a, which stands before it: equal elements keep their order. */
static bool out_of_order(const item *a, const item *b, bool floating, bool descending) {
    return descending ? less(a->key, b->key, floating) : less(b->key, a->key, floating);
}

/* Merges the sorted runs [low, middle) and [middle, high) of `from` into `to`. */
static void merge(const item *from, item *to, int64_t low, int64_t middle, int64_t high,
                  bool floating, bool descending) {
    int64_t a = low, b = middle;
    for (int64_t k = low; k < high; k++) {
        bool take_b =
            a == middle || (b < high && out_of_order(&from[a], &from[b], floating, descending));
        to[k] = take_b ? from[b++] : from[a++];
    }
}

/* Bottom-up merge sort between two halves of the scratch; returns the one that is sorted. */
static item *merge_sort(item *items, item *other, int64_t n, bool floating, bool descending) {
    for (int64_t width = 1; width < n; width *= 2) {
        for (int64_t low = 0; low < n; low += 2 * width) {
            int64_t middle = low + width < n ? low + width : n;
            int64_t high = low + 2 * width < n ? low + 2 * width : n;
            merge(items, other, low, middle, high, floating, descending);
        }
        item *swap = items;
        items = other;
        other = swap;
    }
    return items;
}

int32_t tern_ref_sort(const tern_kit_call *call) {
    const tern_sort_attrs *attrs = call->attrs;
    tern_kit_walk walk;
    lines l = begin(&walk, call, attrs->dim);
    bool floating = tern_kit_is_floating(l.tensor[0]->dtype);
    item *scratch = tern_kit_take(call, l.length, 2 * sizeof *scratch);
    if (!scratch) return TERN_BACKEND_OUT_OF_MEMORY;
    do {
        for (int64_t i = 0; i < l.length; i++) {
            scratch[i] = (item){read(l.tensor[0], walk.offset[0] + i * l.stride[0]), i};
        }
        const item *sorted =
            merge_sort(scratch, scratch + l.length, l.length, floating, attrs->descending != 0);
        for (int64_t i = 0; i < l.length; i++) {
            write(l.tensor[1], walk.offset[1] + i * l.stride[1], sorted[i].key);
            write(l.tensor[2], walk.offset[2] + i * l.stride[2], (number){.i = sorted[i].index});
        }
    } while (tern_kit_walk_next(&walk));
    tern_kit_give(call, scratch);
    return TERN_BACKEND_OK;
}
