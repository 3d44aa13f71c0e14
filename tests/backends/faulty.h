/*
 * faulty.h: a backend with bugs, for testing the tests.
 *
 * Device faulty:0 is right; every other device has one bug, and its description names it (`tern devices`
 * lists them). A conformance suite that passes on one has a hole: `tern conformance --mutants` shows which.
 * The table is in faulty_defects.c. No bug touches memory outside a buffer.
 */
#ifndef TERN_TEST_FAULTY_H
#define TERN_TEST_FAULTY_H

#include "cpu_ref/kit.h"

struct tern_bbuffer {
    char *memory;
    uint64_t bytes;
    int *owners; /* how many buffers have the memory; NULL: it is not the buffer's own */
};

/* The bugs that have code of their own; those behind them are rows of the table alone. */
typedef enum bug {
    /* operands */
    BUG_IGNORED_STRIDE,
    BUG_IGNORED_OUTPUT_STRIDE,
    BUG_IGNORED_OFFSET,
    BUG_WRONG_BROADCAST,
    BUG_DROPPED_TAIL,
    BUG_DROPPED_RANK,
    BUG_UNWRITTEN_SCALAR,
    /* dtypes */
    BUG_UNSIGNED_AS_SIGNED,
    BUG_BOOL_BY_LOW_BYTE,
    BUG_BFLOAT16_TRUNCATES,
    BUG_HALF_SATURATES,
    BUG_COPY_ROUNDS,
    /* values */
    BUG_DENORMALS_FLUSHED,
    BUG_NEGATIVE_ZERO_LOST,
    /* families */
    BUG_ARGMAX_LAST,
    BUG_REDUCE_OFF_BY_ONE,
    BUG_MATMUL_ODD_K,
    BUG_INDEX_UNCHECKED,
    BUG_DIVISION_UNCHECKED,
    BUG_SORT_UNSTABLE,
    /* memory */
    BUG_STALE_UPLOAD,
    BUG_SHORT_DOWNLOAD,
    BUG_COPY_FROM_START,
    BUG_UPLOAD_TO_START,
    BUG_DOWNLOAD_FROM_START,
    BUG_MEMORY_TWICE,
    /* queues and errors */
    BUG_LATE_LAUNCH,
    BUG_ERROR_REPEATED,
    /* plans */
    BUG_PLAN_OF_FIRST_SHAPE,
    BUG_PLAN_KEEPS_OPERANDS,
    /* tuples */
    BUG_LAST_TUPLE_DROPPED,
    BUG_FIRST_NUMBERS_FOR_ALL,
    /* how a run ends */
    BUG_CRASHES,
    BUG_HANGS,
    BUG_WITH_CODE
} bug;

typedef struct launch_state launch_state;
typedef double (*number_fn)(double x);

/*
 * A bug. Where it is about a kernel (and member, 0 being all), it takes another member, bends the launch,
 * or changes the numbers of an input before and of the first output behind the kernel.
 */
typedef struct defect {
    const char *name, *text;
    int16_t kernel, member;
    int16_t instead; /* the member that runs; 0: the right one */
    int16_t input;   /* which input `before` changes */
    void (*bend)(launch_state *state);
    number_fn before, after;
} defect;

/* The bug by its place, those with code of their own first; NULL behind the last. */
const defect *defect_at(int32_t index);
int32_t defect_count(void);

/* One launch on the way to its kernel: everything here may be bent. */
struct launch_state {
    tern_kit_device *device;
    bug bug;              /* BUG_WITH_CODE where it has none */
    const defect *defect; /* NULL where it is not about this launch */
    int32_t kernel, n_inputs, n_outputs;
    tern_operand operands[TERN_KIT_OPERANDS]; /* inputs, then outputs */
    int64_t shapes[TERN_KIT_OPERANDS][TERN_BACKEND_MAX_RANK];
    int64_t strides[TERN_KIT_OPERANDS][TERN_BACKEND_MAX_RANK];
    tern_bbuffer cells[3]; /* immediates, made operands like the others */
    double values[3];
    union {
        unsigned char bytes[16384];
        tern_fill_attrs fill;
        tern_unary_attrs member; /* begins as every struct with a member does */
        tern_binary_attrs binary;
        tern_reduce_attrs reduce;
        tern_sort_attrs sort;
        tern_matmul_attrs matmul;
        tern_index_attrs index;
        tern_multi_index_attrs multi_index;
        tern_conv_attrs conv;
        tern_pool_attrs pool;
        tern_ternary_attrs ternary;
        tern_resize_attrs resize;
        tern_softmax_attrs softmax;
        tern_norm_attrs norm;
        tern_cross_entropy_attrs cross_entropy;
        tern_attention_attrs attention;
        tern_embedding_grad_attrs embedding;
        tern_recurrent_attrs recurrent;
        tern_map_attrs map;
    } attrs;
    uint32_t attrs_size;
    tern_kit_flag flag;
};

/* The member of the kernel's family, 0 where it has none. */
int32_t launch_member(const launch_state *state);

/* Bends operands before the kernel runs. */
void bend_operands(launch_state *state);

/* Fills in a state: the operands with arrays of its own, so that bugs can bend them. False where the
 * launch is too large. */
bool state_fill(launch_state *state, const tern_operand *inputs, int32_t n_inputs,
                const tern_operand *outputs, int32_t n_outputs, const void *attrs,
                uint32_t attrs_size);

/* Runs the kernel, with bugs in its numbers. */
int32_t run_with_wrong_numbers(launch_state *state, tern_backend_error *err);

/* ---- the device (faulty.c), for its memory and its plans ------------------------------------- */

typedef struct faulty_device {
    tern_kit_device kit;
    bug bug;
    const defect *defect; /* NULL: none */
    struct {              /* an upload that has not arrived; dst NULL: none */
        tern_bbuffer *dst;
        uint64_t offset, bytes;
        void *data;
    } late;
    launch_state *pending; /* a launch that has not run; NULL: none */
    tern_bbuffer *latest;  /* NULL: it is gone */
    uint64_t allocations;
    tern_backend_error error; /* the last bad index; "" before */
    struct tern_bplan *first[TERN_KIT_KERNELS];
} faulty_device;

/* Lets what was put off happen. */
void faulty_catch_up(faulty_device *self);

/* One launch whose operands are in the state, with the device's bug. */
int32_t faulty_run(faulty_device *self, launch_state *state, tern_backend_error *err);

/* The slots (faulty_memory.c). */
int32_t faulty_buffer_alloc(tern_bdevice *base, uint64_t bytes, tern_bbuffer **out_buffer,
                            tern_backend_error *err);
void faulty_buffer_free(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer *buffer);
int32_t faulty_copy_to_device(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer *dst,
                              uint64_t dst_offset, const void *src, uint64_t bytes,
                              tern_backend_error *err);
int32_t faulty_copy_to_host(tern_bdevice *base, tern_bqueue *queue, void *dst, tern_bbuffer *src,
                            uint64_t src_offset, uint64_t bytes, tern_backend_error *err);

/* The slots (faulty_plans.c). */
int32_t faulty_prepare(tern_bdevice *base, const tern_plan_query *query, tern_bplan **out_plan,
                       uint64_t *out_workspace, tern_backend_error *err);
int32_t faulty_launch_plan(tern_bdevice *base, tern_bqueue *queue, tern_bplan *plan,
                           const tern_operand *inputs, int32_t n_inputs,
                           const tern_operand *outputs, int32_t n_outputs, tern_bbuffer *workspace,
                           uint64_t workspace_offset, tern_backend_error *err);
void faulty_plan_free(tern_bdevice *base, tern_bplan *plan);

#endif
