/*
 * types.h: kernels/launch.h as the host sees it.
 */
#ifndef TERN_GPU_TYPES_H
#define TERN_GPU_TYPES_H

#include <stdint.h>

typedef int32_t i32;
typedef int64_t i64;

#include "kernels/launch.h"

#define GPU_ARGUMENT_BYTES 1024 /* what OpenCL guarantees, pointers among them */

#define GPU_FITS(type, pointers)                                                                   \
    _Static_assert(sizeof(type) + 8 * (pointers) <= GPU_ARGUMENT_BYTES, #type " is too large")
GPU_FITS(gpu_copy_launch, 2);
GPU_FITS(gpu_interpret_launch, 1 + GPU_INTERPRET_BUFFERS);
GPU_FITS(gpu_reduce_launch, 2);
GPU_FITS(gpu_product_launch, 4);
GPU_FITS(gpu_conv_launch, 4);
_Static_assert(sizeof(gpu_product_launch) + sizeof(gpu_epilogue_launch) + 8 * (4 + GPU_EXTRAS) <=
                   GPU_ARGUMENT_BYTES,
               "a product with an epilogue is too large");
GPU_FITS(gpu_pool_launch, 4);
GPU_FITS(gpu_resize_launch, 2);
GPU_FITS(gpu_line_launch, 5);
GPU_FITS(gpu_index_launch, 4);
GPU_FITS(gpu_pick_launch, 3);
GPU_FITS(gpu_resolve_launch, 3);
GPU_FITS(gpu_nonzero_launch, 2);
GPU_FITS(gpu_entropy_launch, 9);
GPU_FITS(gpu_norm_launch, 7);
GPU_FITS(gpu_attention_launch, 9);
GPU_FITS(gpu_recurrent_launch, 14);

#endif
