/*
 * fused.c: the families of fused kernels by name, and whether they are used.
 *
 * The one table of them: what switches a family off, and what a device is asked to say that it fuses it.
 */
#define _GNU_SOURCE /* secure_getenv */
#include "fused.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/context/lane.h"
#include "core/ground/error.h"
#include "tern/context.h"

/* One kernel with a usual number of operands, as patterns of dtypes. */
typedef struct kernel {
    int16_t id, fn;
    const char *inputs, *outputs;
    uint32_t attrs_size;
} kernel;

typedef struct family {
    const char *name;
    kernel forward, backward; /* id 0: there is none */
} family;

#define SIZE(attrs) (uint32_t)sizeof(tern_##attrs##_attrs)

static const family families[] = {
    {"map", {TERN_KERNEL_MAP, 1, "f", "f", SIZE(map)}, {0}},
    {"reduce_list", {TERN_KERNEL_REDUCE_LIST, TERN_REDUCE_NORM, "f", "f", SIZE(reduce)}, {0}},
    {"softmax",
     {TERN_KERNEL_SOFTMAX, 0, "f", "f", SIZE(softmax)},
     {TERN_KERNEL_SOFTMAX_GRAD, 0, "ff", "f", SIZE(softmax)}},
    {"log_softmax",
     {TERN_KERNEL_LOG_SOFTMAX, 0, "f", "f", SIZE(softmax)},
     {TERN_KERNEL_LOG_SOFTMAX_GRAD, 0, "ff", "f", SIZE(softmax)}},
    {"norm",
     {TERN_KERNEL_NORM, TERN_NORM_STANDARD, "fff", "fss", SIZE(norm)},
     {TERN_KERNEL_NORM_GRAD, TERN_NORM_STANDARD, "ffssf", "fff", SIZE(norm_grad)}},
    {"cross_entropy",
     {TERN_KERNEL_CROSS_ENTROPY, TERN_CROSS_ENTROPY_INDEX, "fi", "fsss", SIZE(cross_entropy)},
     {TERN_KERNEL_CROSS_ENTROPY_GRAD, TERN_CROSS_ENTROPY_INDEX, "ffisss", "f",
      SIZE(cross_entropy)}},
    {"attention",
     {TERN_KERNEL_ATTENTION, 0, "fff", "fs", SIZE(attention)},
     {TERN_KERNEL_ATTENTION_GRAD, 0, "fffffs", "fff", SIZE(attention)}},
    {"matmul_map", {TERN_KERNEL_MATMUL_MAP, 1, "ff", "f", SIZE(matmul_map)}, {0}},
    {"conv_map", {TERN_KERNEL_CONV_MAP, 1, "ff", "f", SIZE(conv_map)}, {0}},
    {"embedding", {0}, {TERN_KERNEL_EMBEDDING_GRAD, 0, "fi", "f", SIZE(embedding_grad)}},
    {"recurrent",
     {TERN_KERNEL_RECURRENT, TERN_RECURRENT_LSTM, "fffffff", "fff", SIZE(recurrent)},
     {TERN_KERNEL_RECURRENT_GRAD, TERN_RECURRENT_LSTM, "fffffffffff", "fffffff", SIZE(recurrent)}},
};

enum { FAMILIES = sizeof families / sizeof families[0] };

static uint32_t bit_of(const kernel *k) {
    return k->id ? UINT32_C(1) << (k->id - TERN_KERNEL_FUSED) : 0;
}

static const family *find(const char *name, size_t length) {
    for (size_t i = 0; i < FAMILIES; i++)
        if (strlen(families[i].name) == length && memcmp(families[i].name, name, length) == 0)
            return &families[i];
    return NULL;
}

const char *tern_fused_family_at(size_t index) {
    return index < FAMILIES ? families[index].name : NULL;
}

/* ---- switching off --------------------------------------------------------------------------- */

static tern_status refuse(tern_ctx *ctx, const char *where, const char *name, size_t length) {
    char known[256] = "";
    for (size_t i = 0, used = 0; i < FAMILIES; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s, ", families[i].name);
    return tern_fail(ctx, TERN_ERR_ARGUMENT,
                     "%s: unknown family of fused kernels '%.*s'; there are %sand all", where,
                     (int)(length < 60 ? length : 60), name, known);
}

/* The bits of the families that a list names; false after latching. */
static bool read_list(tern_ctx *ctx, const char *where, const char *list, uint32_t *out_bits) {
    *out_bits = 0;
    while (*list) {
        size_t length = strcspn(list, ",");
        const family *f = find(list, length);
        bool all = length == 3 && memcmp(list, "all", 3) == 0;
        if (!f && !all) return refuse(ctx, where, list, length) == TERN_OK;
        *out_bits |= all ? UINT32_MAX : bit_of(&f->forward) | bit_of(&f->backward);
        list += length + (list[length] == ',');
    }
    return true;
}

tern_status tern_set_composed(tern_ctx *ctx, const char *list, bool composed) {
    uint32_t bits;
    ctx = tern_given(ctx);
    if (ctx->status != TERN_OK) return ctx->status;
    if (!list) return refuse(ctx, "tern_set_composed", "NULL", 4);
    if (read_list(ctx, "tern_set_composed", list, &bits))
        ctx->composed = composed ? ctx->composed | bits : ctx->composed & ~bits;
    return ctx->status;
}

void tern_fused_read_policy(tern_ctx *ctx) {
    const char *list = secure_getenv("TERN_COMPOSED");
    if (list && ctx->status == TERN_OK) read_list(ctx, "TERN_COMPOSED", list, &ctx->composed);
}

/* ---- what a device has ----------------------------------------------------------------------- */

int32_t tern_pattern_dtypes(const char *pattern, tern_dtype dtype, int32_t *out_dtypes) {
    int32_t count = 0, statistics = dtype == TERN_FLOAT64 ? TERN_FLOAT64 : TERN_FLOAT32;
    for (; *pattern; pattern++)
        out_dtypes[count++] = *pattern == 'i'   ? (int32_t)TERN_INT64
                              : *pattern == 's' ? statistics
                                                : (int32_t)dtype;
    return count;
}

static bool has(tern_lane *lane, const kernel *k, tern_dtype dtype) {
    int32_t in[TERN_MAX_OPERANDS], out[TERN_MAX_OPERANDS];
    const char *reason = NULL;
    int32_t n_in = tern_pattern_dtypes(k->inputs, dtype, in);
    int32_t n_out = tern_pattern_dtypes(k->outputs, dtype, out);
    tern_kernel_query query = {(uint32_t)sizeof query, k->id, k->fn, n_in, n_out,
                               k->attrs_size,          in,    out};
    return lane->device->vtable.supports(lane->device->object, &query, &reason);
}

bool tern_device_fuses(tern_lane *lane, int32_t id, tern_dtype dtype) {
    for (size_t i = 0; i < FAMILIES && tern_dtype_is_floating(dtype); i++) {
        const kernel *k =
            id == families[i].forward.id ? &families[i].forward : &families[i].backward;
        if (k->id == id && !tern_is_composed(lane->ctx, id)) return has(lane, k, dtype);
    }
    return false;
}

bool tern_fuses(tern_ctx *ctx, const char *name, tern_dtype dtype) {
    const family *f = name ? find(name, strlen(name)) : NULL;
    ctx = tern_given(ctx);
    if (!f || !ctx->n_lanes) return false;
    tern_lane *lane = ctx->lanes[0];
    return (!f->forward.id || tern_device_fuses(lane, f->forward.id, dtype)) &&
           (!f->backward.id || tern_device_fuses(lane, f->backward.id, dtype));
}
