/*
 * faulty.h: a backend with bugs, for testing the tests.
 *
 * Device faulty:0 is right; every other device has one bug, and its description names it (`tern devices`
 * lists them). A conformance suite that passes on one has a hole: `tern conformance --mutants` shows which.
 * The table is in faulty_bugs.c. No bug touches memory outside a buffer.
 */
#ifndef TERN_TEST_FAULTY_H
#define TERN_TEST_FAULTY_H

#include "cpu_ref/kit.h"

struct tern_bbuffer {
    char *memory;
    uint64_t bytes;
};

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
    BUG_FILL_THROUGH_FLOAT,
    BUG_BOOL_BY_LOW_BYTE,
    BUG_COPY_ROUNDS,
    BUG_BFLOAT16_TRUNCATES,
    BUG_HALF_SATURATES,
    /* values */
    BUG_NAN_LOSES_MAXIMUM,
    BUG_NAN_LOSES_RELU,
    BUG_NAN_LOSES_REDUCTION,
    BUG_DENORMALS_FLUSHED,
    BUG_NEGATIVE_ZERO_LOST,
    BUG_FLOOR_TRUNCATES,
    BUG_REMAINDER_OF_DIVIDEND,
    BUG_ROUND_HALF_UP,
    BUG_EXPM1_CANCELS,
    BUG_LOG1P_CANCELS,
    BUG_EQUAL_FORGOTTEN,
    BUG_ALPHA_IGNORED,
    /* families */
    BUG_ARGMAX_LAST,
    BUG_REDUCE_OFF_BY_ONE,
    BUG_VAR_WITHOUT_CORRECTION,
    BUG_MATMUL_BETA_IGNORED,
    BUG_MATMUL_ALPHA_IGNORED,
    BUG_MATMUL_ODD_K,
    BUG_SCATTER_OVERWRITES,
    BUG_INDEX_UNCHECKED,
    BUG_DIVISION_UNCHECKED,
    BUG_SORT_ASCENDING,
    BUG_SORT_UNSTABLE,
    BUG_CONV_WITHOUT_DILATION,
    BUG_POOL_COUNTS_PADDING,
    /* memory */
    BUG_STALE_UPLOAD,
    BUG_SHORT_DOWNLOAD,
    BUG_COPY_FROM_START,
    /* how a run ends */
    BUG_CRASHES,
    BUG_HANGS,
    BUG_COUNT
} bug;

/* The name of a bug and what it does, one line; for lists. */
const char *bug_name(bug which);
const char *bug_text(bug which);

/* One launch on the way to its kernel: everything here may be bent. */
typedef struct launch_state {
    tern_kit_device *device;
    const bool *bugs;
    int32_t kernel, n_inputs, n_outputs;
    tern_operand operands[TERN_KIT_OPERANDS]; /* inputs, then outputs */
    int64_t shapes[TERN_KIT_OPERANDS][TERN_BACKEND_MAX_RANK];
    int64_t strides[TERN_KIT_OPERANDS][TERN_BACKEND_MAX_RANK];
    tern_bbuffer cells[3]; /* immediates, made operands like the others */
    double values[3];
    union {
        unsigned char bytes[256];
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
    } attrs;
    uint32_t attrs_size;
    tern_kit_flag flag;
} launch_state;

/* The member of the kernel's family, 0 where it has none. */
int32_t launch_member(const launch_state *state);

/* Bends operands and attributes before the kernel runs. */
void bend_operands(launch_state *state);
void bend_attrs(launch_state *state);

/* Runs the kernel, with bugs in its numbers. */
int32_t run_with_wrong_numbers(launch_state *state, tern_backend_error *err);

#endif
