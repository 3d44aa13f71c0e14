/*
 * kernel.h: what a kernel of the backend kit is, and what it gets.
 *
 * A kernel computes one launch on host memory, wholly, before it returns. It knows nothing of
 * buffers, queues or devices: operands come as pointers, and what goes wrong inside (a bad index,
 * an integer division by zero) goes into an error flag. Kernels keep no state and run on any
 * thread.
 */
#ifndef TERN_KIT_KERNEL_H
#define TERN_KIT_KERNEL_H

#include <stddef.h>

#include "tern/backend.h"

/* An operand in host memory: tern_operand with the address of its first element. What a kernel makes by
 * itself, over memory of its own, has no flags and no stamp (tern_kit_tensor_over). */
typedef struct tern_kit_tensor {
    char *data;
    int32_t dtype; /* TERN_BT_* */
    int32_t rank;
    const int64_t *shape;   /* elements */
    const int64_t *strides; /* elements; 0 broadcasts */
    uint32_t flags;         /* TERN_OPERAND_* */
    uint64_t stamp;
} tern_kit_tensor;

/* One of a kernel's own making. */
static inline tern_kit_tensor tern_kit_tensor_over(void *data, int32_t dtype, int32_t rank,
                                                   const int64_t *shape, const int64_t *strides) {
    return (tern_kit_tensor){
        .data = data, .dtype = dtype, .rank = rank, .shape = shape, .strides = strides};
}

/* The first error of a launch. Zeroed is no error. */
typedef struct tern_kit_flag {
    int32_t status; /* TERN_BACKEND_OK or TERN_BACKEND_BAD_INDEX */
    char message[256];
} tern_kit_flag;

/* One launch. */
typedef struct tern_kit_call {
    int32_t kernel; /* TERN_KERNEL_* */
    int32_t n_inputs;
    int32_t n_outputs;
    int32_t reserved;
    const tern_kit_tensor *inputs;
    const tern_kit_tensor *outputs;
    const void *attrs;                /* the kernel's attribute struct, complete */
    const tern_host *host;            /* what Tern gives: a log, a thread count */
    struct tern_kit_scratch *scratch; /* of tern_kit_take */
    tern_kit_flag *flag;
    void *kept; /* what the device keeps for its kernels from launch to launch; may be NULL */
} tern_kit_call;

/* Returns TERN_BACKEND_OK, OUT_OF_MEMORY (scratch), UNSUPPORTED or, where it is a fused form and
 * has written nothing, DECLINED. */
typedef int32_t (*tern_kit_kernel)(const tern_kit_call *call);

/*
 * Scratch memory for one launch: `count` elements of `size` bytes, contents open, aligned as
 * host->alloc aligns; NULL without memory. A kernel gives back what it took before it returns (NULL
 * is fine). The device keeps the blocks, so that launches that repeat never reach the heap.
 */
void *tern_kit_take(const tern_kit_call *call, int64_t count, size_t size);
void tern_kit_give(const tern_kit_call *call, void *memory);

/* Sets the flag, first come first kept. The messages are PyTorch's. */
void tern_kit_bad_index(const tern_kit_call *call, int64_t index, int64_t dim, int64_t size);
/* The same of a whole slice. */
void tern_kit_bad_slice(const tern_kit_call *call, int64_t index, int64_t dim, int64_t size);
void tern_kit_bad_target(const tern_kit_call *call, int64_t target);
void tern_kit_zero_division(const tern_kit_call *call);

#endif
