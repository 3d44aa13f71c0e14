/*
 * overlap.c: tensors of which two elements are one in memory. Nothing may be written to them: devices
 * are promised outputs that do not overlap themselves, and which write stays would be open.
 *
 * Three tests, from the cheap and common to the exact:
 *
 *     sorted    strides in ascending order, each at least what the dimensions before span
 *               together: free of overlap, as every tensor that is not made by as_strided or
 *               unfold
 *     in pairs  a steps of one dimension are b steps of another, with a and b within their sizes:
 *               one element (a, 0) and (0, b); stride 0 is the case a = 1, b = 0
 *     by count  every element marks its place
 */
#include <string.h>

#include "tensor.h"

const char tern_overlap_refusal[] =
    "unsupported operation: more than one element of the written-to tensor refers to a single "
    "memory location. Please clone() the tensor before performing the operation.";

/* A dimension of more than one element. */
typedef struct span {
    int64_t size, stride;
} span;

/* In ascending order of stride; how many there are. */
static int spans_of(const tern_tensor *tensor, span *out_spans) {
    int count = 0;
    for (int d = 0; d < BODY(tensor)->rank; d++) {
        if (BODY(tensor)->shape[d] <= 1) continue;
        span s = {BODY(tensor)->shape[d], BODY(tensor)->strides[d]};
        int at = count++;
        for (; at > 0 && out_spans[at - 1].stride > s.stride; at--)
            out_spans[at] = out_spans[at - 1];
        out_spans[at] = s;
    }
    return count;
}

/* All sums stay within the storage, or are of strides that as_strided has checked. */
static bool is_nested(const span *spans, int count) {
    int64_t covered = 1; /* places from the first element to behind the last */
    for (int i = 0; i < count; i++) {
        if (spans[i].stride < covered) return false;
        covered += (spans[i].size - 1) * spans[i].stride;
    }
    return true;
}

static int64_t common_divisor(int64_t a, int64_t b) {
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static bool pair_meets(const span *a, const span *b) {
    int64_t divisor = common_divisor(a->stride, b->stride);
    return b->stride / divisor < a->size && a->stride / divisor < b->size;
}

/* Marks the place of every element, counted from the first one. */
static bool places_repeat(const span *spans, int count) {
    int64_t last = 0, index[TERN_MAX_RANK] = {0}, place = 0;
    for (int i = 0; i < count; i++) last += (spans[i].size - 1) * spans[i].stride;
    unsigned char *seen = tern_alloc_zeroed((size_t)(last / 8 + 1), 1);
    bool repeats = seen == NULL;
    for (int d = 0; !repeats && d < count;) {
        unsigned char bit = (unsigned char)(1u << (place % 8));
        repeats = seen[place / 8] & bit;
        seen[place / 8] |= bit;
        for (d = 0; d < count; d++) {
            place += spans[d].stride;
            if (++index[d] < spans[d].size) break;
            place -= spans[d].size * spans[d].stride;
            index[d] = 0;
        }
    }
    tern_free(seen);
    return repeats;
}

bool tern_has_overlap(const tern_tensor *tensor) {
    span spans[TERN_MAX_RANK];
    if (BODY(tensor)->numel <= 1 || BODY(tensor)->flags & TERN_T_CONTIGUOUS) return false;
    int count = spans_of(tensor, spans);
    if (count == 0) return false; /* nothing repeats */
    if (spans[0].stride == 0) return true;
    if (is_nested(spans, count)) return false;
    for (int i = 0; i < count; i++)
        for (int k = i + 1; k < count; k++)
            if (pair_meets(&spans[i], &spans[k])) return true;
    return count > 2 && places_repeat(spans, count);
}
