/*
 * image.h: batches of images [n, c, spatial...] as kernels take them, always with three spatial dimensions:
 * those that are missing come first, with size 1.
 */
#ifndef TERN_GPU_IMAGE_H
#define TERN_GPU_IMAGE_H

#include "call.h"

void gpu_image_make(gpu_image *image, const tern_operand *operand);

/* Strides and dilations of 0 (average pooling has no dilation) count as 1. */
void gpu_window_make(gpu_window *window, const int64_t *kernel, const int64_t *stride,
                     const int64_t *padding, const int64_t *dilation, int32_t spatial);

#endif
