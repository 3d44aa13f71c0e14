/*
 * call.h: one launch on its way to the driver: for the files that serve a family of kernels.
 */
#ifndef TERN_GPU_CALL_H
#define TERN_GPU_CALL_H

#include "../cpu_ref/walk.h"
#include "gpu.h"
#include "types.h"

/* A launch as the core asked for it. */
typedef struct gpu_call {
    gpu_device *device;
    tern_bqueue *queue;
    int32_t kernel;
    int32_t n_inputs, n_outputs;
    const tern_operand *inputs, *outputs;
    const void *attrs;
    tern_backend_error *err;
} gpu_call;

/* What a kernel computes in: CLASS of kernels/numbers.h. */
enum { GPU_F32 = 0, GPU_F64 = 1, GPU_I64 = 2 };

/* float64 where an operand is, int64 where none is floating, else float32. */
int32_t gpu_class(const gpu_call *call);

/* A number of a class as the bits that number_of takes. */
int64_t gpu_bits(int32_t number_class, double f, int64_t i);

/* So many elements are done in less than a launch takes, whichever kernel does them: several cases may share one. */
#define GPU_SMALL 16384

/* ---- programs -------------------------------------------------------------------------------- */

/* The sources that are embedded, kernels/NAME.inc. */
typedef enum gpu_source {
    GPU_SOURCE_COPY,
    GPU_SOURCE_REDUCE,
    GPU_SOURCE_PRODUCT,
    GPU_SOURCE_CONV,
    GPU_SOURCE_POOL,
    GPU_SOURCE_RESIZE,
    GPU_SOURCE_SCAN,
    GPU_SOURCE_SORT,
    GPU_SOURCE_INDEX,
    GPU_SOURCE_PICK,
    GPU_SOURCE_NONZERO,
    GPU_SOURCE_SOFTMAX,
    GPU_SOURCE_EMBEDDING,
    GPU_SOURCE_CROSS_ENTROPY,
    GPU_SOURCE_NORM,
    GPU_SOURCE_ATTENTION,
    GPU_SOURCE_RECURRENT,
    GPU_SOURCE_COUNT
} gpu_source;

#define GPU_OPTIONS 8

/* The name of its first kernel. */
const char *gpu_source_name(gpu_source source);

/* The tile for a result of m by n, `batch` times, on this device; from tiles.c. */
gpu_tile gpu_tile_of(gpu_device *device, int32_t number_class, int64_t m, int64_t n, int64_t batch);
/* The k-th of those that `tern tune` tries; false behind the last. */
bool gpu_tile_candidate(const gpu_device *device, int32_t number_class, int32_t k,
                        gpu_tile *out_tile);
/* Which of the device's tuned tiles serves such a result. */
gpu_tile *gpu_tile_tuned(gpu_device *device, int32_t number_class, int64_t m, int64_t n,
                         int64_t batch);

/* A source with what it is specialised by; names are macros of the source. */
typedef struct gpu_variant {
    gpu_source source;
    int32_t number_class;
    struct {
        const char *name;
        int64_t value;
    } options[GPU_OPTIONS]; /* up to the first without a name */
} gpu_variant;

/* The program of a variant, built where it is not there yet. */
int32_t gpu_find(const gpu_call *call, const gpu_variant *variant, gpu_program **out_program);

#define GPU_STEPS 64 /* that a program may have */

/* What a product's results go through: a program of MAP as a kernel is found by it. */
typedef struct gpu_epilogue {
    int32_t number_class, n_inputs, n_constants, n_steps, output;
    int32_t dtypes[GPU_EXTRAS]; /* of the inputs from the second on, -1 where there is none */
    tern_map_step steps[GPU_STEPS];
} gpu_epilogue;

/* The same of a source with tiles, whose results go through an epilogue where that is not NULL. */
int32_t gpu_find_tiled(const gpu_call *call, const gpu_variant *variant, const gpu_tile *tile,
                       const gpu_epilogue *epilogue, gpu_program **out_program);

/* The epilogue of a call with so many operands of the product; DECLINED where it does not fit. */
int32_t gpu_epilogue_take(const gpu_call *call, int32_t n_operands, const tern_map_attrs *program,
                          gpu_epilogue *out);
/* What its kernel gets: offsets and constants; strides are the caller's to fill in. */
void gpu_epilogue_launch_make(const gpu_call *call, int32_t n_operands,
                              const tern_map_attrs *program, gpu_epilogue_launch *out);
/* The buffer of its input q. */
gpu_argument gpu_epilogue_extra(const gpu_call *call, int32_t n_operands, int32_t q);
/* Its source, the host's to free; NULL without memory. */
char *gpu_epilogue_write(const gpu_device *device, const gpu_epilogue *epilogue);

/* Writes a source that no file holds; NULL without memory. The text is the host's to free. */
typedef char *(*gpu_writer)(const gpu_device *device, const void *what);

/* The program with this key, whose source `write` makes of `what` where it is not there yet. */
int32_t gpu_find_written(const gpu_call *call, const void *key, size_t key_size, gpu_writer write,
                         const void *what, const char *const *entries, gpu_program **out_program);

/* Whether the program with this key is to be built, or is, and then it is `out_program`, for a launch that the
 * interpreter could serve in so many steps of elements; the key's group is a class of number, or: */
#define GPU_PLAIN 3 /* over float32 alone */
bool gpu_builds_now(const gpu_call *call, const void *key, size_t key_size, int32_t group,
                    uint64_t work, gpu_program **out_program);

/* The words that every source begins with (dialect, launch, numbers), behind `defines`, before `bodies`, the
 * last of which has NULL behind it. */
char *gpu_compose(const gpu_device *device, const char *defines, const char *const *bodies);

/* ---- operands and arguments ------------------------------------------------------------------ */

static inline gpu_argument gpu_of(const tern_operand *operand) {
    return (gpu_argument){operand->buffer, NULL, 0};
}
#define GPU_VALUE(x)      ((gpu_argument){NULL, &(x), sizeof(x)})
#define GPU_BUFFER(x)     ((gpu_argument){(x), NULL, 0})
#define GPU_COUNT_OF(all) ((int32_t)(sizeof(all) / sizeof *(all)))

/* Where the first element lies, in elements. */
int64_t gpu_at(const tern_operand *operand);
int64_t gpu_count(const tern_operand *operand);

/* The most operands that a walk takes. */
#define GPU_OPERANDS 24

/* The positions of a shape and each operand's strides over them; dimensions that are one are merged. */
typedef struct gpu_walk {
    int32_t rank;
    int64_t count;
    int64_t shape[GPU_RANK];
    int64_t stride[GPU_OPERANDS][GPU_RANK];
} gpu_walk;

/* The shape is the first operand's; an operand without a buffer stands still. Dimensions in `skip` are left
 * out. */
void gpu_walk_make(gpu_walk *walk, const tern_operand *const *operands, int32_t count,
                   uint32_t skip);

/* Up to three operands of a walk as a kernel takes them. */
void gpu_dims_make(gpu_dims *dims, const gpu_walk *walk, int32_t operands);

/* Starts entry `entry` over at least `items` work items. */
int32_t gpu_start(const gpu_call *call, gpu_program *program, int32_t entry,
                  const gpu_argument *arguments, int32_t count, int64_t items);
/* Starts so many groups of `lanes`. */
int32_t gpu_start_groups(const gpu_call *call, gpu_program *program, int32_t entry,
                         const gpu_argument *arguments, int32_t count, int64_t x, int64_t y,
                         int64_t z, int32_t lanes);

/* Starts a kernel of kernels/tile.h, whose result has m rows and n columns, `batch` times. */
int32_t gpu_start_tiles(const gpu_call *call, gpu_program *program, const gpu_tile *tile,
                        const gpu_argument *arguments, int32_t count, int64_t m, int64_t n,
                        int64_t batch);

/* A product that is a part of a launch: operands a, b, c and out of these dtypes. */
typedef struct gpu_product {
    gpu_argument operands[4]; /* c's is not read where there is none */
    int32_t dtypes[4];
    bool has_c;
    int64_t batch;
    gpu_product_launch l; /* alpha and beta as bits */
    /* All three or none. */
    const gpu_epilogue *epilogue;
    const gpu_epilogue_launch *epilogue_launch;
    gpu_argument extras[GPU_EXTRAS];
} gpu_product;
int32_t gpu_start_product(const gpu_call *call, const gpu_product *product);
int32_t gpu_start_product_by(const gpu_call *call, const gpu_product *product,
                             const gpu_tile *tile);

/* Where the device is being tuned: measures every tile on this product, and keeps the fastest. */
void gpu_tune(const gpu_call *call, const gpu_product *product);
/* Takes what an earlier `tern tune` found of this device. */
void gpu_tune_load(gpu_device *device);

/* Memory for one launch, and its end behind that launch. */
int32_t gpu_scratch(const gpu_call *call, uint64_t bytes, tern_bbuffer **out_buffer);
void gpu_scratch_end(const gpu_call *call, tern_bbuffer *buffer);

/* The queue's flag as an argument. */
gpu_argument gpu_flag_argument(const gpu_call *call);

/* ---- families: one file each, run_NAME.c ----------------------------------------------------- */

int32_t gpu_fill(const gpu_call *call);
int32_t gpu_copy(const gpu_call *call);
int32_t gpu_unary(const gpu_call *call);
int32_t gpu_binary(const gpu_call *call);
int32_t gpu_ternary(const gpu_call *call);
int32_t gpu_map(const gpu_call *call);
int32_t gpu_reduce(const gpu_call *call);
int32_t gpu_reduce_list(const gpu_call *call);
int32_t gpu_scan(const gpu_call *call);
int32_t gpu_sort(const gpu_call *call);
int32_t gpu_matmul(const gpu_call *call);
int32_t gpu_matmul_map(const gpu_call *call);
int32_t gpu_gather(const gpu_call *call);
int32_t gpu_scatter(const gpu_call *call);
int32_t gpu_index_select(const gpu_call *call);
int32_t gpu_index_add(const gpu_call *call);
int32_t gpu_index_get(const gpu_call *call);
int32_t gpu_index_put(const gpu_call *call);
int32_t gpu_nonzero(const gpu_call *call);
int32_t gpu_conv(const gpu_call *call);
int32_t gpu_conv_map(const gpu_call *call);
int32_t gpu_max_pool(const gpu_call *call);
int32_t gpu_max_pool_grad(const gpu_call *call);
int32_t gpu_avg_pool(const gpu_call *call);
int32_t gpu_avg_pool_grad(const gpu_call *call);
int32_t gpu_resize(const gpu_call *call);
int32_t gpu_softmax(const gpu_call *call);
int32_t gpu_softmax_grad(const gpu_call *call);
int32_t gpu_embedding_grad(const gpu_call *call);
int32_t gpu_cross_entropy(const gpu_call *call);
int32_t gpu_cross_entropy_grad(const gpu_call *call);
int32_t gpu_norm(const gpu_call *call);
int32_t gpu_norm_grad(const gpu_call *call);
int32_t gpu_attention(const gpu_call *call);
int32_t gpu_attention_grad(const gpu_call *call);
int32_t gpu_recurrent(const gpu_call *call);
int32_t gpu_recurrent_grad(const gpu_call *call);

/* Whether the kernels have a member for a dtype. */
bool gpu_unary_has(int32_t fn, int32_t dtype);
bool gpu_binary_has(int32_t fn, int32_t dtype);
bool gpu_ternary_has(int32_t fn, int32_t dtype);

#endif
