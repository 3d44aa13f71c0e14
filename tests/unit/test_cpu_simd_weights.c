/* Constant weights of cpu_simd's matrix products, which the device keeps packed. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tern/context.h" /* before the driver, which has a type named `tensor` */

#include "kernel_driver.h"
#include "simd_variants.h"

enum { ROWS = 40, INNER = 600, COLUMNS = 50 };

/* out [ROWS, columns] = x [ROWS, inner] w [inner, columns], of whole numbers. */
typedef struct layer {
    driver *d;
    int64_t inner, columns;
    tensor in[2], out;
} layer;

static double number(int64_t i, int64_t seed) {
    return (double)((i * 7 + seed * 5 + i / 11) % 9 - 4);
}

static double *numbers(int64_t count, int64_t seed) {
    double *values = malloc((size_t)count * sizeof *values);
    for (int64_t i = 0; i < count; i++) values[i] = number(i, seed);
    return values;
}

/* With a weight [columns, inner], as linear layers have it, where it is `turned`. */
static layer layer_new(driver *d, int dtype, int64_t inner, int64_t columns, bool turned,
                       uint64_t stamp) {
    layer l = {.d = d, .inner = inner, .columns = columns};
    double *x = numbers(ROWS * inner, 1);
    l.in[0] = tensor_new(d, dtype, SHAPE(ROWS, inner), x);
    l.in[1] = tensor_strided(d, dtype, SHAPE(inner, columns),
                             turned ? (int64_t[]){1, inner} : (int64_t[]){columns, 1}, 0, NULL);
    l.in[1].operand.flags |= TERN_OPERAND_CONSTANT;
    l.in[1].operand.stamp = stamp;
    int out_dtype = dtype == TERN_BT_FLOAT64 ? dtype : TERN_BT_FLOAT32;
    l.out = tensor_new(d, out_dtype, SHAPE(ROWS, columns), NULL);
    free(x);
    return l;
}

static void layer_free(layer *l) {
    tensor_free(l->d, &l->in[0]);
    tensor_free(l->d, &l->in[1]);
    tensor_free(l->d, &l->out);
}

/* Writes the weight, behind the back of its stamp. */
static void set_weight(layer *l, int64_t seed) {
    double *values = numbers(l->inner * l->columns, seed);
    tensor from = tensor_new(l->d, l->in[1].operand.dtype, SHAPE(l->inner, l->columns), values);
    driver_run(l->d, TERN_KERNEL_COPY, &from, 1, &l->in[1], 1, NULL, 0);
    tensor_free(l->d, &from);
    free(values);
}

static void multiply(layer *l) {
    tern_matmul_attrs attrs = {1, 0, 1, 0};
    driver_run(l->d, TERN_KERNEL_MATMUL, l->in, 2, &l->out, 1, &attrs, sizeof attrs);
}

/* Whether out is the product with the weight that `seed` gave. */
static bool is_product_with(layer *l, int64_t seed) {
    double *x = numbers(ROWS * l->inner, 1), *w = numbers(l->inner * l->columns, seed);
    double *out = malloc((size_t)(ROWS * l->columns) * sizeof *out);
    bool same = true;
    tensor_read(l->d, &l->out, out);
    for (int64_t i = 0; i < ROWS; i++)
        for (int64_t j = 0; j < l->columns && same; j++) {
            double sum = 0;
            for (int64_t p = 0; p < l->inner; p++)
                sum += x[i * l->inner + p] * w[p * l->columns + j];
            same = out[i * l->columns + j] == sum;
        }
    free(x), free(w), free(out);
    return same;
}

static void multiply_thrice(layer *l, int64_t seed) {
    for (int i = 0; i < 3; i++) {
        multiply(l);
        cr_assert(is_product_with(l, seed), "product %d", i);
    }
}

Test(cpu_simd_weights, a_constant_is_kept_from_its_second_product_on_until_its_stamp_changes) {
    static const int dtypes[] = {TERN_BT_FLOAT32, TERN_BT_FLOAT64, TERN_BT_FLOAT16,
                                 TERN_BT_BFLOAT16};
    const char *variants[SIMD_VARIANTS_MOST];
    int n_variants = simd_variants(variants);
    for (int v = 0; v < n_variants; v++) {
        driver d = driver_open(variants[v]);
        for (int i = 0; i < 8; i++) {
            layer l = layer_new(&d, dtypes[i / 2], INNER, COLUMNS, i % 2, 5);
            set_weight(&l, 2);
            multiply_thrice(&l, 2);
            set_weight(&l, 3);
            multiply(&l);
            cr_assert(is_product_with(&l, 2), "what was packed is used");
            l.in[1].operand.stamp++;
            tern_fail_allocation(0);
            for (int t = 0; t < 3; t++) multiply(&l);
            cr_assert_eq(tern_fail_allocation(0), 0, "new contents take the old ones' memory");
            multiply_thrice(&l, 3);
            l.in[1].operand.flags &= ~(uint32_t)TERN_OPERAND_CONSTANT;
            set_weight(&l, 4);
            multiply(&l);
            cr_assert(is_product_with(&l, 4), "what is not constant is read");
            layer_free(&l);
        }
        driver_close(&d);
    }
}

Test(cpu_simd_weights, a_part_of_a_storage_is_a_weight_of_its_own) {
    const char *variants[SIMD_VARIANTS_MOST];
    simd_variants(variants);
    driver d = driver_open(variants[0]);
    layer l = layer_new(&d, TERN_BT_FLOAT32, INNER, COLUMNS, false, 9);
    set_weight(&l, 2);
    multiply_thrice(&l, 2);
    /* the last 20 columns by themselves */
    tensor whole = l.in[1];
    double *out = malloc(sizeof(double) * ROWS * 20), expected = 0;
    tensor part = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(ROWS, 20), NULL);
    l.in[1].operand.at.byte_offset += 30 * sizeof(float);
    l.in[1].shape[1] = 20;
    tern_matmul_attrs attrs = {1, 0, 1, 0};
    for (int i = 0; i < 3; i++)
        driver_run(&d, TERN_KERNEL_MATMUL, l.in, 2, &part, 1, &attrs, sizeof attrs);
    tensor_read(&d, &part, out);
    for (int64_t p = 0; p < INNER; p++)
        expected += number(7 * INNER + p, 1) * number(p * COLUMNS + 33, 2);
    cr_assert_eq(out[7 * 20 + 3], expected);
    l.in[1] = whole;
    multiply(&l);
    cr_assert(is_product_with(&l, 2));
    free(out);
    tensor_free(&d, &part);
    layer_free(&l);
    driver_close(&d);
}

Test(cpu_simd_weights, a_product_goes_on_where_there_is_no_memory_to_keep_its_weight) {
    const char *variants[SIMD_VARIANTS_MOST];
    simd_variants(variants);
    driver d = driver_open(variants[0]);
    layer l = layer_new(&d, TERN_BT_FLOAT32, INNER, COLUMNS, true, 5);
    set_weight(&l, 2);
    for (int i = 0; i < 4;
         i++) { /* none for the table, one for it, none for the weight, one for it */
        tern_fail_allocation(i % 2 == 0 ? 1 : 0);
        multiply(&l);
        tern_fail_allocation(0);
        cr_assert(is_product_with(&l, 2), "product %d", i);
    }
    layer_free(&l);
    driver_close(&d);
}

Test(cpu_simd_weights, they_make_room_for_a_buffer_that_finds_no_memory) {
    const char *variants[SIMD_VARIANTS_MOST];
    simd_variants(variants);
    driver d = driver_open(variants[0]);
    layer l = layer_new(&d, TERN_BT_FLOAT32, INNER, COLUMNS, true, 5);
    tern_backend_error err;
    tern_bbuffer *buffer;
    set_weight(&l, 2);
    tern_fail_allocation(1);
    cr_assert_eq(d.table->buffer_alloc(d.device, 4096, &buffer, &err), TERN_BACKEND_OUT_OF_MEMORY);
    multiply_thrice(&l, 2);
    tern_fail_allocation(1);
    cr_assert_eq(d.table->buffer_alloc(d.device, 4096, &buffer, &err), TERN_BACKEND_OK);
    tern_fail_allocation(0);
    d.table->buffer_free(d.device, d.queue, buffer);
    multiply_thrice(&l, 2);
    layer_free(&l);
    driver_close(&d);
}

Test(cpu_simd_weights, more_of_them_than_there_are_places_for_are_multiplied_all_the_same) {
    enum { WEIGHTS = 700 };
    const char *variants[SIMD_VARIANTS_MOST];
    simd_variants(variants);
    driver d = driver_open(variants[0]);
    layer *layers = malloc(WEIGHTS * sizeof *layers);
    for (int i = 0; i < WEIGHTS; i++) {
        layers[i] = layer_new(&d, TERN_BT_FLOAT32, 24, 18, true, (uint64_t)(i + 1));
        set_weight(&layers[i], i);
    }
    for (int turn = 0; turn < 10; turn++)
        for (int i = 0; i < WEIGHTS; i++) {
            multiply(&layers[i]);
            cr_assert(is_product_with(&layers[i], i), "weight %d", i);
        }
    for (int i = 0; i < WEIGHTS; i++) layer_free(&layers[i]);
    free(layers);
    driver_close(&d);
}

static void *multiply_often(void *user) {
    layer *l = user;
    for (int i = 0; i < 300; i++) {
        if (i % 10 == 0) l->in[1].operand.stamp += 100; /* as if all had written the same */
        multiply(l);
    }
    return NULL;
}

Test(cpu_simd_weights, threads_share_a_weight) {
    enum { THREADS = 4 };
    const char *variants[SIMD_VARIANTS_MOST];
    simd_variants(variants);
    driver d = driver_open(variants[0]);
    layer l[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        l[i] = layer_new(&d, TERN_BT_FLOAT32, INNER, COLUMNS, true, 5);
        if (i > 0) {
            tensor own = l[i].in[1];
            tensor_free(&d, &own);
            l[i].in[1] = l[0].in[1];
        }
    }
    set_weight(&l[0], 2);
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, multiply_often, &l[i]), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) cr_assert(is_product_with(&l[i], 2), "thread %d", i);
    for (int i = THREADS; i-- > 0;) {
        if (i > 0) tensor_free(&d, &l[i].in[0]), tensor_free(&d, &l[i].out);
    }
    layer_free(&l[0]);
    driver_close(&d);
}
