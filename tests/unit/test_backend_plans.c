/* Plans of the strict test backends: they give a launch's results, and show a host's mistakes. */
#include <criterion/criterion.h>
#include <string.h>

#include "kernel_driver.h"

static const char *const names[] = {"discrete", "delaying"};

static const tern_matmul_attrs attrs = {1, 0, 1, 0};

/* out = a b, of [2, 3] by [3, 2], with the bytes of a workspace. */
typedef struct product {
    tensor in[2], out, workspace;
    tern_operand operands[3];
    tern_bplan *plan;
    uint64_t bytes;
} product;

static int32_t prepare(driver *d, int kernel, const tern_operand *operands, int n_inputs,
                       int n_outputs, tern_bplan **out_plan, uint64_t *out_bytes,
                       tern_backend_error *err) {
    tern_operand forms[3];
    for (int i = 0; i < n_inputs + n_outputs; i++) {
        forms[i] = operands[i];
        forms[i].buffer = NULL;
        forms[i].at.byte_offset = 0;
    }
    bool multiplies = kernel == TERN_KERNEL_MATMUL;
    tern_plan_query query = {.struct_size = sizeof query,
                             .kernel = kernel,
                             .n_inputs = n_inputs,
                             .n_outputs = n_outputs,
                             .attrs_size = multiplies ? sizeof attrs : 0,
                             .inputs = forms,
                             .outputs = forms + n_inputs,
                             .attrs = multiplies ? &attrs : NULL};
    return d->table->prepare(d->device, &query, out_plan, out_bytes, err);
}

static void product_new(driver *d, uint32_t first_flags, product *p) {
    p->in[0] = tensor_new(d, TERN_BT_FLOAT32, SHAPE(2, 3), (double[]){1, 2, 3, 4, 5, 6});
    p->in[1] = tensor_strided(d, TERN_BT_FLOAT32, SHAPE(3, 2), (int64_t[]){1, 3}, 1,
                              (double[]){1, 2, 3, 4, 5, 6});
    p->out = tensor_new(d, TERN_BT_FLOAT32, SHAPE(2, 2), NULL);
    for (int i = 0; i < 2; i++) p->operands[i] = tensor_operand(&p->in[i]);
    p->operands[0].flags = first_flags;
    p->operands[2] = tensor_operand(&p->out);
    tern_backend_error err = {""};
    cr_assert_eq(prepare(d, TERN_KERNEL_MATMUL, p->operands, 2, 1, &p->plan, &p->bytes, &err),
                 TERN_BACKEND_OK, "%s", err.message);
    p->workspace = tensor_new(d, TERN_BT_UINT8, SHAPE((int64_t)p->bytes + 64), NULL);
}

static void product_free(driver *d, product *p) {
    for (int i = 0; i < 2; i++) tensor_free(d, &p->in[i]);
    tensor_free(d, &p->out);
    tensor_free(d, &p->workspace);
    d->table->plan_free(d->device, p->plan);
}

static int32_t start(driver *d, const product *p, uint64_t offset, tern_backend_error *err) {
    return d->table->launch_plan(d->device, d->queue, p->plan, p->operands, 2, p->operands + 2, 1,
                                 p->workspace.operand.buffer, offset, err);
}

/* What the launch, or the wait after it, says. */
static int32_t outcome(driver *d, const product *p, uint64_t offset, tern_backend_error *err) {
    int32_t status = start(d, p, offset, err);
    tern_backend_error ignored;
    int32_t later = d->table->queue_synchronize(d->device, d->queue,
                                                status == TERN_BACKEND_OK ? err : &ignored);
    cr_assert(status == TERN_BACKEND_OK || later != TERN_BACKEND_OK, "the breach is forgotten");
    return status == TERN_BACKEND_OK ? later : status;
}

static const double expected[] = {22, 28, 49, 64};

Test(backend_plans, give_a_launchs_results_with_a_workspace_that_holds_anything) {
    for (int i = 0; i < 2; i++) {
        driver d = driver_open(names[i]);
        product p;
        product_new(&d, 0, &p);
        tern_backend_error err = {""};
        cr_assert(p.bytes > 0, "the workspace is not tried");
        for (int turn = 0; turn < 2; turn++) {
            cr_assert_eq(outcome(&d, &p, 64, &err), TERN_BACKEND_OK, "%s", err.message);
            tensor_expect(&d, &p.out, expected, 0, names[i]);
        }
        product_free(&d, &p);
        driver_close(&d);
    }
}

Test(backend_plans, a_plan_in_a_family_may_be_refused_for_want_of_memory) {
    for (int i = 0; i < 2; i++) {
        driver d = driver_open(names[i]);
        tensor t = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2), NULL);
        const tern_operand operands[] = {tensor_operand(&t), tensor_operand(&t)};
        tern_bplan *plan;
        uint64_t bytes;
        tern_backend_error err;
        cr_assert(d.table->planned[0] >> TERN_KERNEL_SORT & 1);
        cr_assert_eq(prepare(&d, TERN_KERNEL_SORT, operands, 1, 1, &plan, &bytes, &err),
                     TERN_BACKEND_OUT_OF_MEMORY);
        tensor_free(&d, &t);
        driver_close(&d);
    }
}

/* Each way to launch a plan wrongly; the device is of no more use after it. */
typedef enum mistake {
    OTHER_SHAPE,
    OTHER_STRIDES,
    OTHER_DTYPE,
    NO_WORKSPACE,
    SHORT_WORKSPACE,
    CROOKED_WORKSPACE,
    FREED_PLAN,
    BUFFER_OF_NOBODY,
    BEHIND_THE_BUFFER,
    OUTPUT_IN_THE_GUARD,
    MISTAKES
} mistake;

static const char *const words[MISTAKES] = {
    "other operands",     "other operands",
    "other operands",     "without its workspace",
    "smaller than",       "not aligned",
    "no plan of its own", "its own",
    "ends behind its",    "the guard behind a workspace was written"};

static uint64_t make_mistake(driver *d, product *p, mistake which) {
    static const int64_t shape[] = {1, 2}, strides[] = {1, 2};
    switch (which) {
    case OTHER_SHAPE: p->operands[2].shape = shape; break;
    case OTHER_STRIDES: p->operands[2].strides = strides; break;
    case OTHER_DTYPE: p->operands[0].dtype = TERN_BT_INT32; break;
    case NO_WORKSPACE: p->workspace.operand.buffer = NULL; break;
    case SHORT_WORKSPACE: return 128;
    case CROOKED_WORKSPACE: return 16;
    case FREED_PLAN: d->table->plan_free(d->device, p->plan); break;
    case BUFFER_OF_NOBODY: p->operands[1].buffer = (tern_bbuffer *)(uintptr_t)77; break;
    case BEHIND_THE_BUFFER: p->operands[2].at.byte_offset = 4; break;
    default: /* 16 bytes of result, and the guard */
        p->operands[2].buffer = p->workspace.operand.buffer;
        p->operands[2].at.byte_offset = 32;
    }
    return 0;
}

Test(backend_plans, a_wrong_launch_is_seen) {
    for (int i = 0; i < 2; i++) {
        for (int which = 0; which < MISTAKES; which++) {
            driver d = driver_open(names[i]);
            product p, bent;
            product_new(&d, 0, &p);
            bent = p;
            tern_backend_error err = {""};
            uint64_t offset = make_mistake(&d, &bent, (mistake)which);
            cr_assert_eq(outcome(&d, &bent, offset, &err), TERN_BACKEND_INVALID, "%s: mistake %d",
                         names[i], which);
            cr_assert_not_null(strstr(err.message, words[which]), "%s: mistake %d: %s", names[i],
                               which, err.message);
            if (which == FREED_PLAN) p.plan = NULL;
            for (int k = 0; k < 2; k++) tensor_free(&d, &p.in[k]);
            tensor_free(&d, &p.out);
            tensor_free(&d, &p.workspace);
            if (p.plan) d.table->plan_free(d.device, p.plan);
            driver_close(&d);
        }
    }
}

Test(backend_plans, a_workspace_over_an_input_spoils_the_result) {
    for (int i = 0; i < 2; i++) {
        driver d = driver_open(names[i]);
        product p;
        product_new(&d, 0, &p);
        tern_backend_error err = {""};
        p.operands[0].buffer = p.workspace.operand.buffer;
        double got[4];
        cr_assert_eq(outcome(&d, &p, 0, &err), TERN_BACKEND_OK, "%s", err.message);
        tensor_read(&d, &p.out, got);
        cr_assert(got[0] != got[0], "the workspace begins as %g", got[0]);
        product_free(&d, &p);
        driver_close(&d);
    }
}

Test(backend_plans, a_constant_that_changes_needs_another_stamp) {
    for (int i = 0; i < 2; i++) {
        driver d = driver_open(names[i]);
        product p;
        product_new(&d, TERN_OPERAND_CONSTANT | TERN_OPERAND_CONTIGUOUS, &p);
        tern_backend_error err = {""};
        const float changed[] = {1, 1, 1, 1, 1, 1};
        p.operands[0].stamp = 5;
        for (int turn = 0; turn < 2; turn++)
            cr_assert_eq(outcome(&d, &p, 0, &err), TERN_BACKEND_OK, "%s", err.message);
        d.table->copy_to_device(d.device, d.queue, p.in[0].operand.buffer, 0, changed,
                                sizeof changed, &err);
        p.operands[0].stamp = 6;
        cr_assert_eq(outcome(&d, &p, 0, &err), TERN_BACKEND_OK, "%s", err.message);
        tensor_expect(&d, &p.out, (double[]){9, 12, 9, 12}, 0, "changed");
        d.table->copy_to_device(d.device, d.queue, p.in[0].operand.buffer, 0, &(float){3},
                                sizeof(float), &err);
        cr_assert_eq(outcome(&d, &p, 0, &err), TERN_BACKEND_INVALID);
        cr_assert_not_null(strstr(err.message, "changed and kept its stamp"), "%s", err.message);
        product_free(&d, &p);
        driver_close(&d);
    }
}

Test(backend_plans, a_plan_may_go_while_its_launch_is_queued) {
    driver d = driver_open("delaying");
    product p;
    product_new(&d, 0, &p);
    tern_backend_error err = {""};
    float got[4];
    cr_assert_eq(start(&d, &p, 0, &err), TERN_BACKEND_OK, "%s", err.message);
    d.table->plan_free(d.device, p.plan);
    d.table->buffer_free(d.device, d.queue, p.workspace.operand.buffer);
    d.table->copy_to_host(d.device, d.queue, got, p.out.operand.buffer, 0, sizeof got, &err);
    cr_assert_eq(d.table->queue_synchronize(d.device, d.queue, &err), TERN_BACKEND_OK, "%s",
                 err.message);
    for (int i = 0; i < 4; i++) cr_assert_eq((double)got[i], expected[i]);
    for (int i = 0; i < 2; i++) tensor_free(&d, &p.in[i]);
    tensor_free(&d, &p.out);
    driver_close(&d);
    cr_assert_str_eq(driver_last_log(), "");
}
