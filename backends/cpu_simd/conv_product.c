/*
 * The gradient by weight of convolutions whose kernel has one tap, as products of matrices (gemm.h): a
 * position is a column.
 *
 *     grad_weight[o, c]  = sum over n and p of grad[n][o, p] * x[n][c, p]
 *
 * Images are far apart in memory, so each has a product of its own, which are added one after the other.
 */
#include "conv_product.h"

#include "gemm.h"

/* Sizes from which packing pays. */
#define MIN_CHANNELS  16
#define MIN_POSITIONS 32

bool tern_simd_conv_is_product(const tern_simd_conv_call *c) {
    const tern_kit_tensor *x = c->source;
    return x->shape[0] >= 1 && x->shape[2] >= MIN_POSITIONS && x->shape[1] >= MIN_CHANNELS &&
           c->result->shape[1] >= MIN_CHANNELS;
}

/* The sums of 16-bit floats stay in float32 until all images are added. */
static void round_rows(const tern_kit_tensor *weight, const float *sums) {
    int64_t size = tern_kit_size(weight->dtype), width = weight->shape[1];
    for (int64_t o = 0; o < weight->shape[0]; o++)
        write_row_f32(weight->dtype, weight->data + o * weight->strides[0] * size,
                      weight->strides[1] * size, width, sums + o * width, -0.0F);
}

int32_t tern_simd_conv_weight_product(const tern_simd_conv_call *c) {
    const tern_kit_tensor *x = c->source, *grad = c->result, *weight = c->weight;
    const int64_t size = tern_kit_size(x->dtype);
    tern_simd_product p = {.m = weight->shape[0],
                           .n = weight->shape[1],
                           .k = x->shape[2],
                           .in = x->dtype,
                           .out_dtype = weight->dtype,
                           .a = grad->data,
                           .b = x->data,
                           .out = weight->data,
                           .rs_a = grad->strides[1],
                           .cs_a = grad->strides[2],
                           .rs_b = x->strides[2],
                           .cs_b = x->strides[1],
                           .rs_out = weight->strides[0],
                           .cs_out = weight->strides[1],
                           .alpha = 1};
    float *sums = NULL;
    if (size == 2) {
        p.out = sums = tern_kit_take(c->call, tern_kit_count(weight), sizeof *sums);
        if (!sums) return TERN_BACKEND_OUT_OF_MEMORY;
        p.out_dtype = TERN_BT_FLOAT32;
        p.rs_out = p.n;
        p.cs_out = 1;
    }
    p.c = p.out;
    p.rs_c = p.rs_out;
    p.cs_c = p.cs_out;
    int32_t status = TERN_BACKEND_OK;
    for (int64_t n = 0; n < x->shape[0] && status == TERN_BACKEND_OK; n++) {
        tern_simd_product image = p;
        image.a = (const char *)p.a + n * grad->strides[0] * size;
        image.b = (const char *)p.b + n * x->strides[0] * size;
        image.beta = n > 0;
        status = tern_simd_gemm(c->call, &image);
    }
    if (sums && status == TERN_BACKEND_OK) round_rows(weight, sums);
    tern_kit_give(c->call, sums);
    return status;
}
