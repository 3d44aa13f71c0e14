/* MAP through the plugin ABI: values, tuples, rounding, integers; on the test backends too. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "kernel_driver.h"

static const char *const names[] = {"cpu_ref", "discrete", "delaying"};

/* A program as launch gets it. */
typedef struct program {
    tern_map_attrs attrs;
    char rest[256];
} program;

static size_t append(program *p, size_t at, const void *bytes, size_t size) {
    cr_assert(at + size <= sizeof p->rest);
    memcpy(p->rest + at, bytes, size);
    return at + size;
}

/* Returns how many bytes it has. */
static size_t build(program *p, int compute, int n_inputs, const tern_map_constant *constants,
                    int n_constants, const tern_map_step *steps, int n_steps,
                    const int16_t *outputs, int n_outputs) {
    p->attrs = (tern_map_attrs){compute, n_inputs, n_outputs, n_constants, n_steps, 0};
    size_t at = append(p, 0, constants, (size_t)n_constants * sizeof *constants);
    at = append(p, at, steps, (size_t)n_steps * sizeof *steps);
    at = append(p, at, outputs, (size_t)n_outputs * sizeof *outputs);
    return sizeof p->attrs + at;
}

/* m = 0.9 m + 0.1 g; p = p - lr m: in place, two tuples of their own shapes and rates. */
Test(cpu_ref_map, applies_a_program_to_each_of_its_tuples) {
    static const tern_map_constant constants[] = {{.f = 0.75}, {.f = 0.25}};
    static const tern_map_step steps[] = {
        {TERN_KERNEL_BINARY, TERN_BINARY_MUL, {1, 4, -1, -1}},
        {TERN_KERNEL_BINARY, TERN_BINARY_ADD, {6, 2, 5, -1}},  /* + 0.25 g */
        {TERN_KERNEL_BINARY, TERN_BINARY_SUB, {0, 7, 3, -1}}}; /* - lr m */
    program p;
    size_t size = build(&p, TERN_BT_FLOAT32, 4, constants, 2, steps, 3, (int16_t[]){8, 7}, 2);
    for (int i = 0; i < 3; i++) {
        driver d = driver_open(names[i]);
        tensor in[8] = {
            tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2), (double[]){1, 2}),
            tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2), (double[]){4, 8}),
            tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2), (double[]){16, 32}),
            {.operand = {.at.f = 0.5, .dtype = TERN_BT_FLOAT32}},
            tensor_strided(&d, TERN_BT_FLOAT32, SHAPE(2, 2), (int64_t[]){1, 2}, 1,
                           (double[]){1, 2, 3, 4}),
            tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2, 2), (double[]){0, 0, 4, 4}),
            tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2, 2), (double[]){4, 8, 0, 0}),
            {.operand = {.at.f = 2, .dtype = TERN_BT_FLOAT32}},
        };
        tensor out[] = {in[0], in[1], in[4], in[5]};
        driver_run(&d, TERN_KERNEL_MAP, in, 8, out, 4, &p, size);
        tensor_expect(&d, &out[0], (double[]){1 - 3.5, 2 - 7}, 0, names[i]);
        tensor_expect(&d, &out[1], (double[]){7, 14}, 0, names[i]);
        tensor_expect(&d, &out[2], (double[]){-1, -2, -3, -2}, 0, names[i]);
        tensor_expect(&d, &out[3], (double[]){1, 2, 3, 3}, 0, names[i]);
        for (int k = 0; k < 8; k++)
            if (in[k].operand.buffer) tensor_free(&d, &in[k]);
        driver_close(&d);
    }
}

Test(cpu_ref_map, rounds_where_a_step_says_so_and_at_the_end) {
    static const tern_map_step steps[] = {{TERN_KERNEL_BINARY, TERN_BINARY_ADD, {0, 1, -1, -1}},
                                          {TERN_KERNEL_COPY, TERN_BT_BFLOAT16, {3, -1, -1, -1}},
                                          {TERN_KERNEL_BINARY, TERN_BINARY_SUB, {4, 0, -1, -1}},
                                          {TERN_KERNEL_BINARY, TERN_BINARY_SUB, {3, 0, -1, -1}},
                                          {TERN_KERNEL_BINARY, TERN_BINARY_GT, {3, 2, -1, -1}}};
    program p;
    size_t size = build(&p, TERN_BT_FLOAT32, 2, (tern_map_constant[]){{.f = 1.5}}, 1, steps, 5,
                        (int16_t[]){5, 6, 7}, 3);
    driver d = driver_open("cpu_ref");
    /* 300 positions: more than one chunk; the second operand is broadcast */
    double one[300], tiny[300], rounded[300], whole[300], above[300];
    for (int k = 0; k < 300; k++) {
        one[k] = k % 2 ? 1 : 2;
        rounded[k] = 0; /* bfloat16 has 8 bits */
        whole[k] = 0x1p-10;
        above[k] = k % 2 == 0;
        tiny[k] = 0x1p-10;
    }
    tensor in[] = {tensor_new(&d, TERN_BT_BFLOAT16, SHAPE(2, 150), one),
                   tensor_strided(&d, TERN_BT_FLOAT32, SHAPE(2, 150), (int64_t[]){0, 0}, 0, tiny)};
    tensor out[] = {tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2, 150), NULL),
                    tensor_new(&d, TERN_BT_FLOAT32, SHAPE(2, 150), NULL),
                    tensor_new(&d, TERN_BT_BOOL, SHAPE(2, 150), NULL)};
    driver_run(&d, TERN_KERNEL_MAP, in, 2, out, 3, &p, size);
    tensor_expect(&d, &out[0], rounded, 0, "rounded on the way");
    tensor_expect(&d, &out[1], whole, 0, "not rounded");
    tensor_expect(&d, &out[2], above, 0, "a comparison");
    for (int k = 0; k < 2; k++) tensor_free(&d, &in[k]);
    for (int k = 0; k < 3; k++) tensor_free(&d, &out[k]);
    driver_close(&d);
}

Test(cpu_ref_map, integers_wrap) {
    static const tern_map_step steps[] = {{TERN_KERNEL_BINARY, TERN_BINARY_MUL, {0, 0, -1, -1}},
                                          {TERN_KERNEL_BINARY, TERN_BINARY_ADD, {2, 1, -1, -1}},
                                          {TERN_KERNEL_UNARY, TERN_UNARY_NEG, {3, -1, -1, -1}},
                                          {TERN_KERNEL_TERNARY, TERN_TERNARY_CLAMP, {4, 1, 0, -1}}};
    program p;
    size_t size = build(&p, TERN_BT_INT64, 1, (tern_map_constant[]){{.i = 1}}, 1, steps, 4,
                        (int16_t[]){4, 5}, 2);
    driver d = driver_open("cpu_ref");
    tensor in = tensor_i64(&d, SHAPE(2), (int64_t[]){INT64_C(1) << 33, 3});
    tensor out[] = {tensor_i64(&d, SHAPE(2), (int64_t[]){0, 0}),
                    tensor_new(&d, TERN_BT_INT8, SHAPE(2), NULL)};
    driver_run(&d, TERN_KERNEL_MAP, &in, 1, out, 2, &p, size);
    int64_t values[2];
    tensor_read_i64(&d, &out[0], values);
    cr_assert_eq(values[0], -1 - (int64_t)(UINT64_C(1) << 33 << 33));
    cr_assert_eq(values[1], -10);
    tensor_expect(&d, &out[1], (double[]){1, 1}, 0, "clamped");
    tensor_free(&d, &in);
    for (int k = 0; k < 2; k++) tensor_free(&d, &out[k]);
    driver_close(&d);
}

Test(cpu_ref_map, says_how_long_a_program_it_takes) {
    driver d = driver_open("cpu_ref");
    cr_assert(driver_supports(&d, TERN_KERNEL_MAP, 512, 1, TERN_BT_FLOAT32, TERN_BT_FLOAT32));
    cr_assert_not(driver_supports(&d, TERN_KERNEL_MAP, 513, 1, TERN_BT_FLOAT32, TERN_BT_FLOAT32));
    driver_close(&d);
    d = driver_open("minimal");
    cr_assert_not(driver_supports(&d, TERN_KERNEL_MAP, 1, 1, TERN_BT_FLOAT32, TERN_BT_FLOAT32));
    driver_close(&d);
}
