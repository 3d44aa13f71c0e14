/* The discrete test devices: each rule that they are there for is broken once, and it is seen. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "kernel_driver.h"

/* The breach is what every later wait answers. */
static void expect_breach(driver *d, const char *text) {
    tern_backend_error err = {""};
    cr_assert_eq(d->table->queue_synchronize(d->device, d->queue, &err), TERN_BACKEND_INVALID,
                 "not seen: %s", text);
    cr_assert_not_null(strstr(err.message, text), "'%s', not '%s'", err.message, text);
}

static void expect_none(driver *d) {
    tern_backend_error err = {""};
    cr_assert_eq(d->table->queue_synchronize(d->device, d->queue, &err), TERN_BACKEND_OK, "%s",
                 err.message);
}

Test(discrete_backend, a_handle_is_no_address) {
    driver d = driver_open("discrete");
    cr_assert(!d.table->buffer_import);
    tensor t = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(4), (double[]){1, 2, 3, 4});
    const void *handles[] = {t.operand.buffer, d.queue};
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(write(ends[1], handles[i], 4), -1);
        cr_assert_eq(errno, EFAULT);
    }
    close(ends[0]);
    close(ends[1]);
    tensor_free(&d, &t);
    driver_close(&d);
}

Test(discrete_backend, buffers_come_and_go) {
    driver d = driver_open("discrete");
    tensor kept[100];
    for (int i = 0; i < 100; i++) {
        kept[i] = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(1), (double[]){i});
    }
    for (int i = 0; i < 100; i += 2) tensor_free(&d, &kept[i]);
    tensor fresh = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(1), (double[]){-1});
    for (int i = 1; i < 100; i += 2) tensor_expect(&d, &kept[i], (double[]){i}, 0, "kept");
    tensor_expect(&d, &fresh, (double[]){-1}, 0, "fresh");
    for (int i = 1; i < 100; i += 2) tensor_free(&d, &kept[i]);
    tensor_free(&d, &fresh);
    driver_close(&d);
}

Test(discrete_backend, a_freed_buffer_is_refused) {
    driver d = driver_open("discrete");
    tensor t = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(4), NULL);
    tensor_free(&d, &t);
    tensor next = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(4), NULL); /* in the same pages */
    float x = 0;
    tern_backend_error err = {""};
    cr_assert_eq(d.table->copy_to_host(d.device, d.queue, &x, t.operand.buffer, 0, 4, &err),
                 TERN_BACKEND_INVALID);
    expect_breach(&d, "leaves its buffer");
    tensor_free(&d, &t); /* a second breach: the first is what counts */
    expect_breach(&d, "leaves its buffer");
    tensor_free(&d, &next);
    driver_close(&d);
}

Test(discrete_backend, a_buffer_freed_twice_is_seen) {
    driver d = driver_open("discrete");
    tensor t = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(4), NULL);
    tensor_free(&d, &t);
    tensor_free(&d, &t);
    expect_breach(&d, "no buffer of its own");
    driver_close(&d);
}

Test(discrete_backend, one_device_refuses_what_is_the_others) {
    driver d = driver_open("discrete"), other = driver_open_other(&d, 1);
    cr_assert_eq(d.table->suballocation, 0);
    cr_assert(other.table->suballocation > 0);
    tensor t = tensor_new(&other, TERN_BT_FLOAT32, SHAPE(1), (double[]){4});
    tensor out = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(1), NULL);
    tern_unary_attrs neg = {TERN_UNARY_NEG, 0};
    tern_backend_error err = {""};
    cr_assert_eq(driver_launch(&d, TERN_KERNEL_UNARY, &t, 1, &out, 1, &neg, sizeof neg, &err),
                 TERN_BACKEND_INVALID);
    expect_breach(&d, "not its own");
    cr_assert_eq(other.table->queue_synchronize(other.device, d.queue, &err), TERN_BACKEND_INVALID);
    expect_breach(&other, "no queue of its own");
    tensor_free(&other, &t);
    tensor_free(&d, &out);
    driver_close_other(&other);
    driver_close(&d);
}

Test(discrete_backend, copies_go_from_device_to_device) {
    driver d = driver_open("discrete"), other = driver_open_other(&d, 1);
    tensor from = tensor_new(&other, TERN_BT_FLOAT32, SHAPE(3), (double[]){1, 2, 3});
    tensor to = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(3), (double[]){0, 0, 0});
    tern_backend_error err = {""};
    cr_assert_eq(d.table->copy_between(d.device, d.queue, to.operand.buffer, 4, other.device,
                                       from.operand.buffer, 0, 8, &err),
                 TERN_BACKEND_OK, "%s", err.message);
    tensor_expect(&d, &to, (double[]){0, 1, 2}, 0, "copied");
    cr_assert_eq(d.table->copy_between(d.device, d.queue, to.operand.buffer, 4, other.device,
                                       from.operand.buffer, 8, 8, &err),
                 TERN_BACKEND_INVALID);
    expect_breach(&other, "leaves its buffer");
    tensor_free(&other, &from);
    tensor_free(&d, &to);
    driver_close_other(&other);
    driver_close(&d);
}

Test(discrete_backend, events_have_an_owner_and_an_end) {
    driver d = driver_open("discrete"), other = driver_open_other(&d, 1);
    tern_bevent *event;
    tern_backend_error err = {""};
    int32_t passed = 0;
    d.table->event_create(d.device, &event, &err);
    cr_assert_eq(d.table->event_record(d.device, d.queue, event, &err), TERN_BACKEND_OK);
    cr_assert_eq(d.table->event_query(d.device, event, &passed, &err), TERN_BACKEND_OK);
    cr_assert_eq(passed, 1);
    cr_assert_eq(other.table->event_wait(other.device, other.queue, event, &err), TERN_BACKEND_OK);
    expect_none(&other);
    cr_assert_eq(other.table->event_record(other.device, other.queue, event, &err),
                 TERN_BACKEND_INVALID);
    expect_breach(&other, "the other device's");
    d.table->event_destroy(d.device, event);
    cr_assert_eq(d.table->event_wait(d.device, d.queue, event, &err), TERN_BACKEND_INVALID);
    expect_breach(&d, "is no event");
    driver_close_other(&other);
    driver_close(&d);
}

Test(discrete_backend, a_freed_queue_is_refused) {
    driver d = driver_open("discrete");
    tern_bqueue *second;
    tern_backend_error err = {""};
    cr_assert_eq(d.table->queue_create(d.device, &second, &err), TERN_BACKEND_OK);
    tensor t = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(1), (double[]){1});
    d.table->queue_destroy(d.device, second);
    expect_none(&d);
    d.table->buffer_free(d.device, second, t.operand.buffer);
    expect_breach(&d, "no queue of its own");
    driver_close(&d);
}

Test(discrete_backend, pinned_memory_outlives_the_copies_from_it) {
    driver d = driver_open("discrete");
    tensor t = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2), NULL);
    tern_backend_error err = {""};
    for (int waits = 1; waits >= 0; waits--) {
        float *pinned = d.table->host_alloc(d.device, 8);
        pinned[0] = 3, pinned[1] = 4;
        d.table->copy_to_device(d.device, d.queue, t.operand.buffer, 4, pinned + 1, 4, &err);
        if (waits) expect_none(&d);
        d.table->host_free(d.device, pinned);
        if (waits) expect_none(&d);
    }
    expect_breach(&d, "while a copy from it was pending");
    tensor_free(&d, &t);
    driver_close(&d);
}

Test(discrete_backend, memory_that_is_not_pinned_is_not_freed) {
    driver d = driver_open("discrete");
    float own;
    d.table->host_free(d.device, &own);
    expect_breach(&d, "not pinned");
    driver_close(&d);
}

/* gather with an index out of range; the flag is readable by copies and kernels until it is taken. */
Test(discrete_backend, a_kernels_error_is_the_queues_and_raises_its_flag) {
    driver d = driver_open("discrete");
    tensor in[] = {tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2), (double[]){1, 2}),
                   tensor_i64(&d, SHAPE(1), (int64_t[]){2})};
    tensor out = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(1), NULL);
    const tern_operand operands[] = {tensor_operand(&in[0]), tensor_operand(&in[1]),
                                     tensor_operand(&out)};
    tern_index_attrs attrs = {.dim = 0};
    tern_backend_error err = {""};
    tern_bbuffer *flag;
    uint64_t offset;
    int32_t raised[3] = {7, 7, 7};
    cr_assert_eq(d.table->skip_flag(d.device, d.queue, &flag, &offset, &err), TERN_BACKEND_OK);
    d.table->copy_to_host(d.device, d.queue, &raised[0], flag, offset, 4, &err);
    cr_assert_eq(d.table->launch(d.device, d.queue, TERN_KERNEL_GATHER, operands, 2, operands + 2,
                                 1, &attrs, sizeof attrs, &err),
                 TERN_BACKEND_OK, "a queue's error is not launch's");
    d.table->copy_to_host(d.device, d.queue, &raised[1], flag, offset, 4, &err);
    expect_none(&d);
    cr_assert_eq(d.table->take_error(d.device, d.queue, &err), TERN_BACKEND_BAD_INDEX);
    cr_assert_not_null(strstr(err.message, "index 2 is out of bounds"));
    cr_assert_eq(d.table->take_error(d.device, d.queue, &err), TERN_BACKEND_OK);
    d.table->copy_to_host(d.device, d.queue, &raised[2], flag, offset, 4, &err);
    expect_none(&d);
    cr_assert(raised[0] == 0 && raised[1] != 0 && raised[2] == 0, "%d %d %d", raised[0], raised[1],
              raised[2]);
    d.table->buffer_free(d.device, d.queue, flag);
    expect_breach(&d, "a buffer of the backend's");
    for (int i = 0; i < 2; i++) tensor_free(&d, &in[i]);
    tensor_free(&d, &out);
    driver_close(&d);
}

Test(discrete_backend, memory_is_counted_and_ends) {
    driver d = driver_open("discrete");
    uint64_t before, after, total;
    tern_backend_error err = {""};
    d.table->memory_info(d.device, &before, &total, &err);
    tensor t = tensor_new(&d, TERN_BT_UINT8, SHAPE(1000), NULL);
    d.table->memory_info(d.device, &after, &total, &err);
    cr_assert_eq(before - after, 1000);
    tern_bbuffer *too_much;
    cr_assert_eq(d.table->buffer_alloc(d.device, after + 1, &too_much, &err),
                 TERN_BACKEND_OUT_OF_MEMORY);
    tensor_free(&d, &t);
    d.table->memory_info(d.device, &after, &total, &err);
    cr_assert_eq(before, after);
    driver_close(&d);
    cr_assert_str_eq(driver_last_log(), "");
}

Test(discrete_backend, what_is_alive_at_the_end_is_said) {
    driver d = driver_open("discrete");
    tensor_new(&d, TERN_BT_UINT8, SHAPE(1000), NULL);
    driver_close(&d);
    cr_assert_str_eq(driver_last_log(), "discrete:0: closed with 1 objects alive");
}

/* An operand that lies is refused before a kernel sees it. */
static void expect_lie(int dtype, void (*bend)(tern_operand *), const char *text) {
    driver d = driver_open("discrete");
    tensor in[] = {tensor_new(&d, dtype, SHAPE(2, 3), NULL),
                   tensor_new(&d, dtype, SHAPE(2, 3), NULL)};
    tensor out = tensor_new(&d, dtype, SHAPE(2, 3), NULL);
    tern_binary_attrs add = {TERN_BINARY_ADD, 0, 1, 1};
    tern_operand operands[] = {tensor_operand(&in[0]), tensor_operand(&in[1]),
                               tensor_operand(&out)};
    tern_backend_error err = {""};
    bend(&operands[0]);
    int32_t status = d.table->launch(d.device, d.queue, TERN_KERNEL_BINARY, operands, 2,
                                     operands + 2, 1, &add, sizeof add, &err);
    cr_assert_eq(status, text ? TERN_BACKEND_INVALID : TERN_BACKEND_OK, "%s", err.message);
    if (text) cr_assert_not_null(strstr(err.message, text), "%s", err.message);
    for (int i = 0; i < 2; i++) tensor_free(&d, &in[i]);
    tensor_free(&d, &out);
    driver_close(&d);
}

static void flag_contiguous(tern_operand *operand) {
    static const int64_t strides[] = {1, 2};
    operand->strides = strides;
    operand->flags = TERN_OPERAND_CONTIGUOUS;
}

static void one_too_far(tern_operand *operand) {
    operand->at.byte_offset = 4;
}

static void make_immediate(tern_operand *operand, double f, int64_t i) {
    operand->buffer = NULL;
    operand->rank = 0;
    if (operand->dtype == TERN_BT_FLOAT32)
        operand->at.f = f;
    else
        operand->at.i = i;
}

static void right_immediate(tern_operand *operand) {
    make_immediate(operand, (double)0.1f, -128);
}
static void wide_immediate(tern_operand *operand) {
    make_immediate(operand, 0.1, 128);
}

Test(discrete_backend, operands_are_what_they_say) {
    expect_lie(TERN_BT_FLOAT32, flag_contiguous, "flagged contiguous and is not");
    expect_lie(TERN_BT_FLOAT32, one_too_far, "ends behind its buffer");
    expect_lie(TERN_BT_FLOAT32, right_immediate, NULL);
    expect_lie(TERN_BT_INT8, right_immediate, NULL);
    expect_lie(TERN_BT_FLOAT32, wide_immediate, "not rounded to its dtype");
    expect_lie(TERN_BT_INT8, wide_immediate, "not rounded to its dtype");
}
