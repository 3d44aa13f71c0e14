/*
 * conv.h: convolutions as products without a matrix of patches.
 *
 * The source of a launch (x forward, the gradient of out for the gradient by input) is copied, a strip
 * at a time, into *images* in scratch memory: its zeros at the edges become elements, and where the
 * stride is above 1 it is dealt out to one image for each remainder (its *phases*). Then every result
 * is a sum of elements at fixed distances, with a step of 1:
 *
 *     result[m][f] = sum over k of weight[m][k] * images[offset[k] + f]
 *
 * over flat positions f, which run through all rows of an image, so that vectors fill whatever the
 * width is. k goes over the channels and the taps of the kernel. Rows follow each other at a *pitch*
 * that has no more zeros than one side needs: the zeros behind a row are those before the next one.
 * Results at the positions in between have no meaning and are left out when rows are stored.
 *
 * With many channels of results, what some of them read is copied once more, into a panel that the tiles
 * of gemm.h read (conv_panel.inc).
 *
 * The gradient by input is the same with flipped and transposed weights. With a stride s its results
 * fall into s *classes* in each dimension, which use different taps of the kernel; forward there is one.
 * The gradient by weight is weight[m][k] = sum over f of result[m][f] * images[offset[k] + f], with
 * zeros at the positions in between; with many channels a product of gemm.h for each tap, whose sums
 * are over positions too (conv_channels.inc).
 *
 * A zero at an edge times a number that is not finite is no number, where the definition skips the tap:
 * such weights (or such gradients of weights) go to the kit's kernel.
 */
#ifndef TERN_CPU_SIMD_CONV_H
#define TERN_CPU_SIMD_CONV_H

#include "across.h"
#include "gemm.h"
#include "kernels.h"
#include "plane.h"

/* The most rows of results that a tile keeps in registers, of which there are 32 or 16. */
#if SIMD_BYTES == 64 || defined(__aarch64__)
#define ROWS 8
#else
#define ROWS 6
#endif

/* The largest stride that is dealt out to phases or classes. */
#define TERN_SIMD_CONV_PHASES 32

/* A number in parts of about equal size, the larger ones first. */
typedef struct tern_simd_split {
    int64_t parts, size, larger;
} tern_simd_split;

SIMD_INLINE tern_simd_split tern_simd_split_of(int64_t total, int64_t parts) {
    return (tern_simd_split){parts, total / parts, total % parts};
}

SIMD_INLINE int64_t tern_simd_part(tern_simd_split split, int64_t index) {
    return split.size + (index < split.larger);
}

/* Rows that are packed for gemm.h in parts of whole tiles, of at most about so many bytes. */
SIMD_INLINE tern_simd_split tern_simd_row_parts(int64_t rows, int64_t row_bytes, int64_t bytes) {
    int64_t tiles = (rows - 1) / TERN_SIMD_ROWS + 1, parts = (rows * row_bytes - 1) / bytes + 1;
    return tern_simd_split_of(tiles, parts < tiles ? parts : tiles);
}

/* The rows of part `index`, which begins at row `first`. */
SIMD_INLINE int64_t tern_simd_row_part(tern_simd_split parts, int64_t index, int64_t first,
                                       int64_t rows) {
    int64_t count = tern_simd_part(parts, index) * TERN_SIMD_ROWS;
    return count < rows - first ? count : rows - first;
}

/* One spatial dimension. */
typedef struct tern_simd_axis {
    int64_t in, out, taps; /* sizes of source, result and kernel */
    int64_t stride, dilation, padding;

    int64_t step;   /* elements of the source from one of an image to the next */
    int64_t phases; /* that some tap reads */
    int64_t first[TERN_SIMD_CONV_PHASES]; /* of each phase: what of the source image[0] is */
    int64_t phase[TERN_SIMD_CONV_PHASES]; /* its index, by the remainder */

    int64_t classes; /* of the results, which are `classes` apart in each */
    int64_t origin;  /* of the gradient by input: image[origin] is the source's first element */
    int64_t count;   /* results of the largest class */
    int64_t reach;   /* the largest distance of a tap */
    int64_t pitch;   /* elements of an image */
} tern_simd_axis;

typedef struct tern_simd_convolution {
    tern_simd_axis axis[3]; /* depth, height, width; missing ones come first, with size 1 */
    bool by_input;          /* the gradient by input */
    int64_t n, groups;
    int64_t sources, results; /* channels of a group */
    int64_t taps, images;     /* taps of the kernel; images of a group: one a channel and phase */
    int64_t classes;

    int strip_axis; /* the first that has more than one result */
    int64_t unit;   /* of which strips have a whole number, the last one aside */
    int64_t strips; /* what is computed at once: parts of about equal size along it */
    int64_t strip;  /* results of the largest */
    int64_t image;  /* elements from one image to the next */
} tern_simd_convolution;

/* The results of one class: at most `count` of them in each dimension, from `first`. */
typedef struct tern_simd_class {
    int64_t first[3], count[3];
    int64_t k; /* products in a sum: sources * its taps */
} tern_simd_class;

/*
 * The geometry of a launch. `source`, `result` and `kernel` are [n, c, spatial...], [n, c, ...] and
 * [o, c / groups, ...]. False where the kit's kernel serves better.
 */
bool tern_simd_conv_plan(tern_simd_convolution *conv, const tern_conv_attrs *attrs, bool by_input,
                         const tern_kit_tensor *source, const tern_kit_tensor *result,
                         const tern_kit_tensor *kernel);

/* Fixes the strips, and with them the layout of an image of numbers of `size` bytes. */
void tern_simd_conv_layout(tern_simd_convolution *conv, int64_t strips, int64_t size);

/* The class of an index, which counts the classes of the last dimension fastest. */
tern_simd_class tern_simd_conv_class(const tern_simd_convolution *conv, int64_t index);

/* Writes for each k of a class where it reads in the images, and which tap of the kernel it is (the
 * `taps` of the first channel; NULL: not asked for). */
void tern_simd_conv_offsets(const tern_simd_convolution *conv, const tern_simd_class *class,
                            int64_t *offsets, int64_t *taps);

/* Flat positions of `count` results in each dimension, the last one included. */
int64_t tern_simd_conv_length(const tern_simd_convolution *conv, const int64_t *count);

/* Where a strip begins; the length of one whose class has `count` results in all, which becomes the
 * strip's count. */
int64_t tern_simd_conv_start(const tern_simd_convolution *conv, int64_t index);
int64_t tern_simd_conv_strip(const tern_simd_convolution *conv, int64_t index, int64_t *count);

/* `count` numbers of `size` bytes, rounded up to an odd number of cache lines: rows at such a distance
 * do not meet in few sets of a cache. */
int64_t tern_simd_conv_spaced(int64_t count, int64_t size);

/* A launch; the gradient by weight reads `source` and `result` and writes `weight`. `bias` is NULL where
 * there is none. */
typedef struct tern_simd_conv_call {
    const tern_kit_call *call;
    const tern_kit_tensor *source, *result, *weight, *bias;
} tern_simd_conv_call;

/* These return DECLINED where the kit's kernel has to serve. */
int32_t tern_simd_conv_f32(const tern_simd_conv_call *c, const tern_conv_attrs *attrs,
                           bool by_input);
int32_t tern_simd_conv_f64(const tern_simd_conv_call *c, const tern_conv_attrs *attrs,
                           bool by_input);
int32_t tern_simd_conv_weight_f32(const tern_simd_conv_call *c, const tern_conv_attrs *attrs);
int32_t tern_simd_conv_weight_f64(const tern_simd_conv_call *c, const tern_conv_attrs *attrs);

#endif
