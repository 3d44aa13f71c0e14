/*
 * tern/base.h: status codes, dtypes, shapes, limits, the export macro and the version.
 *
 * Everything here is plain data; no function in this header can fail.
 */
#ifndef TERN_BASE_H
#define TERN_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TERN_VERSION_MAJOR 0
#define TERN_VERSION_MINOR 1
#define TERN_VERSION_PATCH 0
#define TERN_VERSION       "0.1.0"

#if defined(__GNUC__)
#define TERN_API              __attribute__((visibility("default")))
#define TERN_PRINTF(fmt, arg) __attribute__((format(printf, fmt, arg)))
#else
#define TERN_API
#define TERN_PRINTF(fmt, arg)
#endif

/* The largest number of dimensions of a tensor. */
#define TERN_MAX_RANK 16

/* What a verb returns, and what a context latches (see context.h). */
typedef enum tern_status {
    TERN_OK = 0,
    TERN_ERR_ARGUMENT,      /* a value, shape or dtype that the operation cannot take */
    TERN_ERR_INDEX,         /* an index outside its dimension (Python's IndexError) */
    TERN_ERR_NOT_FOUND,     /* no such operation, device, file, key or member */
    TERN_ERR_UNSUPPORTED,   /* valid, but this device or build does not support it */
    TERN_ERR_OUT_OF_MEMORY, /* the host's or the device's memory is exhausted */
    TERN_ERR_STATE,         /* valid, but not in this state (a freed graph, a stale tensor) */
    TERN_ERR_IO,            /* the operating system refused a read or a write */
    TERN_ERR_FORMAT,        /* a malformed file or text */
    TERN_ERR_DEVICE,        /* a device or its plugin failed */
    TERN_ERR_INTERNAL       /* a broken invariant in Tern itself: please report it */
} tern_status;

/* "out of memory", "bad argument", ...; never NULL. */
TERN_API const char *tern_status_name(tern_status status);

/*
 * Element types. The numbers are part of the plugin ABI and never change.
 * PyTorch's names without "torch." are the text forms: "float32", "bool".
 */
typedef enum tern_dtype {
    TERN_DTYPE_DEFAULT = -1, /* "not given": the operation's own default applies */
    TERN_FLOAT32 = 0,
    TERN_FLOAT64 = 1,
    TERN_FLOAT16 = 2,
    TERN_BFLOAT16 = 3,
    TERN_INT64 = 4,
    TERN_INT32 = 5,
    TERN_INT16 = 6,
    TERN_INT8 = 7,
    TERN_UINT8 = 8,
    TERN_BOOL = 9,
    TERN_COMPLEX64 = 16, /* two float32: the real part, then the imaginary part */
    TERN_COMPLEX128 = 17 /* two float64 */
} tern_dtype;

/* The real dtypes, which are numbered from 0 on. */
#define TERN_DTYPE_COUNT 10

/* Bytes of one element: 1, 2, 4, 8 or 16; 0 for an invalid dtype. */
TERN_API size_t tern_dtype_size(tern_dtype dtype);

/* "float32" and so on; "?" for an invalid dtype. */
TERN_API const char *tern_dtype_name(tern_dtype dtype);

/* Reads "float32" or "torch.float32" (and PyTorch's aliases float, double, half, long, int, short,
 * cfloat, cdouble);
 * false if the text does not name a dtype. */
TERN_API bool tern_dtype_parse(const char *text, tern_dtype *out_dtype);

/* float32, float64, float16, bfloat16. */
TERN_API bool tern_dtype_is_floating(tern_dtype dtype);

/* complex64, complex128 (torch.is_complex). */
TERN_API bool tern_dtype_is_complex(tern_dtype dtype);

/* The integer types, bool excluded. */
TERN_API bool tern_dtype_is_integral(tern_dtype dtype);

/* torch.promote_types: the smallest dtype that both convert to. */
TERN_API tern_dtype tern_promote_types(tern_dtype a, tern_dtype b);

/*
 * A shape, or any short list of integers, by value.
 *
 *     tern_zeros(ctx, TERN_SHAPE(2, 3), TERN_FLOAT32);
 *     tern_zeros(ctx, TERN_SCALAR_SHAPE, TERN_FLOAT32);     0-dim
 */
typedef struct tern_shape {
    int32_t rank;
    int64_t dim[TERN_MAX_RANK];
} tern_shape;

#ifndef __cplusplus
#define TERN_SHAPE(...)                                                                            \
    ((tern_shape){(int32_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}})
#define TERN_SCALAR_SHAPE ((tern_shape){0, {0}})
#endif

/* a == b of torch.Size: the same rank, and the same size in each dimension. */
static inline bool tern_shape_equal(const tern_shape *a, const tern_shape *b) {
    bool equal = a->rank == b->rank;
    for (int32_t d = 0; equal && d < a->rank; d++) equal = a->dim[d] == b->dim[d];
    return equal;
}

/* How a loss is reduced: PyTorch's reduction="none" | "mean" | "sum". */
typedef enum tern_reduction { TERN_NO_REDUCTION = 0, TERN_MEAN = 1, TERN_SUM = 2 } tern_reduction;

typedef struct tern_ctx tern_ctx;
typedef struct tern_tensor tern_tensor;
typedef struct tern_generator tern_generator;
typedef struct tern_module tern_module;

#ifdef __cplusplus
}
#endif

#endif
