/* The test backends do what they are there for: they show a host's mistakes. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel_driver.h"

static const char *const names[] = {"discrete", "delaying", "faulty"};

Test(test_backends, give_the_reference_results) {
    for (int i = 0; i < 3; i++) {
        driver d = driver_open(names[i]);
        tensor in[] = {tensor_strided(&d, TERN_BT_FLOAT32, SHAPE(2, 2), (int64_t[]){1, 2}, 1,
                                      (double[]){1, 2, 3, 4}),
                       tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2, 2), (double[]){5, 6, 7, 8})};
        tensor out = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2, 2), NULL);
        tern_matmul_attrs attrs = {1, 0, 1, 0};
        driver_run(&d, TERN_KERNEL_MATMUL, in, 2, &out, 1, &attrs, sizeof attrs);
        tensor_expect(&d, &out, (double[]){19, 22, 43, 50}, 0, names[i]);
        tern_binary_attrs add = {TERN_BINARY_ADD, 0, 1, 1}; /* in place, one buffer three times */
        driver_run(&d, TERN_KERNEL_BINARY, (tensor[]){out, out}, 2, &out, 1, &add, sizeof add);
        tensor_expect(&d, &out, (double[]){38, 44, 86, 100}, 0, names[i]);
        tensor_free(&d, &in[0]);
        tensor_free(&d, &in[1]);
        tensor_free(&d, &out);
        driver_close(&d);
    }
}

Test(test_backends, report_a_bad_index) {
    for (int i = 0; i < 3; i++) {
        driver d = driver_open(names[i]);
        tensor in[] = {tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2), (double[]){1, 2}),
                       tensor_i64(&d, SHAPE(2), (int64_t[]){1, 2})};
        tensor out = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2), NULL);
        tern_index_attrs attrs = {.dim = 0};
        tern_backend_error err = {""};
        int status =
            driver_launch(&d, TERN_KERNEL_GATHER, in, 2, &out, 1, &attrs, sizeof attrs, &err);
        cr_assert_eq(status, TERN_BACKEND_BAD_INDEX);
        cr_assert_str_eq(err.message, "index 2 is out of bounds for dimension 0 with size 2");
        tensor_free(&d, &in[0]);
        tensor_free(&d, &in[1]);
        tensor_free(&d, &out);
        driver_close(&d);
    }
}

/* add(x, y, alpha=2) on the faulty device with the given bug. */
static double faulty_add(const char *bug, const double *x, int stride, double *second) {
    setenv("TERN_FAULTY", bug, 1);
    driver d = driver_open("faulty");
    unsetenv("TERN_FAULTY");
    const int64_t shape[] = {2, 2}, strides[] = {1, stride};
    tensor in[] = {tensor_strided(&d, TERN_BT_FLOAT32, 2, shape, strides, 3, x),
                   tensor_strided(&d, TERN_BT_FLOAT32, 2, shape, strides, 3, x)};
    tensor out = tensor_new(&d, TERN_BT_FLOAT32, 2, shape, (double[]){-1, -1, -1, -1});
    tern_binary_attrs add = {TERN_BINARY_ADD, 0, 2, 2};
    driver_run(&d, TERN_KERNEL_BINARY, in, 2, &out, 1, &add, sizeof add);
    double got[4];
    tensor_read(&d, &out, got);
    tensor_free(&d, &in[0]);
    tensor_free(&d, &in[1]);
    tensor_free(&d, &out);
    driver_close(&d);
    if (second) *second = got[1];
    return got[0];
}

Test(test_backends, faulty_has_the_bugs_that_are_asked_for) {
    const double x[] = {1, 2, 3, 4};
    double second;
    cr_assert_eq(faulty_add("", x, 2, &second), 3);
    cr_assert_eq(second, 6);
    cr_assert_eq(faulty_add("alpha_ignored", x, 2, &second), 2);
    faulty_add("ignored_stride", x, 2, &second);
    cr_assert(second != 6);
    cr_assert(faulty_add("ignored_offset", x, 2, NULL) != 3);
    cr_assert(faulty_add("dropped_tail,alpha_ignored", x, 2, NULL) == 2,
              "four elements have no tail");
}

Test(test_backends, faulty_refuses_a_bug_it_does_not_have) {
    driver d = driver_open("faulty");
    setenv("TERN_FAULTY", "argmax_last,no_such_bug", 1);
    tern_bdevice *other;
    tern_backend_error err = {""};
    cr_assert_eq(d.desc.device_open(0, &other, &err), TERN_BACKEND_INVALID);
    unsetenv("TERN_FAULTY");
    cr_assert_str_eq(err.message, "TERN_FAULTY: no bug is called 'no_such_bug'");
    driver_close(&d);
}

Test(test_backends, a_discrete_buffer_is_no_address) {
    driver d = driver_open("discrete");
    cr_assert(!d.table->buffer_import);
    tensor t = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(4), (double[]){1, 2, 3, 4});
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(write(ends[1], (const void *)t.operand.buffer, 4), -1);
    cr_assert_eq(errno, EFAULT);
    close(ends[0]);
    close(ends[1]);
    tensor_free(&d, &t);
    driver_close(&d);
}

Test(test_backends, discrete_buffers_come_and_go) {
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

Test(test_backends, delaying_does_nothing_before_the_wait) {
    driver d = driver_open("delaying");
    tern_backend_error err;
    tern_bbuffer *buffer;
    d.table->buffer_alloc(d.device, 4, &buffer, &err);
    float sent = 3, received = 7;
    d.table->copy_to_device(d.device, d.queue, buffer, 0, &sent, 4, &err);
    sent = 100; /* the upload has taken its copy */
    d.table->copy_to_host(d.device, d.queue, &received, buffer, 0, 4, &err);
    cr_assert(received != 3 && received != 7, "the destination is readable before the wait");
    cr_assert_eq(d.table->queue_synchronize(d.device, d.queue, &err), TERN_BACKEND_OK);
    cr_assert_eq(received, 3);
    d.table->buffer_free(d.device, NULL, buffer);
    driver_close(&d);
}

/* Queue one writes 3, queue two reads. Returns what the reader got. */
static float read_across_queues(driver *d, bool wait) {
    tern_backend_error err;
    tern_bqueue *two;
    tern_bevent *written;
    tern_bbuffer *buffer;
    d->table->queue_create(d->device, &two, &err);
    d->table->event_create(d->device, &written, &err);
    d->table->buffer_alloc(d->device, 4, &buffer, &err);
    float sent = 3, received;
    d->table->copy_to_device(d->device, d->queue, buffer, 0, &sent, 4, &err);
    d->table->event_record(d->device, d->queue, written, &err);
    if (wait) d->table->event_wait(d->device, two, written, &err);
    d->table->event_destroy(d->device, written);
    d->table->copy_to_host(d->device, two, &received, buffer, 0, 4, &err);
    d->table->queue_synchronize(d->device, two, &err);
    d->table->queue_synchronize(d->device, d->queue, &err);
    d->table->queue_destroy(d->device, two);
    d->table->buffer_free(d->device, NULL, buffer);
    return received;
}

Test(test_backends, delaying_orders_queues_by_events_alone) {
    driver d = driver_open("delaying");
    cr_assert_eq(read_across_queues(&d, true), 3);
    cr_assert(isnan(read_across_queues(&d, false)), "a missing wait went unnoticed");
    driver_close(&d);
}

Test(test_backends, delaying_waits_for_an_event_no_further_than_it) {
    driver d = driver_open("delaying");
    tern_backend_error err;
    tern_bevent *event;
    tern_bbuffer *buffer;
    d.table->event_create(d.device, &event, &err);
    d.table->buffer_alloc(d.device, 4, &buffer, &err);
    float one = 1, two = 2, first = 0, second = 0;
    d.table->copy_to_device(d.device, d.queue, buffer, 0, &one, 4, &err);
    d.table->copy_to_host(d.device, d.queue, &first, buffer, 0, 4, &err);
    d.table->event_record(d.device, d.queue, event, &err);
    d.table->copy_to_device(d.device, d.queue, buffer, 0, &two, 4, &err);
    d.table->copy_to_host(d.device, d.queue, &second, buffer, 0, 4, &err);
    cr_assert_eq(d.table->event_synchronize(d.device, event, &err), TERN_BACKEND_OK);
    cr_assert_eq(first, 1);
    cr_assert(second != 2, "work after the event was done already");
    d.table->queue_synchronize(d.device, d.queue, &err);
    cr_assert_eq(second, 2);
    d.table->event_destroy(d.device, event);
    d.table->buffer_free(d.device, NULL, buffer);
    driver_close(&d);
}

Test(test_backends, delaying_reports_a_buffer_freed_under_queued_work) {
    driver d = driver_open("delaying");
    tern_backend_error err = {""};
    tern_bbuffer *buffer;
    float value = 1;
    d.table->buffer_alloc(d.device, 4, &buffer, &err);
    d.table->copy_to_device(d.device, d.queue, buffer, 0, &value, 4, &err);
    d.table->buffer_free(d.device, NULL, buffer);
    cr_assert_eq(d.table->queue_synchronize(d.device, d.queue, &err), TERN_BACKEND_INVALID);
    cr_assert_not_null(strstr(err.message, "freed while queued work used it"));
    driver_close(&d);
}
