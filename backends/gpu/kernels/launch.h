/*
 * launch.h: what a launch hands to a kernel beside its buffers, for the host and for kernels.
 *
 * Every struct here goes by value. OpenCL guarantees 1,024 bytes of arguments, pointers among them, and
 * launch.c asserts that none comes near. Offsets and strides count elements. Numbers of the kernel's own
 * type travel as bits in an i64 (number_of).
 */
#define GPU_RANK 16

/* Shapes and strides of up to three operands over the same positions. */
typedef struct gpu_dims {
    i64 rank;
    i64 shape[GPU_RANK];
    i64 stride[3][GPU_RANK];
} gpu_dims;

/* FILL, COPY. */
typedef struct gpu_copy_launch {
    i64 count, rank, in_at, out_at, value;
    i32 in_dtype, out_dtype;
    i64 shape[GPU_RANK], in[GPU_RANK], out[GPU_RANK];
} gpu_copy_launch;

/*
 * A program of MAP with up to so many buffers and dimensions, for the interpreter. `words` are immediates,
 * constants, steps (a code of 16 bits, four sources of 8) and the values that are the outputs.
 */
#define GPU_INTERPRET_BUFFERS 6
#define GPU_INTERPRET_RANK    5
#define GPU_INTERPRET_VALUES  96
#define GPU_INTERPRET_WORDS   64
#define GPU_INTERPRET_SCALED  2048 /* in a code: the member takes a factor */
typedef struct gpu_interpret_launch {
    i64 count, dtypes; /* of buffers: 4 bits each */
    i32 rank, inputs, constants, steps, outputs, skips, immediates, reserved;
    i64 at[GPU_INTERPRET_BUFFERS];
    i64 shape[GPU_INTERPRET_RANK], stride[GPU_INTERPRET_BUFFERS][GPU_INTERPRET_RANK];
    i64 words[GPU_INTERPRET_WORDS];
} gpu_interpret_launch;

/* REDUCE: the dimensions that stay and those that go. */
typedef struct gpu_reduce_launch {
    i64 kept, reduced;
    i64 kept_rank, reduced_rank;
    i64 in_at, out_at;
    i64 value; /* VAR: the correction; NORM: p */
    i64 kept_shape[GPU_RANK], kept_in[GPU_RANK], kept_out[GPU_RANK];
    i64 reduced_shape[GPU_RANK], reduced_in[GPU_RANK];
} gpu_reduce_launch;

/* Strides of an index that is two: i / size of the inner one, i % that size. */
typedef struct gpu_steps {
    i64 outer, inner;
} gpu_steps;

/*
 * MATMUL: a [m, k], b [k, n], c and out [m, n], over the positions of the leading dimensions. Rows and k may
 * be two dimensions in one, as the steps and rows of a sequence are.
 */
typedef struct gpu_product_launch {
    i64 m, n, k, m_inner, k_inner;
    i64 rank;
    i64 a_at, b_at, c_at, out_at;
    gpu_steps a_row, a_k, b_k, out_row;
    i64 b_column, c_row, c_column, out_column;
    i64 alpha, beta;
    i64 shape[GPU_RANK - 2], a[GPU_RANK - 2], b[GPU_RANK - 2], c[GPU_RANK - 2], out[GPU_RANK - 2];
} gpu_product_launch;

/* An image [n, c, depth, height, width]. */
typedef struct gpu_image {
    i64 at;
    i64 size[5];
    i64 stride[5];
} gpu_image;

/* A window that slides over an image. */
typedef struct gpu_window {
    i64 taps[3], stride[3], padding[3], dilation[3];
} gpu_window;

/* CONV and its gradients: x, w [o, c / groups, kernel...] and out, one of which is written. */
typedef struct gpu_conv_launch {
    gpu_image x, w, out;
    gpu_window window;
    i64 groups, bias_at, bias_stride;
} gpu_conv_launch;

/*
 * MATMUL_MAP, CONV_MAP: constants as bits, and the program's other inputs: over up to three leading dimensions,
 * rows and columns of a product, or over [n, c, depth, height, width].
 */
#define GPU_EXTRAS           3
#define GPU_EPILOGUE_NUMBERS 8
typedef struct gpu_epilogue_launch {
    i64 at[GPU_EXTRAS], stride[GPU_EXTRAS][5];
    i64 c[GPU_EPILOGUE_NUMBERS];
} gpu_epilogue_launch;

/* Pooling: x or its gradient, out or its gradient, the positions of maxima. */
typedef struct gpu_pool_launch {
    gpu_image x, out, index;
    gpu_window window;
    i64 divisor, counts_padding;
} gpu_pool_launch;

/* RESIZE: scale is how far one step in out goes in x, as bits; of float32 for NEAREST. */
typedef struct gpu_resize_launch {
    gpu_image x, out;
    i64 scale[3];
} gpu_resize_launch;

/*
 * Along one dimension: lines of `length` elements, over the positions of the others. Of a tensor the
 * stride along the line stands apart.
 */
typedef struct gpu_line_launch {
    i64 lines, length;
    i64 step[3], at[3];
    i64 value[2];
    gpu_dims outer;
} gpu_line_launch;

/* GATHER, SCATTER and the like: `size` of the dimension that the index names. */
typedef struct gpu_index_launch {
    i64 count, length, size, dim;
    i64 step[3], at[3]; /* along the dimension */
    i64 alpha;
    gpu_dims outer;
} gpu_index_launch;

/* INDEX_GET, INDEX_PUT. `large` has dimensions that indices name, `small` those of the indices. */
typedef struct gpu_pick_launch {
    i64 picks, slices; /* positions of the indices, and of the other dimensions */
    i64 large_at, small_at;
    i64 pick_rank, slice_rank;
    i64 pick_shape[GPU_RANK], pick_small[GPU_RANK];
    i64 slice_shape[GPU_RANK], slice_small[GPU_RANK], slice_large[GPU_RANK];
} gpu_pick_launch;

/* One index tensor of INDEX_GET: its part is added to the offsets that `table` holds. */
typedef struct gpu_resolve_launch {
    i64 picks, rank, at, size, stride, dim, first;
    i64 shape[GPU_RANK], index[GPU_RANK];
} gpu_resolve_launch;

/* NONZERO. */
typedef struct gpu_nonzero_launch {
    i64 count, rank, in_at, out_at, rows, row_step, column_step;
    i64 shape[GPU_RANK], in[GPU_RANK];
} gpu_nonzero_launch;

/* CROSS_ENTROPY: of each operand where it begins, and its strides over n, m and the classes. */
enum {
    GPU_ENTROPY_X,
    GPU_ENTROPY_TARGET,
    GPU_ENTROPY_WEIGHT,
    GPU_ENTROPY_MOST,
    GPU_ENTROPY_LOG,
    GPU_ENTROPY_TOTAL,
    GPU_ENTROPY_LOSS, /* or the gradient of x */
    GPU_ENTROPY_G,
    GPU_ENTROPY_OPERANDS
};
typedef struct gpu_entropy_launch {
    i64 elements, classes, width;
    i64 ignored, smoothing;
    i64 has_g, g; /* a gradient without a buffer is a number */
    i64 at[GPU_ENTROPY_OPERANDS], row[GPU_ENTROPY_OPERANDS];
    i64 column[GPU_ENTROPY_OPERANDS], step[GPU_ENTROPY_OPERANDS];
} gpu_entropy_launch;

/* NORM: the positions that stay, and the rest below each; four operands have a place in both. */
#define GPU_NORM_RANK 8
typedef struct gpu_norm_launch {
    i64 kept, rest, kept_rank, rest_rank;
    i64 eps, wants; /* forward: whether var; of the weight: 1 its gradient, 2 that of the bias */
    i64 at[7];
    i64 kept_shape[GPU_NORM_RANK], kept_stride[7][GPU_NORM_RANK];
    i64 rest_shape[GPU_NORM_RANK], rest_stride[4][GPU_NORM_RANK];
} gpu_norm_launch;

/* Rows of a tensor [b, heads, rows, columns]. */
typedef struct gpu_rows {
    i64 at, stride[4];
} gpu_rows;

/* ATTENTION: h heads of q, `shared` of them to one of k and v; l queries of e, s keys of e, s values of f. */
typedef struct gpu_attention_launch {
    i64 h, shared, l, s, e, f, scale;
    gpu_rows q, k, v, mask, g, out, lse, dq, dk, dv;
} gpu_attention_launch;

/* RECURRENT and its gradient: operands as [t, n, columns], with strides of 0 where they have less. */
enum {
    GPU_RECURRENT_X,
    GPU_RECURRENT_H0,
    GPU_RECURRENT_C0,
    GPU_RECURRENT_W,
    GPU_RECURRENT_U,
    GPU_RECURRENT_B,
    GPU_RECURRENT_D,
    GPU_RECURRENT_Y,
    GPU_RECURRENT_GATES,
    GPU_RECURRENT_CELLS,
    GPU_RECURRENT_DY,
    GPU_RECURRENT_DH,
    GPU_RECURRENT_DC,
    GPU_RECURRENT_DX,
    GPU_RECURRENT_DH0,
    GPU_RECURRENT_DC0,
    GPU_RECURRENT_DW,
    GPU_RECURRENT_DU,
    GPU_RECURRENT_DB,
    GPU_RECURRENT_DD,
    GPU_RECURRENT_OPERANDS
};
typedef struct gpu_recurrent_launch {
    i64 t, n, i, h; /* steps, rows, inputs, hidden units */
    i64 biased, reverse;
    i64 at[GPU_RECURRENT_OPERANDS], stride[GPU_RECURRENT_OPERANDS][3];
} gpu_recurrent_launch;

/* The first error of a queue's kernels; `kind` says what the numbers mean. */
typedef struct gpu_flag {
    i32 state; /* not 0 once there is one */
    i32 kind;
    i64 index, dim, size;
} gpu_flag;
#define GPU_BAD_INDEX     1
#define GPU_BAD_SLICE     2
#define GPU_BAD_TARGET    3
#define GPU_ZERO_DIVISION 4
