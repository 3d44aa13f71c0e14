/* The kit's scratch memory: kept by a device, from launch to launch, for several threads. */
#include <criterion/criterion.h>
#include <pthread.h>

#include "tern/context.h" /* before the driver, which has a type named `tensor` */

#include "kernel_driver.h"

enum { LONGEST = 300, THREADS = 4 };

typedef struct lines {
    driver *d;
    tensor in, out[2];
} lines;

/* n numbers in falling order. */
static lines lines_new(driver *d, int64_t n) {
    double values[LONGEST];
    for (int64_t i = 0; i < n; i++) values[i] = (double)(n - i);
    lines l = {.d = d, .in = tensor_new(d, TERN_BT_FLOAT32, SHAPE(n), values)};
    l.out[0] = tensor_new(d, TERN_BT_FLOAT32, SHAPE(n), NULL);
    l.out[1] = tensor_new(d, TERN_BT_INT64, SHAPE(n), NULL);
    return l;
}

static void lines_free(lines *l) {
    tensor_free(l->d, &l->in);
    tensor_free(l->d, &l->out[0]);
    tensor_free(l->d, &l->out[1]);
}

static void sort(lines *l) {
    tern_sort_attrs attrs = {0, 0};
    driver_run(l->d, TERN_KERNEL_SORT, &l->in, 1, l->out, 2, &attrs, sizeof attrs);
}

Test(kit_scratch, launches_that_repeat_take_no_memory) {
    driver d = driver_open("cpu_ref");
    lines small = lines_new(&d, 5), large = lines_new(&d, LONGEST);
    sort(&small);
    sort(&large);
    tern_fail_allocation(0);
    for (int i = 0; i < 10; i++) {
        sort(&large);
        sort(&small);
    }
    cr_assert_eq(tern_fail_allocation(0), 0, "the block that was large enough serves both");
    lines_free(&small);
    lines_free(&large);
    driver_close(&d);
}

static void *sort_often(void *user) {
    lines *l = user;
    for (int i = 0; i < 200; i++) sort(l);
    return NULL;
}

Test(kit_scratch, threads_that_launch_at_once_have_blocks_of_their_own) {
    driver d = driver_open("cpu_ref");
    lines all[THREADS];
    pthread_t threads[THREADS];
    for (int t = 0; t < THREADS; t++) all[t] = lines_new(&d, LONGEST - 10 * t);
    for (int t = 0; t < THREADS; t++)
        cr_assert_eq(pthread_create(&threads[t], NULL, sort_often, &all[t]), 0);
    for (int t = 0; t < THREADS; t++) {
        double sorted[LONGEST];
        pthread_join(threads[t], NULL);
        tensor_read(&d, &all[t].out[0], sorted);
        for (int64_t i = 0; i < tensor_count(&all[t].in); i++)
            cr_assert_float_eq(sorted[i], (double)(i + 1), 0);
        lines_free(&all[t]);
    }
    driver_close(&d);
}
