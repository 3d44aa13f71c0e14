/*
 * Convolutions of each channel by itself (conv_depthwise.h): which launches, and both types of number.
 */
/* The three taps of a row are read at three places: of vectors of 64 bytes nearly each would cross two lines. */
#define SIMD_MOST 32
#include "conv_depthwise.h"

/* Rows of results that share what is read: their sums and nine taps fit 16 registers. */
#define ROWS_AT_ONCE 4

/* Columns of a row that pass at once by weight: their buffers stay in the first level cache. */
#define STRIP 512

/* Products below which a chunk of parallel_for is not worth a thread. */
#define CHUNK_PRODUCTS 250000

static bool is_dense(const tern_kit_tensor *t) {
    return t->strides[3] == 1 || t->shape[3] == 1;
}

bool tern_simd_conv_depthwise_fits(const tern_simd_conv_call *c) {
    int32_t dtype = c->source->dtype;
    if (dtype != TERN_BT_FLOAT32 && dtype != TERN_BT_FLOAT64) return false;
    int64_t lanes = dtype == TERN_BT_FLOAT64 ? F64_LANES : F32_LANES;
    return is_dense(c->source) && is_dense(c->result) && c->source->shape[3] - 2 >= lanes;
}

bool tern_simd_conv_is_depthwise(const tern_simd_conv_call *c, const tern_conv_attrs *attrs) {
    const tern_kit_tensor *source = c->source, *result = c->result;
    int64_t groups = attrs->groups;
    if (attrs->spatial != 2 || source->shape[0] < 1) return false;
    for (int d = 0; d < 2; d++)
        if (c->weight->shape[d + 2] != 3 || attrs->stride[d] != 1 || attrs->dilation[d] != 1 ||
            attrs->padding[d] > 2 || source->shape[d + 2] < 1 || result->shape[d + 2] < 1)
            return false;
    return source->shape[1] == groups && result->shape[1] == groups;
}

#define NUMBER  float
#define VECTOR  f32v
#define LANES   F32_LANES
#define NAME(x) x##_f32
#define OP(x)   f32_##x
#include "conv_depthwise.inc"

#define NUMBER  double
#define VECTOR  f64v
#define LANES   F64_LANES
#define NAME(x) x##_f64
#define OP(x)   f64_##x
#include "conv_depthwise.inc"
