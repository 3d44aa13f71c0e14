/* The test backends do what they are there for: they show a host's mistakes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "kernel_driver.h"

static const char *const names[] = {"discrete", "delaying", "minimal", "faulty"};

Test(test_backends, give_the_reference_results) {
    for (int i = 0; i < 4; i++) {
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
    for (int i = 0; i < 4; i++) {
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

/* A driver of the faulty device that has the bug; "" is its right one. */
static driver open_faulty(const char *bug) {
    driver d = driver_open("faulty");
    tern_device_info info = {.struct_size = sizeof info};
    tern_backend_error err = {""};
    int32_t count = 0;
    cr_assert_eq(d.desc.device_count(&count, &err), TERN_BACKEND_OK);
    for (int32_t i = 0; i < count; i++) {
        cr_assert_eq(d.desc.device_info(i, &info, &err), TERN_BACKEND_OK, "%s", err.message);
        char wanted[64];
        snprintf(wanted, sizeof wanted, "%s%s%s", *bug ? "defect " : "no defect", bug,
                 *bug ? ": " : "");
        if (strncmp(info.name, wanted, strlen(wanted)) != 0) continue;
        d.table->close(d.device);
        cr_assert_eq(d.desc.device_open(i, &d.device, &err), TERN_BACKEND_OK, "%s", err.message);
        return d;
    }
    cr_assert_fail("faulty has no defect %s", bug);
    return d;
}

/* add(x, y, alpha=2) with the given bug. */
static double faulty_add(const char *bug, const double *x, int stride, double *second) {
    driver d = open_faulty(bug);
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

Test(test_backends, faulty_devices_have_the_bug_that_they_name) {
    const double x[] = {1, 2, 3, 4};
    double second;
    cr_assert_eq(faulty_add("", x, 2, &second), 3);
    cr_assert_eq(second, 6);
    cr_assert_eq(faulty_add("alpha_ignored", x, 2, &second), 2);
    faulty_add("ignored_stride", x, 2, &second);
    cr_assert(second != 6);
    cr_assert(faulty_add("ignored_offset", x, 2, NULL) != 3);
    cr_assert(faulty_add("dropped_tail", x, 2, NULL) == 3, "four elements have no tail");
}

Test(test_backends, faulty_has_no_device_behind_its_bugs) {
    driver d = driver_open("faulty");
    tern_bdevice *other;
    tern_backend_error err = {""};
    int32_t count = 0;
    cr_assert_eq(d.desc.device_count(&count, &err), TERN_BACKEND_OK);
    cr_assert_gt(count, 40);
    cr_assert_eq(d.desc.device_open(count, &other, &err), TERN_BACKEND_INVALID);
    cr_assert(strstr(err.message, "faulty has no device"), "%s", err.message);
    driver_close(&d);
}

/* x - value and x > value where value has no buffer, in each dtype. */
Test(test_backends, take_immediates_as_a_tensor_of_the_value) {
    for (int i = 0; i < 4; i++) {
        driver d = driver_open(names[i]);
        for (int dtype = 0; dtype < TERN_BT_BOOL; dtype++) {
            tensor in[] = {tensor_strided(&d, dtype, SHAPE(2, 2), (int64_t[]){1, 2}, 1,
                                          (double[]){5, 3, 4, 9}),
                           {.operand = {.dtype = dtype}}};
            if (dtype <= TERN_BT_BFLOAT16)
                in[1].operand.at.f = 2;
            else
                in[1].operand.at.i = 2;
            tensor out = tensor_new(&d, dtype, SHAPE(2, 2), NULL);
            tern_binary_attrs sub = {TERN_BINARY_SUB, 0, 1, 1};
            driver_run(&d, TERN_KERNEL_BINARY, in, 2, &out, 1, &sub, sizeof sub);
            tensor_expect(&d, &out, (double[]){3, 1, 2, 7}, 0, names[i]);
            tensor_free(&d, &in[0]);
            tensor_free(&d, &out);
        }
        driver_close(&d);
    }
}

Test(test_backends, minimal_has_nothing_that_may_be_left_out) {
    driver d = driver_open("minimal");
    const tern_bdevice_vtable *v = d.table;
    cr_assert(!v->buffer_import && !v->memory_info && !v->host_alloc && !v->host_free &&
              !v->copy_between && !v->queue_create && !v->event_create && !v->take_error &&
              !v->skip_flag && !v->prepare && !v->launch_plan && !v->plan_free);
    cr_assert(v->suballocation == 0 && v->planned[0] == 0 && v->alignment == 16);
    tern_bbuffer *buffer;
    tern_backend_error err;
    cr_assert_eq(v->buffer_alloc(d.device, v->largest_allocation, &buffer, &err), TERN_BACKEND_OK);
    cr_assert_eq((uintptr_t)buffer % 32, 16, "more aligned than it says");
    v->buffer_free(d.device, NULL, buffer);
    cr_assert_eq(v->buffer_alloc(d.device, v->largest_allocation + 1, &buffer, &err),
                 TERN_BACKEND_INVALID);
    driver_close(&d);
}
