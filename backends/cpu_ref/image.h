/*
 * image.h: batches of images [n, c, spatial...] as plain arrays of numbers.
 *
 * Convolution, pooling and resizing first convert their operands to arrays of double (of int64 for
 * integers), row-major, always with three spatial dimensions: those that are missing come first, with
 * size 1. Then they are plain loops, and results are rounded once.
 */
#ifndef TERN_REF_IMAGE_H
#define TERN_REF_IMAGE_H

#include "walk.h"

typedef struct tern_ref_image {
    int64_t n, c;
    int64_t size[3]; /* depth, height, width */
    int64_t pixels;  /* their product */
    double *f;       /* the numbers, of floating dtypes; else NULL */
    int64_t *i;      /* of the others */
} tern_ref_image;

/* A window that slides over an image; three dimensions, as above. */
typedef struct tern_ref_window {
    int64_t kernel[3], stride[3], padding[3], dilation[3];
} tern_ref_window;

/*
 * Makes an image of a tensor [n, c, spatial...]; its numbers are the tensor's where `filled`, else 0.
 * `dtype` says which kind: any floating one gives double. False without memory.
 */
bool tern_ref_image_new(const tern_kit_call *call, const tern_kit_tensor *tensor, int32_t dtype,
                        bool filled, tern_ref_image *out_image);

/* Writes the numbers into the tensor they were made for, converted to its dtype. */
void tern_ref_image_store(const tern_kit_call *call, const tern_ref_image *image,
                          const tern_kit_tensor *tensor);
void tern_ref_image_free(const tern_kit_call *call, tern_ref_image *image);

/* Spreads `spatial` values over three dimensions, missing ones first. */
void tern_ref_spread(const int64_t *values, int32_t spatial, int64_t missing, int64_t *out);

/* The window of a launch. Strides and dilations of 0 (average pooling has no dilation) count as 1. */
tern_ref_window tern_ref_window_of(const int64_t *kernel, const int64_t *stride,
                                   const int64_t *padding, const int64_t *dilation,
                                   int32_t spatial);

#endif
