/*
 * Convolutions whose kernel has one tap, as products of matrices (gemm.h): a position is a column.
 *
 *     out[n][o, p]       = sum over c of weight[o, c] * x[n][c, p]  + bias[o]
 *     grad_x[n][c, p]    = sum over o of weight[o, c] * grad[n][o, p]
 *     grad_weight[o, c]  = sum over n and p of grad[n][o, p] * x[n][c, p]
 *
 * Images are far apart in memory, so each has a product of its own; those of the gradient by weight are
 * added one after the other.
 */
#include "conv_product.h"

#include <stdatomic.h>

#include "gemm.h"

/* Products of an image that the threads share, and of a chunk of images. */
#define LARGE 0x1p22
#define CHUNK 0x1p18

/* With so many images each is a thread's own. */
#define MANY_IMAGES 16

/* Sizes from which packing pays. Forward, rows of few channels that are long are better read as they
 * are (conv_tile.inc). */
#define MIN_CHANNELS  16
#define MIN_POSITIONS 32
#define MIN_ROWS      64

typedef struct image_job {
    const tern_kit_call *call;
    tern_simd_product first;  /* of the first image */
    int64_t b_step, out_step; /* bytes from one image to the next */
    atomic_int status;
} image_job;

static void multiply_images(void *arg, int64_t begin, int64_t end) {
    image_job *job = arg;
    for (int64_t n = begin; n < end; n++) {
        tern_simd_product p = job->first;
        p.b = (const char *)p.b + n * job->b_step;
        p.out = (char *)p.out + n * job->out_step;
        int32_t status = tern_simd_gemm(job->call, &p);
        if (status != TERN_BACKEND_OK) atomic_store(&job->status, status);
    }
}

static double work_of(const tern_simd_product *p) {
    return (double)p->m * (double)p->n * (double)p->k;
}

bool tern_simd_conv_is_product(const tern_kit_tensor *source, const tern_kit_tensor *result,
                               bool by_weight) {
    int64_t positions = source->shape[2];
    if (source->shape[0] < 1 || positions < MIN_POSITIONS || source->shape[1] < MIN_CHANNELS ||
        result->shape[1] < MIN_CHANNELS)
        return false;
    return by_weight || result->shape[1] >= MIN_ROWS || positions < 2 * MIN_POSITIONS;
}

int32_t tern_simd_conv_product(const tern_simd_conv_call *c, bool by_input) {
    const tern_kit_tensor *source = c->source, *result = c->result, *weight = c->weight;
    const int64_t size = tern_kit_size(source->dtype), *steps = weight->strides;
    image_job job = {.call = c->call,
                     .first = {.m = result->shape[1],
                               .n = result->shape[2],
                               .k = source->shape[1],
                               .in = source->dtype,
                               .out_dtype = result->dtype,
                               .a = weight->data,
                               .b = source->data,
                               .out = result->data,
                               .rs_a = steps[by_input ? 1 : 0],
                               .cs_a = steps[by_input ? 0 : 1],
                               .rs_b = source->strides[1],
                               .cs_b = source->strides[2],
                               .rs_out = result->strides[1],
                               .cs_out = result->strides[2],
                               .alpha = 1},
                     .b_step = source->strides[0] * size,
                     .out_step = result->strides[0] * size};
    if (c->bias) {
        job.first.c = c->bias->data;
        job.first.rs_c = c->bias->strides[0];
        job.first.beta = 1;
    }
    atomic_init(&job.status, TERN_BACKEND_OK);
    int64_t images = source->shape[0];
    double work = work_of(&job.first);
    if (work >= LARGE && images < MANY_IMAGES)
        multiply_images(&job, 0, images);
    else
        c->call->host->parallel_for(images, (int64_t)(CHUNK / work) + 1, multiply_images, &job);
    return atomic_load(&job.status);
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
