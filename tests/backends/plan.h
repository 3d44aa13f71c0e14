/*
 * plan.h: plans of the strict test backends. One plan does nothing better than a launch would; it is
 * there to see that the core keeps plans, operands and workspaces apart.
 *
 * The result is computed in the workspace and copied out of it, so two launches that share one without
 * being ordered, or a workspace that overlaps an operand, give wrong numbers:
 *
 *     workspace | result, row-major | guard |     garbage before, the guard is intact after
 *
 * Of a constant operand a plan remembers the stamp with a sum over the elements: the same stamp with
 * other elements is a breach.
 */
#ifndef TERN_TEST_PLAN_H
#define TERN_TEST_PLAN_H

#include "cpu_ref/kit.h"

#define PLAN_INPUTS 3

typedef struct test_plan {
    tern_bdevice *device;
    int references; /* the core's, and one for each queued launch */
    int32_t kernel, n_inputs;
    uint32_t attrs_size;
    uint64_t workspace;
    tern_operand operands[PLAN_INPUTS + 1]; /* inputs, then the output */
    int64_t extents[PLAN_INPUTS + 1][2][TERN_BACKEND_MAX_RANK];
    struct {
        uint64_t stamp, sum; /* stamp 0: nothing seen */
    } constants[PLAN_INPUTS];
    unsigned char attrs[128];
} test_plan;

/* The families that have plans. A sort is asked for too, and gets none: OUT_OF_MEMORY, so that the way
 * back to launch is tried. */
#define TEST_PLANNED                                                                               \
    (UINT64_C(1) << TERN_KERNEL_MATMUL | UINT64_C(1) << TERN_KERNEL_REDUCE |                       \
     UINT64_C(1) << TERN_KERNEL_CONV | UINT64_C(1) << TERN_KERNEL_CONV_GRAD_INPUT |                \
     UINT64_C(1) << TERN_KERNEL_CONV_GRAD_WEIGHT | UINT64_C(1) << TERN_KERNEL_SORT)

/* The slot prepare, with one reference. */
int32_t test_plan_new(tern_bdevice *device, const tern_plan_query *query, test_plan **out_plan,
                      uint64_t *out_workspace, tern_backend_error *err);

/* What is wrong with a launch of the plan; NULL where it is right. `room` is how many bytes the
 * workspace's buffer has. */
const char *test_plan_fault(const test_plan *plan, const tern_operand *inputs, int32_t n_inputs,
                            const tern_operand *outputs, int32_t n_outputs,
                            const tern_bbuffer *workspace, uint64_t workspace_offset,
                            uint64_t room);

/* Runs a launch that has no fault, now. INVALID where guard or constants are not as they must be. */
int32_t test_plan_run(test_plan *plan, const tern_operand *inputs, const tern_operand *output,
                      tern_bbuffer *workspace, uint64_t workspace_offset, tern_kit_flag *flag,
                      tern_backend_error *err);

/* Drops a reference; the last frees. */
void test_plan_release(test_plan *plan);

#endif
