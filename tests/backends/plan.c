#include "plan.h"

#include <string.h>

#include "cpu_ref/walk.h"

#define GUARD         64u
#define GUARD_BYTE    0x6b
#define GARBAGE       0xff /* NaN in every floating dtype */
#define FNV_START     UINT64_C(14695981039346656037)
#define FNV_PRIME     UINT64_C(1099511628211)
#define LARGEST_PLAN  (UINT64_C(1) << 40)
#define ONLY_CONSTANT (TERN_OPERAND_CONTIGUOUS | TERN_OPERAND_CONSTANT)

static const tern_kit_device *kit_of(const test_plan *plan) {
    return (const tern_kit_device *)plan->device;
}

/* Bytes of the operand's elements one behind the other; 0 where they are too many. */
static uint64_t dense_bytes(const tern_operand *operand) {
    uint64_t bytes = (uint64_t)tern_kit_size(operand->dtype);
    for (int32_t d = 0; d < operand->rank; d++) {
        uint64_t length = (uint64_t)operand->shape[d];
        if (length == 0 || length > LARGEST_PLAN / bytes) return 0;
        bytes *= length;
    }
    return bytes;
}

static void keep(test_plan *plan, int32_t which, const tern_operand *operand) {
    tern_operand *kept = &plan->operands[which];
    size_t bytes = (size_t)operand->rank * sizeof *operand->shape;
    *kept = *operand;
    if (bytes) memcpy(plan->extents[which][0], operand->shape, bytes);
    if (bytes) memcpy(plan->extents[which][1], operand->strides, bytes);
    kept->shape = plan->extents[which][0];
    kept->strides = plan->extents[which][1];
}

int32_t test_plan_new(tern_bdevice *device, const tern_plan_query *query, test_plan **out_plan,
                      uint64_t *out_workspace, tern_backend_error *err) {
    const tern_host *host = ((tern_kit_device *)device)->host;
    *out_plan = NULL;
    if (query->kernel == TERN_KERNEL_SORT)
        return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "no memory for a sort's plan");
    uint64_t result = query->n_outputs == 1 ? dense_bytes(&query->outputs[0]) : 0;
    if (query->n_inputs > PLAN_INPUTS || query->attrs_size > sizeof((*out_plan)->attrs) || !result)
        return tern_kit_fail(err, TERN_BACKEND_UNSUPPORTED, "a plan too large for this device");
    test_plan *plan = host->alloc(sizeof *plan);
    if (!plan) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "no memory for a plan");
    memset(plan, 0, sizeof *plan);
    plan->device = device;
    plan->references = 1;
    plan->kernel = query->kernel;
    plan->n_inputs = query->n_inputs;
    plan->attrs_size = query->attrs_size;
    plan->workspace = result + GUARD;
    for (int32_t i = 0; i < query->n_inputs; i++) keep(plan, i, &query->inputs[i]);
    keep(plan, plan->n_inputs, &query->outputs[0]);
    if (query->attrs_size) memcpy(plan->attrs, query->attrs, query->attrs_size);
    *out_workspace = plan->workspace;
    *out_plan = plan;
    return TERN_BACKEND_OK;
}

void test_plan_release(test_plan *plan) {
    if (--plan->references == 0) kit_of(plan)->host->free(plan);
}

static bool same_form(const tern_operand *x, const tern_operand *y) {
    bool same = x->dtype == y->dtype && x->rank == y->rank && x->layout == y->layout &&
                (x->flags & ONLY_CONSTANT) == (y->flags & ONLY_CONSTANT);
    for (int32_t d = 0; same && d < x->rank; d++)
        same = x->shape[d] == y->shape[d] && x->strides[d] == y->strides[d];
    return same;
}

const char *test_plan_fault(const test_plan *plan, const tern_operand *inputs, int32_t n_inputs,
                            const tern_operand *outputs, int32_t n_outputs,
                            const tern_bbuffer *workspace, uint64_t workspace_offset,
                            uint64_t room) {
    bool same = n_inputs == plan->n_inputs && n_outputs == 1 &&
                same_form(&plan->operands[n_inputs], &outputs[0]);
    for (int32_t i = 0; same && i < n_inputs; i++) same = same_form(&plan->operands[i], &inputs[i]);
    if (!same) return "a plan is launched with other operands than it was made for";
    if (!workspace) return "a plan is launched without its workspace";
    if (workspace_offset % plan->device->vtable->alignment) return "a workspace is not aligned";
    if (workspace_offset > room || room - workspace_offset < plan->workspace)
        return "a workspace is smaller than its plan asked for";
    return NULL;
}

static void *enter(const test_plan *plan, tern_bbuffer *buffer, tern_backend_error *err) {
    return kit_of(plan)->memory->reach(plan->device, buffer, err);
}

static void leave(const test_plan *plan, tern_bbuffer *buffer) {
    if (kit_of(plan)->memory->leave) kit_of(plan)->memory->leave(plan->device, buffer);
}

static int32_t sum_elements(const test_plan *plan, const tern_operand *operand, uint64_t *out_sum,
                            tern_backend_error *err) {
    char *base = enter(plan, operand->buffer, err);
    if (!base) return TERN_BACKEND_FAILED;
    tern_kit_tensor tensor = tern_kit_tensor_over(base + operand->at.byte_offset, operand->dtype,
                                                  operand->rank, operand->shape, operand->strides);
    const tern_kit_tensor *one = &tensor;
    size_t size = (size_t)tern_kit_size(operand->dtype);
    uint64_t sum = FNV_START;
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, &one, 1, 0);
    do {
        const unsigned char *element = tern_kit_at(&tensor, walk.offset[0]);
        for (size_t i = 0; i < size; i++) sum = (sum ^ element[i]) * FNV_PRIME;
    } while (tern_kit_walk_next(&walk));
    leave(plan, operand->buffer);
    *out_sum = sum;
    return TERN_BACKEND_OK;
}

/* Equal stamps mean equal contents. */
static int32_t check_constants(test_plan *plan, const tern_operand *inputs,
                               tern_backend_error *err) {
    for (int32_t i = 0; i < plan->n_inputs; i++) {
        if (!(inputs[i].flags & TERN_OPERAND_CONSTANT)) continue;
        uint64_t sum;
        int32_t status = sum_elements(plan, &inputs[i], &sum, err);
        if (status != TERN_BACKEND_OK) return status;
        if (plan->constants[i].stamp == inputs[i].stamp && plan->constants[i].sum != sum)
            return tern_kit_fail(err, TERN_BACKEND_INVALID,
                                 "a constant operand changed and kept its stamp");
        plan->constants[i].stamp = inputs[i].stamp;
        plan->constants[i].sum = sum;
    }
    return TERN_BACKEND_OK;
}

/* Fills the workspace with garbage and its guard, or checks the guard. */
static int32_t guard(const test_plan *plan, tern_bbuffer *workspace, uint64_t offset, bool check,
                     tern_backend_error *err) {
    unsigned char *base = enter(plan, workspace, err);
    if (!base) return TERN_BACKEND_FAILED;
    unsigned char *at = base + offset, *end = at + plan->workspace - GUARD;
    bool intact = true;
    if (!check) memset(at, GARBAGE, (size_t)(end - at));
    for (size_t i = 0; i < GUARD; i++) {
        if (check)
            intact = intact && end[i] == GUARD_BYTE;
        else
            end[i] = GUARD_BYTE;
    }
    leave(plan, workspace);
    if (intact) return TERN_BACKEND_OK;
    return tern_kit_fail(err, TERN_BACKEND_INVALID,
                         "the guard behind a workspace was written: it overlaps an operand");
}

/* A row-major operand of the output's shape in the workspace. */
static tern_operand in_workspace(const tern_operand *output, tern_bbuffer *workspace,
                                 uint64_t offset, int64_t *strides) {
    tern_operand result = *output;
    int64_t step = 1;
    for (int32_t d = output->rank - 1; d >= 0; d--) {
        strides[d] = step;
        step *= output->shape[d];
    }
    result.buffer = workspace;
    result.at.byte_offset = offset;
    result.strides = strides;
    return result;
}

int32_t test_plan_run(test_plan *plan, const tern_operand *inputs, const tern_operand *output,
                      tern_bbuffer *workspace, uint64_t workspace_offset, tern_kit_flag *flag,
                      tern_backend_error *err) {
    tern_kit_device *kit = (tern_kit_device *)plan->device;
    int64_t strides[TERN_BACKEND_MAX_RANK];
    tern_operand result = in_workspace(output, workspace, workspace_offset, strides);
    int32_t status = check_constants(plan, inputs, err);
    if (status == TERN_BACKEND_OK) status = guard(plan, workspace, workspace_offset, false, err);
    if (status == TERN_BACKEND_OK)
        status = tern_kit_run(kit, plan->kernel, inputs, plan->n_inputs, &result, 1, plan->attrs,
                              plan->attrs_size, flag, err);
    if (status == TERN_BACKEND_OK)
        status = tern_kit_run(kit, TERN_KERNEL_COPY, &result, 1, output, 1, NULL, 0, flag, err);
    return status == TERN_BACKEND_OK ? guard(plan, workspace, workspace_offset, true, err) : status;
}
