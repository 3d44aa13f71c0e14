/*
 * tern/backend.h: the plugin ABI, the only header that a backend includes; it includes its second part,
 * tern/backend_fused.h, which specifies the fused kernels.
 *
 * A backend is a shared object that exports one symbol, tern_backend_query. It does not link against Tern: it
 * gets the host's services in a table. It fills in the functions that it has and leaves the others NULL; the
 * core adapts to that.
 *
 * VERSIONS. The major numbers must be equal, and while they are 0 the minor numbers too. Structs begin with
 * their size, except tern_operand, which is used in arrays and is frozen; both sides read only the smaller of
 * the two sizes, and the rest counts as zero. Ids are append-only, and the attributes of a kernel never
 * change once released: a new attribute needs a new kernel id.
 *
 * THREADS. A device object may be used from several host threads, each with its own context and queues; calls
 * on a queue come from one thread at a time. CPU kernels share the host's thread pool
 * (tern_host.parallel_for). A backend may have threads of its own, which shutdown joins.
 *
 * MEMORY. Buffers are opaque handles; only the backend knows where the bytes are. Host memory that is passed
 * to copy_to_device is read before the call returns; if it came from host_alloc, it is read before the
 * queue's next event passes. Host memory that copy_to_host writes is written before the next
 * queue_synchronize returns. Freeing is ordered by the queue, so it never waits.
 *
 * PLANS. For the kernel families that a backend asks for (`planned`), the core calls prepare once for each
 * combination of shapes, strides, dtypes and attributes that it meets, keeps the plan, and calls launch_plan
 * with it. In a plan, an algorithm is chosen, a kernel is compiled, or a constant weight is packed. All other
 * families are started by launch, whose arguments the core never hashes.
 */
#ifndef TERN_BACKEND_H
#define TERN_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend_fused.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TERN_BACKEND_ABI_MAJOR 0
#define TERN_BACKEND_ABI_MINOR 3
#define TERN_BACKEND_ABI       ((uint32_t)TERN_BACKEND_ABI_MAJOR << 16 | TERN_BACKEND_ABI_MINOR)

#define TERN_BACKEND_MAX_RANK 16

#if defined(__GNUC__)
#define TERN_BACKEND_EXPORT __attribute__((visibility("default")))
#else
#define TERN_BACKEND_EXPORT
#endif

/*
 * The sanitizer that changes the layout of memory; a host and a plugin with different ones cannot share a
 * process. Undefined-behaviour checks are compatible and do not count.
 */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TERN_BACKEND_SANITIZERS "address"
#elif __has_feature(thread_sanitizer)
#define TERN_BACKEND_SANITIZERS "thread"
#elif __has_feature(memory_sanitizer)
#define TERN_BACKEND_SANITIZERS "memory"
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define TERN_BACKEND_SANITIZERS "address"
#elif defined(__SANITIZE_THREAD__)
#define TERN_BACKEND_SANITIZERS "thread"
#endif
#ifndef TERN_BACKEND_SANITIZERS
#define TERN_BACKEND_SANITIZERS ""
#endif

/* ---- status -------------------------------------------------------------------------------- */

enum {
    TERN_BACKEND_OK = 0,
    TERN_BACKEND_DECLINED = 1,      /* a fused kernel only: nothing was written, decompose */
    TERN_BACKEND_OUT_OF_MEMORY = 2, /* the core empties its cache and tries once more */
    TERN_BACKEND_UNSUPPORTED = 3,
    TERN_BACKEND_INVALID = 4,   /* the core broke the contract */
    TERN_BACKEND_BAD_INDEX = 5, /* this kernel, or an earlier one of the queue, met an index outside
                                   its dimension or an integer division by zero */
    TERN_BACKEND_LOST = 6,      /* the device is gone; every later call fails too */
    TERN_BACKEND_FAILED = 7
};

/* Owned by the caller; a slot that fails writes one line without newline. */
typedef struct tern_backend_error {
    char message[256];
} tern_backend_error;

/* ---- element types, equal to tern_dtype ------------------------------------------------------ */

enum {
    TERN_BT_FLOAT32 = 0,
    TERN_BT_FLOAT64 = 1,
    TERN_BT_FLOAT16 = 2,
    TERN_BT_BFLOAT16 = 3,
    TERN_BT_INT64 = 4,
    TERN_BT_INT32 = 5,
    TERN_BT_INT16 = 6,
    TERN_BT_INT8 = 7,
    TERN_BT_UINT8 = 8,
    TERN_BT_BOOL = 9, /* one byte, 0 or 1 */
    TERN_BT_COUNT = 10,
    /* reserved: no tensor has them yet */
    TERN_BT_COMPLEX64 = 16,
    TERN_BT_COMPLEX128 = 17,
    TERN_BT_UINT16 = 18,
    TERN_BT_UINT32 = 19,
    TERN_BT_UINT64 = 20,
    TERN_BT_FLOAT8_E4M3 = 21,
    TERN_BT_FLOAT8_E5M2 = 22,
    TERN_BT_INT4 = 23 /* two to a byte */
};

/* ---- objects --------------------------------------------------------------------------------- */

typedef struct tern_bdevice tern_bdevice; /* begins with a const vtable pointer */
typedef struct tern_bbuffer tern_bbuffer; /* opaque to the core */
typedef struct tern_bqueue tern_bqueue;   /* opaque to the core */
typedef struct tern_bevent tern_bevent;   /* opaque to the core */
typedef struct tern_bplan tern_bplan;     /* opaque to the core */
typedef struct tern_breplay tern_breplay; /* opaque to the core */

enum {
    TERN_OPERAND_CONTIGUOUS = 1u, /* row-major, without gaps */
    TERN_OPERAND_CONSTANT = 2u,   /* a parameter or buffer that is currently only read (inference):
                                     what a plan derives from it is valid while its stamp stays */
    TERN_OPERAND_ALIASES_OUTPUT = 4u, /* an input that is, element by element, also an output */
    TERN_OPERAND_DEAD = 8u            /* an input that is not read after this launch */
};

enum { TERN_LAYOUT_STRIDED = 0 /* blocked forms later */ };

/*
 * One tensor argument of a kernel: 64 bytes, frozen. Shape and strides count elements, strides are never
 * negative, stride 0 is a broadcast dimension (of inputs alone). The elements of an output never overlap each
 * other; an output may have the same elements as an input. The arrays are valid only during the call: a
 * backend that runs later must copy them.
 *
 * IMMEDIATE. An input of BINARY, TERNARY or MAP, and a g of rank 0 of CROSS_ENTROPY_GRAD, may have no buffer:
 * `buffer` is NULL, rank is 0, and the offset is replaced by the value, which applies at every position: `f`
 * if the dtype is floating, otherwise `i`. The value is already rounded or wrapped to the dtype.
 *
 * STAMP. Identifies the contents of the operand's storage: unique in the process, and renewed when the
 * storage is allocated and whenever it is written. Equal stamps mean equal contents. 0 in an operand that is
 * not constant says nothing about its contents.
 */
typedef struct tern_operand {
    tern_bbuffer *buffer;
    union {
        uint64_t byte_offset; /* of the first element in the buffer */
        double f;
        int64_t i;
    } at;
    int32_t dtype;
    int32_t rank; /* 0 for a scalar */
    const int64_t *shape;
    const int64_t *strides;
    uint32_t flags;        /* TERN_OPERAND_* */
    uint32_t layout;       /* TERN_LAYOUT_* */
    const void *extension; /* NULL; reserved for quantised dtypes */
    uint64_t stamp;
} tern_operand;

/* ---- kernels --------------------------------------------------------------------------------- */

/*
 * A kernel is a family with a member: (TERN_KERNEL_UNARY, TERN_UNARY_EXP). Every backend must have the
 * primitives (ids below 128); the others are fused kernels, which the core can compose of primitives
 * (tern/backend_fused.h).
 *
 * Arithmetic follows PyTorch: integers wrap, float16 and bfloat16 compute in float32 and round once at the
 * end, NaN propagates. Unless stated otherwise, all inputs and outputs of a call have the same shape (the
 * core has broadcast them with stride 0) and the same dtype. MATMUL and REDUCE may write a wider floating
 * dtype than they read (bfloat16 by bfloat16 into float32), if supports returns true.
 */
enum {
    TERN_KERNEL_FILL = 1,          /* out = value */
    TERN_KERNEL_COPY = 2,          /* out = in, between any strides and dtypes */
    TERN_KERNEL_UNARY = 3,         /* out = f(in) */
    TERN_KERNEL_BINARY = 4,        /* out = f(a, b) */
    TERN_KERNEL_TERNARY = 5,       /* out = f(a, b, c) */
    TERN_KERNEL_REDUCE = 6,        /* reduced dimensions have size 1 in out */
    TERN_KERNEL_SCAN = 7,          /* running reductions along one dimension */
    TERN_KERNEL_SORT = 8,          /* values, indices along one dimension, stable */
    TERN_KERNEL_MATMUL = 9,        /* out[b, m, n] = alpha * a[b, m, k] x b[b, k, n] + beta * c */
    TERN_KERNEL_GATHER = 10,       /* out = in[..., index, ...] */
    TERN_KERNEL_SCATTER = 11,      /* out[..., index, ...] = reduce(out, src) */
    TERN_KERNEL_INDEX_SELECT = 12, /* whole slices picked by a 1-dim index */
    TERN_KERNEL_INDEX_ADD = 13,    /* whole slices added at a 1-dim index */
    TERN_KERNEL_INDEX_GET = 14,    /* in[i0, i1, ...] over several index tensors */
    TERN_KERNEL_INDEX_PUT = 15,    /* out[i0, i1, ...] = or += src */
    TERN_KERNEL_NONZERO_COUNT = 16,
    TERN_KERNEL_NONZERO = 17,
    TERN_KERNEL_CONV = 18, /* convolution, forward */
    TERN_KERNEL_CONV_GRAD_INPUT = 19,
    TERN_KERNEL_CONV_GRAD_WEIGHT = 20,
    TERN_KERNEL_MAX_POOL = 21, /* values and indices */
    TERN_KERNEL_MAX_POOL_GRAD = 22,
    TERN_KERNEL_AVG_POOL = 23,
    TERN_KERNEL_AVG_POOL_GRAD = 24,
    TERN_KERNEL_RESIZE = 25, /* interpolation */
    TERN_KERNEL_RESIZE_GRAD = 26
};

/* FILL: no input. The value is given in both forms; the kernel uses the one for its dtype. */
typedef struct tern_fill_attrs {
    double f;
    int64_t i;
} tern_fill_attrs;

/*
 * UNARY members. Only members marked i get integer and bool inputs; for the others the core has converted the
 * input to a floating dtype. Members marked -> bool write bool.
 */
enum {
    TERN_UNARY_NEG = 1,    /* i */
    TERN_UNARY_ABS = 2,    /* i */
    TERN_UNARY_SIGN = 3,   /* i; NaN gives 0, as torch.sign */
    TERN_UNARY_SQUARE = 4, /* i */
    TERN_UNARY_RECIPROCAL = 5,
    TERN_UNARY_SQRT = 6,
    TERN_UNARY_RSQRT = 7,
    TERN_UNARY_EXP = 8,
    TERN_UNARY_EXP2 = 9,
    TERN_UNARY_EXPM1 = 10,
    TERN_UNARY_LOG = 11,
    TERN_UNARY_LOG2 = 12,
    TERN_UNARY_LOG10 = 13,
    TERN_UNARY_LOG1P = 14,
    TERN_UNARY_SIN = 15,
    TERN_UNARY_COS = 16,
    TERN_UNARY_TAN = 17,
    TERN_UNARY_ASIN = 18,
    TERN_UNARY_ACOS = 19,
    TERN_UNARY_ATAN = 20,
    TERN_UNARY_SINH = 21,
    TERN_UNARY_COSH = 22,
    TERN_UNARY_TANH = 23,
    TERN_UNARY_ASINH = 24,
    TERN_UNARY_ACOSH = 25,
    TERN_UNARY_ATANH = 26,
    TERN_UNARY_ERF = 27,
    TERN_UNARY_ERFC = 28,
    TERN_UNARY_ERFINV = 29,
    TERN_UNARY_LGAMMA = 30,
    TERN_UNARY_DIGAMMA = 31,
    TERN_UNARY_FLOOR = 32, /* i */
    TERN_UNARY_CEIL = 33,  /* i */
    TERN_UNARY_TRUNC = 34, /* i */
    TERN_UNARY_ROUND = 35, /* i; half to even */
    TERN_UNARY_FRAC = 36,
    TERN_UNARY_SIGMOID = 37,
    TERN_UNARY_RELU = 38,        /* i; NaN stays NaN */
    TERN_UNARY_LOGICAL_NOT = 39, /* i -> bool */
    TERN_UNARY_BITWISE_NOT = 40, /* i only */
    TERN_UNARY_ISNAN = 41,       /* -> bool */
    TERN_UNARY_ISINF = 42,       /* -> bool */
    TERN_UNARY_ISFINITE = 43,    /* -> bool */
    TERN_UNARY_SIGNBIT = 44,     /* i -> bool */
    TERN_UNARY_LOG_SIGMOID = 45, /* min(x, 0) - log1p(exp(-|x|)) */
    TERN_UNARY_SINC = 46,
    TERN_UNARY_TRIGAMMA = 47
};
typedef struct tern_unary_attrs {
    int32_t fn;
    int32_t reserved;
} tern_unary_attrs;

/* BINARY members. Comparisons and logic write bool. Marks as above. */
enum {
    TERN_BINARY_ADD = 1,       /* i; a + alpha * b, fused in one rounding for floats */
    TERN_BINARY_SUB = 2,       /* i; a - alpha * b, likewise */
    TERN_BINARY_MUL = 3,       /* i; logical and for bool */
    TERN_BINARY_DIV = 4,       /* true division */
    TERN_BINARY_DIV_FLOOR = 5, /* i; toward minus infinity; integer division by zero sets the
                                  queue's error: BAD_INDEX, "ZeroDivisionError" */
    TERN_BINARY_DIV_TRUNC = 6, /* i; likewise */
    TERN_BINARY_REMAINDER = 7, /* i; sign of the divisor (Python's %) */
    TERN_BINARY_FMOD = 8,      /* i; sign of the dividend */
    TERN_BINARY_POW = 9,       /* i; a negative integer exponent gives 0, 1 or -1 as PyTorch */
    TERN_BINARY_MAXIMUM = 10,  /* i; NaN propagates */
    TERN_BINARY_MINIMUM = 11,  /* i */
    TERN_BINARY_FMAX = 12,     /* i; NaN loses */
    TERN_BINARY_FMIN = 13,     /* i */
    TERN_BINARY_ATAN2 = 14,
    TERN_BINARY_HYPOT = 15,
    TERN_BINARY_COPYSIGN = 16,
    TERN_BINARY_NEXTAFTER = 17,
    TERN_BINARY_EQ = 18, /* i -> bool, as are the next five */
    TERN_BINARY_NE = 19,
    TERN_BINARY_LT = 20,
    TERN_BINARY_LE = 21,
    TERN_BINARY_GT = 22,
    TERN_BINARY_GE = 23,
    TERN_BINARY_LOGICAL_AND = 24, /* i -> bool */
    TERN_BINARY_LOGICAL_OR = 25,
    TERN_BINARY_LOGICAL_XOR = 26,
    TERN_BINARY_BITWISE_AND = 27, /* i only, as are the next four */
    TERN_BINARY_BITWISE_OR = 28,
    TERN_BINARY_BITWISE_XOR = 29,
    TERN_BINARY_SHIFT_LEFT = 30,
    TERN_BINARY_SHIFT_RIGHT = 31,
    TERN_BINARY_GCD = 32,
    TERN_BINARY_LCM = 33,
    TERN_BINARY_XLOGY = 34,
    TERN_BINARY_LOGADDEXP = 35,
    TERN_BINARY_LOGADDEXP2 = 36,
    TERN_BINARY_HEAVISIDE = 37 /* i */
};
typedef struct tern_binary_attrs {
    int32_t fn;
    int32_t reserved;
    double alpha;    /* of ADD and SUB for floating dtypes */
    int64_t alpha_i; /* of ADD and SUB for integers */
} tern_binary_attrs;

/* TERNARY members. */
enum {
    TERN_TERNARY_WHERE = 1,   /* a is bool: a ? b : c; i */
    TERN_TERNARY_CLAMP = 2,   /* min(max(a, b), c); NaN in any operand gives NaN; i */
    TERN_TERNARY_ADDCMUL = 3, /* fma(value * b, c, a); i */
    TERN_TERNARY_ADDCDIV = 4, /* a + ((value * b) / c) */
    TERN_TERNARY_LERP = 5     /* |c| < 0.5: fma(c, b - a, a), else fma(c - 1, b - a, b) */
};
typedef struct tern_ternary_attrs {
    int32_t fn;
    int32_t reserved;
    double value;
    int64_t value_i;
} tern_ternary_attrs;

/*
 * REDUCE members. dims is a bit mask of the dimensions reduced (bit d for dimension d). Rank 0 is reduced
 * with mask 0. A reduction is over at least one element; the core handles empty ones by FILL.
 */
enum {
    TERN_REDUCE_SUM = 1, /* i to int64 (the core converts first); float16/bfloat16 add in float32 */
    TERN_REDUCE_PROD = 2, /* likewise */
    TERN_REDUCE_MAX = 3,  /* i; NaN propagates */
    TERN_REDUCE_MIN = 4,
    TERN_REDUCE_ARGMAX = 5, /* out int64: the first position of the maximum (NaN is greatest), in
                               row-major order of the reduced dimensions */
    TERN_REDUCE_ARGMIN = 6,
    TERN_REDUCE_ANY = 7, /* i -> bool */
    TERN_REDUCE_ALL = 8, /* i -> bool */
    TERN_REDUCE_VAR = 9, /* sum((x - mean)^2) / (n - correction), two passes or Welford */
    /* (sum |x|^p)^(1/p) with p = value: 0 counts, inf and -inf max and min */
    TERN_REDUCE_NORM = 10,
    /* Optional, for floating dtypes only: SUM divided by the number of its elements. The count and the
     * quotient are rounded to the dtype that SUM adds in, the result to that of out. */
    TERN_REDUCE_MEAN = 11
};
typedef struct tern_reduce_attrs {
    int32_t fn;
    uint32_t dims;
    double value; /* VAR: the correction; NORM: p */
} tern_reduce_attrs;

/* SCAN members: out, and for CUMMAX and CUMMIN a second output of int64 indices (the last on
 * ties). */
enum {
    TERN_SCAN_CUMSUM = 1,
    TERN_SCAN_CUMPROD = 2,
    TERN_SCAN_CUMMAX = 3,
    TERN_SCAN_CUMMIN = 4,
    TERN_SCAN_LOGCUMSUMEXP = 5
};
typedef struct tern_scan_attrs {
    int32_t fn;
    int32_t dim;
} tern_scan_attrs;

/* SORT: outputs values and int64 indices. Stable; NaN is the greatest. */
typedef struct tern_sort_attrs {
    int32_t dim;
    int32_t descending; /* 0 or 1 */
} tern_sort_attrs;

/*
 * MATMUL: inputs a [b.., m, k], b [b.., k, n] and, where there are three, c broadcast to out; all of out's
 * rank (2 or more). If beta is 0, c's values are ignored, even NaN. alpha_i and beta_i are for integers.
 */
typedef struct tern_matmul_attrs {
    double alpha;
    double beta;
    int64_t alpha_i;
    int64_t beta_i;
} tern_matmul_attrs;

/* How SCATTER and INDEX_PUT combine values; the core computes a mean as a sum and a count. */
enum {
    TERN_SCATTER_SET = 0, /* which of several writes wins is left open, except: the last in
                             row-major order on a device of speed class reference */
    TERN_SCATTER_ADD = 1,
    TERN_SCATTER_MUL = 2,
    TERN_SCATTER_MAX = 3,
    TERN_SCATTER_MIN = 4
};

/*
 * GATHER: inputs in, index (int64, out's shape); out[i][j] = in[index[i][j]][j] for dim 0. SCATTER: inputs
 * index (int64), src (index's shape or larger); out is read and written. INDEX_SELECT: inputs in, index
 * (int64, 1-dim). INDEX_ADD: inputs index, src; out += alpha * src. An index outside [0, size) sets the
 * queue's error; nothing is read or written for it.
 */
typedef struct tern_index_attrs {
    int32_t dim;
    int32_t reduce; /* SCATTER alone */
    double alpha;   /* INDEX_ADD alone */
    int64_t alpha_i;
} tern_index_attrs;

/*
 * INDEX_GET: inputs in, then count int64 index tensors, all of one shape I of rank r, for the
 * dimensions first .. first+count-1 of in; out has in's shape with those dimensions replaced by I.
 * INDEX_PUT: inputs src (of that shape), then the index tensors; out is read and written.
 * Indices may be negative down to -size.
 */
typedef struct tern_multi_index_attrs {
    int32_t first;
    int32_t count;
    int32_t reduce; /* INDEX_PUT: TERN_SCATTER_SET or _ADD */
    int32_t reserved;
} tern_multi_index_attrs;

/* NONZERO_COUNT: in -> one int64. NONZERO: in -> int64 [count, rank], row-major order. No attrs. */

/*
 * CONV: inputs x [n, c, spatial...], w [o, c/groups, k...] and, where there are three, a bias [o] -> out [n,
 * o, ...], spatial 1 to 3. float16 and bfloat16 add the bias before they round. CONV_GRAD_INPUT: inputs
 * grad_out, w -> grad of x; it is also used for transposed convolutions, and therefore may have a bias [c] as
 * well. CONV_GRAD_WEIGHT: inputs grad_out, x -> grad of w. If supports refuses three inputs, the core adds
 * the bias.
 */
typedef struct tern_conv_attrs {
    int32_t spatial;
    int32_t groups;
    int64_t stride[3];
    int64_t padding[3];
    int64_t dilation[3];
} tern_conv_attrs;

/*
 * MAX_POOL: x [n, c, spatial...] -> values, int64 indices into the flattened spatial input. MAX_POOL_GRAD:
 * inputs grad_out, indices, each within the window of its element -> grad of x, zeroed by the kernel. AVG_POOL
 * averages windows, AVG_POOL_GRAD spreads the gradient over them; divisor 0 means the number of elements in the
 * window.
 */
typedef struct tern_pool_attrs {
    int32_t spatial;
    int32_t count_include_pad;
    int64_t kernel[3];
    int64_t stride[3];
    int64_t padding[3];
    int64_t dilation[3];
    int64_t divisor;
} tern_pool_attrs;

/* RESIZE: x [n, c, spatial...] -> out. RESIZE_GRAD: grad_out -> grad of x. */
enum {
    TERN_RESIZE_NEAREST = 0,
    TERN_RESIZE_NEAREST_EXACT = 1,
    TERN_RESIZE_LINEAR = 2, /* linear, bilinear, trilinear */
    TERN_RESIZE_CUBIC = 3
};
typedef struct tern_resize_attrs {
    int32_t spatial;
    int32_t mode;
    int32_t align_corners;
    int32_t reserved;
    double scale[3]; /* the user's scale factors, 0 where sizes were given */
} tern_resize_attrs;

/*
 * MAP: a program, which is a sequence of steps without branches, applied at every position of each tuple.
 *
 * VALUES are numbered: first the inputs, then the constants, then the results of the steps. A step reads only
 * values with lower numbers than its own result. Outputs are given as values.
 *
 * TYPES. A program computes in one dtype: float64 if any operand is float64, int64 (wrapping) if no operand
 * is floating, otherwise float32. Inputs and outputs may have any dtypes; loading and storing converts like
 * COPY. Bools load as 0 and 1; comparisons, logical steps and tests such as ISNAN give 0 or 1.
 *
 * ROUNDING. Every step rounds to the dtype of the program, as its family does with operands of that dtype.
 * Constants are rounded to it when they are read. A COPY step rounds further: to the dtype given as its
 * member, and back. Multiplications and additions are fused only within a single step: ADD, SUB, ADDCMUL,
 * ADDCDIV (their last source is the factor; -1 stands for 1) and LERP.
 *
 * TUPLES. The inputs of a launch are those of the first tuple, then of the second, and so on; likewise the
 * outputs. All operands of a tuple have the same shape; different tuples may have different shapes. Operands
 * at the same place have the same dtype in all tuples, and are buffers or immediates in all of them; an
 * immediate's value may differ between tuples. There may be any number of tuples, in no particular order: no
 * tuple reads or writes what another one writes. supports and prepare see one tuple, with `fn` the number of
 * steps. A plan is valid for all tuples of its program and dtypes, whatever their shapes.
 *
 * SKIPPING. A launch with TERN_MAP_SKIPS writes nothing if the queue's error is set when it runs: it updates
 * weights, which must not be changed by the consequences of a bad index. The kernel reads the four bytes of
 * skip_flag; they belong to the backend and are not an operand. A device without queues has already failed
 * the launch with the error, and needs no check.
 */
enum { TERN_MAP_SKIPS = 1u };

typedef struct tern_map_step {
    int16_t family;    /* TERN_KERNEL_UNARY, _BINARY, _TERNARY or _COPY */
    int16_t fn;        /* its member; of COPY a dtype */
    int16_t source[4]; /* values; -1 where there is none */
} tern_map_step;

typedef union tern_map_constant {
    double f;  /* of a floating program */
    int64_t i; /* of an int64 program */
} tern_map_constant;

/* What launch gets: this struct, followed by the constants, the steps and the outputs' values. */
typedef struct tern_map_attrs {
    int32_t compute; /* TERN_BT_FLOAT32, _FLOAT64 or _INT64 */
    int32_t n_inputs;
    int32_t n_outputs;
    int32_t n_constants;
    int32_t n_steps;
    uint32_t flags; /* TERN_MAP_* */
} tern_map_attrs;

static inline const tern_map_constant *tern_map_constants(const tern_map_attrs *attrs) {
    return (const tern_map_constant *)(const void *)(attrs + 1);
}
static inline const tern_map_step *tern_map_steps(const tern_map_attrs *attrs) {
    return (const tern_map_step *)(const void *)(tern_map_constants(attrs) + attrs->n_constants);
}
static inline const int16_t *tern_map_outputs(const tern_map_attrs *attrs) {
    return (const int16_t *)(const void *)(tern_map_steps(attrs) + attrs->n_steps);
}

/* A product with a program as its epilogue; the program's constants, steps and outputs follow, as in MAP. */
typedef struct tern_matmul_map_attrs {
    tern_matmul_attrs product;
    int32_t n_operands; /* of the product: 2 or 3 */
    int32_t reserved;
    tern_map_attrs program;
} tern_matmul_map_attrs;
typedef struct tern_conv_map_attrs {
    tern_conv_attrs product;
    int32_t n_operands;
    int32_t reserved;
    tern_map_attrs program;
} tern_conv_map_attrs;

/* The argument of supports(). `fn` is the member of the family, 0 if it has no members. */
typedef struct tern_kernel_query {
    uint32_t struct_size;
    int32_t kernel;
    int32_t fn;
    int32_t n_inputs;
    int32_t n_outputs;
    uint32_t attrs_size; /* what the core will pass to launch */
    const int32_t *input_dtypes;
    const int32_t *output_dtypes;
} tern_kernel_query;

/* The argument of prepare: like that of supports, with the operands without their buffers: dtype, shape,
 * strides, flags, layout; and stamp if the operand is constant, else 0. */
typedef struct tern_plan_query {
    uint32_t struct_size;
    int32_t kernel;
    int32_t fn;
    int32_t n_inputs;
    int32_t n_outputs;
    uint32_t attrs_size;
    const tern_operand *inputs;
    const tern_operand *outputs;
    const void *attrs;
} tern_plan_query;

/* ---- what the host gives -------------------------------------------------------------------- */

enum { TERN_BACKEND_LOG_DEBUG = 0, TERN_BACKEND_LOG_INFO = 1, TERN_BACKEND_LOG_WARNING = 2 };

typedef struct tern_host {
    uint32_t struct_size;
    uint32_t abi;
    /* Host memory, aligned to 64 bytes; NULL if memory is exhausted. Any thread. free accepts NULL. */
    void *(*alloc)(size_t bytes);
    void (*free)(void *memory);
    /* One line without newline. Any thread. */
    void (*log)(int level, const char *message);
    /* How many threads may work on one parallel_for, including the caller (TERN_NUM_THREADS, else the CPUs
     * that the process may use). Any thread. */
    int (*thread_count)(void);
    /* Calls fn(arg, begin, end) for [0, grain), [grain, 2 * grain) and so on up to n, on the threads of the
     * process's one pool and on the calling one, and returns when all have returned. The chunks depend only
     * on n and grain, never on the number of threads; their order and their threads are unspecified. n <= 0
     * calls nothing, a grain below 1 counts as 1. Any thread, several at once; a call from within a chunk
     * runs in that thread. fn must return (no longjmp) and must not fork; it may block only briefly, since
     * others wait for the thread. */
    void (*parallel_for)(int64_t n, int64_t grain,
                         void (*fn)(void *arg, int64_t begin, int64_t end), void *arg);
} tern_host;

/* ---- what a backend gives ------------------------------------------------------------------- */

enum { TERN_SPEED_REFERENCE = 0, TERN_SPEED_FAST = 1 };
enum { TERN_DEVICE_CPU = 0, TERN_DEVICE_GPU = 1, TERN_DEVICE_ACCELERATOR = 2 };

/* One device as enumerate() finds it. Text is UTF-8, cut to fit, always terminated. */
typedef struct tern_device_info {
    uint32_t struct_size;
    int32_t type;
    char name[64];     /* "NVIDIA H200" */
    char identity[64]; /* a UUID or a full PCI address, "" where there is none */
    uint64_t memory_bytes;
} tern_device_info;

#define TERN_PLANNED_WORDS 4

/*
 * A device's functions. Functions marked (optional) may be NULL. `err` is never NULL. Every function may be
 * called from any thread, with one thread at a time per queue; only queue_synchronize, event_synchronize,
 * queue_destroy and close may wait for the device's work. `queue` is NULL if and only if the device has no
 * queues: then the work is complete when the call returns.
 */
typedef struct tern_bdevice_vtable {
    uint32_t struct_size;
    uint32_t alignment; /* of every buffer, and of what the core cuts from one; a power of two */
    uint32_t speed;     /* TERN_SPEED_* */
    uint32_t reserved;
    uint64_t largest_allocation;          /* bytes; 0 means no limit */
    uint64_t suballocation;               /* tensors up to this size share buffers; 0: never */
    uint64_t planned[TERN_PLANNED_WORDS]; /* bit k % 64 of word k / 64: kernel family k has plans */

    /* Waits for the device's work and frees the device. All its buffers, plans, queues and events have been
     * freed before. */
    void (*close)(tern_bdevice *device);

    /* ---- memory ---- */

    /* Raw memory of `bytes` > 0, uninitialised. Never blocks; on OUT_OF_MEMORY the core frees its cache and
     * tries once more. */
    int32_t (*buffer_alloc)(tern_bdevice *device, uint64_t bytes, tern_bbuffer **out_buffer,
                            tern_backend_error *err);

    /* Never gets NULL and never blocks: earlier work in `queue` may still use the buffer, so the backend
     * frees it after that work. The core has already ordered the work of other queues before it. */
    void (*buffer_free)(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *buffer);

    /* A buffer over memory that belongs to the program (optional). The core releases that memory when the
     * buffer has been freed and the queue's earlier work is done. */
    int32_t (*buffer_import)(tern_bdevice *device, void *memory, uint64_t bytes,
                             tern_bbuffer **out_buffer, tern_backend_error *err);

    /* Free and total bytes (optional). The core's cache stays below the total. */
    int32_t (*memory_info)(tern_bdevice *device, uint64_t *out_free, uint64_t *out_total,
                           tern_backend_error *err);

    /* Host memory from which the device copies without the host's help (optional, both or none). NULL if
     * memory is exhausted; host_free never gets NULL, and is called when no copy from the memory is in
     * flight. */
    void *(*host_alloc)(tern_bdevice *device, uint64_t bytes);
    void (*host_free)(tern_bdevice *device, void *memory);

    /* ---- copies of raw bytes ---- */

    int32_t (*copy_to_device)(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *dst,
                              uint64_t dst_offset, const void *src, uint64_t bytes,
                              tern_backend_error *err);
    int32_t (*copy_to_host)(tern_bdevice *device, tern_bqueue *queue, void *dst, tern_bbuffer *src,
                            uint64_t src_offset, uint64_t bytes, tern_backend_error *err);

    /* Copies from another device of this backend into this one (optional), in the order of `queue`, which
     * belongs to this device; the core has made it wait for the work on `src_device` that writes the source,
     * and makes that device wait before it changes the source. Returns UNSUPPORTED if these two devices
     * cannot copy directly: the core then copies through the host. */
    int32_t (*copy_between)(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *dst,
                            uint64_t dst_offset, tern_bdevice *src_device, tern_bbuffer *src,
                            uint64_t src_offset, uint64_t bytes, tern_backend_error *err);

    /* ---- queues and events: all nine or none (optional) ---- */

    /* Work on one queue runs in order. The core makes up to two queues per context: one for kernels, one for
     * uploads that overlap with them. */
    int32_t (*queue_create)(tern_bdevice *device, tern_bqueue **out_queue, tern_backend_error *err);
    void (*queue_destroy)(tern_bdevice *device, tern_bqueue *queue); /* waits for its work */
    int32_t (*queue_synchronize)(tern_bdevice *device, tern_bqueue *queue, tern_backend_error *err);
    int32_t (*event_create)(tern_bdevice *device, tern_bevent **out_event, tern_backend_error *err);
    void (*event_destroy)(tern_bdevice *device, tern_bevent *event);
    /* The event passes when all work that is now in the queue is done. Recording it again resets it; an
     * earlier wait still waits for the earlier record. An event that was never recorded counts as passed. */
    int32_t (*event_record)(tern_bdevice *device, tern_bqueue *queue, tern_bevent *event,
                            tern_backend_error *err);
    /* Later work of `queue` waits for the event, without blocking the host. The event may belong to another
     * device of this backend. */
    int32_t (*event_wait)(tern_bdevice *device, tern_bqueue *queue, tern_bevent *event,
                          tern_backend_error *err);
    int32_t (*event_synchronize)(tern_bdevice *device, tern_bevent *event, tern_backend_error *err);
    /* Whether the event has passed. Never blocks; a device that starts work lazily must start it now. */
    int32_t (*event_query)(tern_bdevice *device, tern_bevent *event, int32_t *out_passed,
                           tern_backend_error *err);

    /* ---- errors of kernels ---- */

    /* Returns and resets the error that kernels of this queue have set since the last call (a bad index, an
     * integer division by zero): TERN_BACKEND_OK or BAD_INDEX with a message (optional). Devices whose launch
     * returns before the work is done report the error here or from queue_synchronize; other devices return
     * BAD_INDEX from launch itself, so that the error reaches the thread that caused it. */
    int32_t (*take_error)(tern_bdevice *device, tern_bqueue *queue, tern_backend_error *err);

    /* Where kernels can read that error: four bytes that are nonzero once a kernel of the queue has met an
     * error (optional). Kernels that update weights then write nothing. The buffer belongs to the backend and
     * lives as long as the queue. */
    int32_t (*skip_flag)(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer **out_buffer,
                         uint64_t *out_offset, tern_backend_error *err);

    /* ---- kernels ---- */

    /* True if launch or prepare accepts the call; otherwise false and a static text with the reason. Depends
     * only on the query, since the core may cache the answer. Never blocks. */
    bool (*supports)(tern_bdevice *device, const tern_kernel_query *query, const char **out_reason);

    /* Starts a kernel. No operand is empty. A fused kernel may return DECLINED before it writes anything. */
    int32_t (*launch)(tern_bdevice *device, tern_bqueue *queue, int32_t kernel,
                      const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                      int32_t n_outputs, const void *attrs, uint32_t attrs_size,
                      tern_backend_error *err);

    /* ---- plans: all three or none (optional) ---- */

    /* Makes a plan and returns how many bytes of workspace a launch of it needs (0: none). What the query
     * points to is valid only during the call. A fused kernel may return DECLINED: the core then composes it.
     * UNSUPPORTED, with a reason: shapes that this device cannot do. OUT_OF_MEMORY: the core uses launch. May
     * block (a compiler may run), and may be called from any thread. */
    int32_t (*prepare)(tern_bdevice *device, const tern_plan_query *query, tern_bplan **out_plan,
                       uint64_t *out_workspace, tern_backend_error *err);

    /* Starts a planned kernel: the operands are as prepare saw them, now with buffers. A constant may have
     * another stamp: then derive again what depends on its contents. `workspace` is NULL if the plan needs
     * none; it is aligned like a buffer, uninitialised, and reused by the core in the queue's order. */
    int32_t (*launch_plan)(tern_bdevice *device, tern_bqueue *queue, tern_bplan *plan,
                           const tern_operand *inputs, int32_t n_inputs,
                           const tern_operand *outputs, int32_t n_outputs, tern_bbuffer *workspace,
                           uint64_t workspace_offset, tern_backend_error *err);

    /* Never gets NULL and never blocks: what queued work still needs of the plan is freed after that work. */
    void (*plan_free)(tern_bdevice *device, tern_bplan *plan);

    /* ---- replays: all three or none (optional) ---- */

    /* Between these two come the launches of a replay: those of its last run once more, in the same order, with
     * other buffers, offsets and immediates at most. A device that records work may start them together at the
     * end, or where another call on the queue needs them. `*replay` is the device's, NULL at the first run, and
     * stays NULL where the device keeps nothing. A run may end early, after an error. */
    int32_t (*replay_begin)(tern_bdevice *device, tern_bqueue *queue, tern_breplay **replay,
                            tern_backend_error *err);
    int32_t (*replay_end)(tern_bdevice *device, tern_bqueue *queue, tern_breplay *replay,
                          tern_backend_error *err);
    /* Never gets NULL and never blocks. */
    void (*replay_free)(tern_bdevice *device, tern_bqueue *queue, tern_breplay *replay);
} tern_bdevice_vtable;

struct tern_bdevice {
    const tern_bdevice_vtable *vtable;
};

/* A backend. Filled in by tern_backend_query; texts are static. */
typedef struct tern_backend_desc {
    uint32_t struct_size;
    uint32_t abi;           /* the ABI that the backend was built for */
    const char *name;       /* "cpu_ref": equals the manifest's device or variant */
    const char *version;    /* "0.1.0" */
    const char *build_id;   /* compiler and flags, for reports */
    const char *sanitizers; /* TERN_BACKEND_SANITIZERS: must equal the host's */
    uint32_t speed;         /* TERN_SPEED_* */
    uint32_t can_unload;    /* 0 or 1: dlclose is safe after shutdown */

    /* The number of devices, and a description of each; `index` < count. May start a driver. */
    int32_t (*device_count)(int32_t *out_count, tern_backend_error *err);
    int32_t (*device_info)(int32_t index, tern_device_info *out_info, tern_backend_error *err);
    int32_t (*device_open)(int32_t index, tern_bdevice **out_device, tern_backend_error *err);

    /* Joins the backend's threads (optional). No device is open by then; the core may query again later. */
    void (*shutdown)(void);

    /* One line for reports about what the backend uses of this machine beside its devices: libraries, their versions,
     * or why one is not used (optional). Called behind device_count; may take a while. */
    void (*tell_libraries)(char *out_text, size_t size);
} tern_backend_desc;

/*
 * The one exported symbol. `host` outlives the backend; `out_desc->struct_size` holds the size the host
 * knows, and the backend writes no more than that. Returns TERN_BACKEND_OK, or UNSUPPORTED with a message if
 * it does not support `host_abi`. Must not start a driver.
 */
typedef int32_t (*tern_backend_query_fn)(uint32_t host_abi, const tern_host *host,
                                         tern_backend_desc *out_desc, tern_backend_error *err);
#define TERN_BACKEND_QUERY_SYMBOL "tern_backend_query"

/* A static build renames the symbol for each backend. */
#ifndef TERN_BACKEND_QUERY_NAME
#define TERN_BACKEND_QUERY_NAME tern_backend_query
#endif
TERN_BACKEND_EXPORT int32_t TERN_BACKEND_QUERY_NAME(uint32_t host_abi, const tern_host *host,
                                                    tern_backend_desc *out_desc,
                                                    tern_backend_error *err);

/* ---- layout checks --------------------------------------------------------------------------- */

#ifdef __cplusplus
#define TERN_BACKEND_ASSERT static_assert
#else
#define TERN_BACKEND_ASSERT _Static_assert
#endif
#if UINTPTR_MAX == UINT64_MAX
TERN_BACKEND_ASSERT(sizeof(tern_operand) == 64, "tern_operand layout");
TERN_BACKEND_ASSERT(offsetof(tern_operand, shape) == 24, "tern_operand layout");
TERN_BACKEND_ASSERT(offsetof(tern_operand, stamp) == 56, "tern_operand layout");
TERN_BACKEND_ASSERT(sizeof(tern_kernel_query) == 40, "tern_kernel_query layout");
TERN_BACKEND_ASSERT(sizeof(tern_plan_query) == 48, "tern_plan_query layout");
TERN_BACKEND_ASSERT(sizeof(tern_device_info) == 144, "tern_device_info layout");
TERN_BACKEND_ASSERT(sizeof(tern_host) == 48, "tern_host layout");
TERN_BACKEND_ASSERT(sizeof(tern_backend_desc) == 88, "tern_backend_desc layout");
TERN_BACKEND_ASSERT(offsetof(tern_bdevice_vtable, close) == 64, "tern_bdevice_vtable layout");
TERN_BACKEND_ASSERT(sizeof(tern_bdevice_vtable) == 296, "tern_bdevice_vtable layout");
#endif
TERN_BACKEND_ASSERT(sizeof(tern_binary_attrs) == 24, "tern_binary_attrs layout");
TERN_BACKEND_ASSERT(sizeof(tern_conv_attrs) == 80, "tern_conv_attrs layout");
TERN_BACKEND_ASSERT(sizeof(tern_map_attrs) == 24, "tern_map_attrs layout");
TERN_BACKEND_ASSERT(sizeof(tern_map_step) == 12, "tern_map_step layout");
TERN_BACKEND_ASSERT(sizeof(tern_matmul_map_attrs) == 64, "tern_matmul_map_attrs layout");
TERN_BACKEND_ASSERT(sizeof(tern_conv_map_attrs) == 112, "tern_conv_map_attrs layout");

#ifdef __cplusplus
}
#endif

#endif
