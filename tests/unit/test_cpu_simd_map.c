/*
 * MAP on the variants of cpu_simd: programs drawn at random, of members whose results are exact, give the
 * bits of cpu_ref, however operands lie: of any dtype, with gaps, transposed, broadcast, in place, of sizes
 * around vectors, blocks and spans.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_driver.h"
#include "simd_variants.h"

enum { MOST_INPUTS = 6, MOST_STEPS = 40, MOST_OUTPUTS = 3, MOST_TUPLES = 3, MOST = 70000 };

/* ---- drawing --------------------------------------------------------------------------------- */

static uint64_t state;

static int below(int n) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int)((state >> 33) % (uint64_t)n);
}

/* Small numbers with a few bits and special ones, so that most results are numbers too. */
static double number(void) {
    static const double special[] = {0, -0.0, 1, -1, 0x1p-140, 0x1.fp127};
    int kind = below(24);
    if (kind == 0) return special[below(6)];
    if (kind == 1) return below(2) ? HUGE_VAL : (double)__builtin_nanf("");
    return (double)(below(4097) - 2048) / 256;
}

typedef struct program {
    tern_map_attrs attrs;
    tern_map_constant constants[2];
    tern_map_step steps[MOST_STEPS];
    int16_t outputs[MOST_OUTPUTS];
} program;

/* Members that are exact in every dtype; a factor is an input or a constant. */
static tern_map_step draw_step(bool integers, int values, int own) {
    static const int16_t unary[] = {
        TERN_UNARY_NEG,  TERN_UNARY_ABS,         TERN_UNARY_SIGN,  TERN_UNARY_SQUARE,
        TERN_UNARY_RELU, TERN_UNARY_LOGICAL_NOT, TERN_UNARY_FLOOR, TERN_UNARY_RECIPROCAL,
        TERN_UNARY_SQRT, TERN_UNARY_ISNAN};
    static const int16_t binary[] = {TERN_BINARY_ADD, TERN_BINARY_SUB,        TERN_BINARY_MUL,
                                     TERN_BINARY_LT,  TERN_BINARY_MAXIMUM,    TERN_BINARY_MINIMUM,
                                     TERN_BINARY_EQ,  TERN_BINARY_LOGICAL_OR, TERN_BINARY_DIV};
    int16_t a = (int16_t)below(values), b = (int16_t)below(values), c = (int16_t)below(values);
    int16_t factor = (int16_t)(integers || below(2) ? -1 : below(own));
    int kind = below(10);
    if (kind < 3)
        return (tern_map_step){TERN_KERNEL_UNARY, unary[below(integers ? 7 : 10)], {a, -1, -1, -1}};
    if (kind < 7) {
        int16_t fn = binary[below(integers ? 8 : 9)];
        return (tern_map_step){
            TERN_KERNEL_BINARY, fn, {a, b, fn <= TERN_BINARY_SUB ? factor : (int16_t)-1, -1}};
    }
    if (kind < 9) {
        int16_t fn = (int16_t)(1 + below(integers ? 2 : 5));
        bool scaled = fn == TERN_TERNARY_ADDCMUL || fn == TERN_TERNARY_ADDCDIV;
        return (tern_map_step){TERN_KERNEL_TERNARY, fn, {a, b, c, scaled ? factor : (int16_t)-1}};
    }
    if (integers) return (tern_map_step){TERN_KERNEL_UNARY, TERN_UNARY_NEG, {a, -1, -1, -1}};
    return (tern_map_step){TERN_KERNEL_COPY, (int16_t)below(4), {a, -1, -1, -1}};
}

/* The bytes of a drawn program, without gaps between its parts. */
static size_t draw_program(int compute, program *p, char *out_bytes) {
    int inputs = 1 + below(MOST_INPUTS), constants = below(3), steps = 1 + below(MOST_STEPS);
    p->attrs = (tern_map_attrs){compute, inputs, 1 + below(MOST_OUTPUTS), constants, steps, 0};
    for (int k = 0; k < constants; k++) {
        if (compute == TERN_BT_INT64)
            p->constants[k].i = below(9) - 4;
        else
            p->constants[k].f = number();
    }
    for (int k = 0; k < steps; k++)
        p->steps[k] =
            draw_step(compute == TERN_BT_INT64, inputs + constants + k, inputs + constants);
    for (int k = 0; k < p->attrs.n_outputs; k++)
        p->outputs[k] = (int16_t)below(inputs + constants + steps);
    char *at = out_bytes;
    memcpy(at, &p->attrs, sizeof p->attrs);
    at += sizeof p->attrs;
    memcpy(at, p->constants, (size_t)constants * sizeof *p->constants);
    at += (size_t)constants * sizeof *p->constants;
    memcpy(at, p->steps, (size_t)steps * sizeof *p->steps);
    at += (size_t)steps * sizeof *p->steps;
    memcpy(at, p->outputs, (size_t)p->attrs.n_outputs * sizeof *p->outputs);
    at += (size_t)p->attrs.n_outputs * sizeof *p->outputs;
    return (size_t)(at - out_bytes);
}

/* ---- operands -------------------------------------------------------------------------------- */

static int draw_dtype(int compute) {
    static const int floats[] = {TERN_BT_FLOAT32, TERN_BT_FLOAT32, TERN_BT_FLOAT32,
                                 TERN_BT_FLOAT64, TERN_BT_FLOAT16, TERN_BT_BFLOAT16,
                                 TERN_BT_INT32,   TERN_BT_BOOL};
    static const int integers[] = {TERN_BT_INT64, TERN_BT_INT64, TERN_BT_INT32, TERN_BT_INT8,
                                   TERN_BT_BOOL};
    return compute == TERN_BT_INT64 ? integers[below(5)] : floats[below(8)];
}

/* Values that the dtype holds: of floats as said, of integers small. */
static void draw_values(int dtype, int64_t n, double *out) {
    bool floating = dtype <= TERN_BT_BFLOAT16;
    for (int64_t i = 0; i < n; i++)
        out[i] = dtype == TERN_BT_BOOL ? below(2) : floating ? number() : below(17) - 8;
}

/* Contiguous, behind an odd number of elements, with gaps, transposed, or broadcast. */
static void draw_strides(bool output, int rank, const int64_t *shape, int64_t *out_strides,
                         int64_t *out_offset) {
    int kind = below(output ? 4 : 7), order[3];
    int64_t step = kind == 2 ? 2 : 1;
    for (int d = 0; d < rank; d++) order[d] = kind == 3 ? d : rank - 1 - d;
    for (int d = 0; d < rank; step *= shape[order[d]], d++) out_strides[order[d]] = step;
    for (int d = 0; d < rank; d++)
        if (kind == 6 || (kind > 3 && (d & 1) == (kind & 1))) out_strides[d] = 0;
    *out_offset = kind == 1 ? 3 : 0;
}

static tensor draw_tensor(driver *d, int dtype, bool output, int rank, const int64_t *shape,
                          double *values) {
    int64_t strides[3], offset, count = 1;
    for (int k = 0; k < rank; k++) count *= shape[k];
    draw_strides(output, rank, shape, strides, &offset);
    draw_values(dtype, count, values);
    return tensor_strided(d, dtype, rank, shape, strides, offset, values);
}

static int draw_shape(int64_t *out_shape) {
    static const int64_t sizes[] = {1, 2, 3, 7, 8, 9, 16, 31, 33, 100, 255, 257, 513};
    int rank = below(4);
    int64_t count = 1;
    for (int d = 0; d < rank; d++) {
        out_shape[d] = sizes[below(13)];
        while (count * out_shape[d] > MOST) out_shape[d] = 1 + out_shape[d] / 3;
        count *= out_shape[d];
    }
    return rank;
}

/* ---- comparing ------------------------------------------------------------------------------- */

typedef struct launched {
    tensor in[MOST_TUPLES * MOST_INPUTS], out[MOST_TUPLES * MOST_OUTPUTS];
} launched;

/* The same launch for the same seed, on any device. An output is now and then an input. */
static void launch(driver *d, uint64_t seed, double *out_results, int64_t *out_count) {
    static double values[MOST];
    static launched l;
    static const int computes[] = {TERN_BT_FLOAT32, TERN_BT_FLOAT32, TERN_BT_FLOAT64,
                                   TERN_BT_INT64};
    program p;
    char bytes[sizeof p];
    state = seed;
    int compute = computes[below(4)], tuples = 1 + below(MOST_TUPLES);
    size_t size = draw_program(compute, &p, bytes);
    int n_in = p.attrs.n_inputs, n_out = p.attrs.n_outputs, dtypes[MOST_INPUTS + MOST_OUTPUTS];
    bool immediate[MOST_INPUTS], in_place[MOST_OUTPUTS];
    for (int k = 0; k < n_in + n_out; k++) dtypes[k] = draw_dtype(compute);
    for (int k = 0; k < n_in; k++) immediate[k] = below(4) == 0;
    for (int k = 0; k < n_out; k++) in_place[k] = k < n_in && !immediate[k] && below(3) == 0;
    for (int t = 0; t < tuples; t++) {
        int64_t shape[3];
        int rank = draw_shape(shape);
        for (int k = 0; k < n_in; k++) {
            tensor *x = &l.in[t * n_in + k];
            bool written = k < n_out && in_place[k];
            *x = (tensor){.operand = {.dtype = dtypes[k]}};
            if (!immediate[k])
                *x = draw_tensor(d, dtypes[k], written, rank, shape, values);
            else if (dtypes[k] <= TERN_BT_BFLOAT16)
                x->operand.at.f = below(9) - 4;
            else
                x->operand.at.i = below(2);
        }
        for (int k = 0; k < n_out; k++)
            l.out[t * n_out + k] =
                in_place[k] ? l.in[t * n_in + k]
                            : draw_tensor(d, dtypes[n_in + k], true, rank, shape, values);
    }
    driver_run(d, TERN_KERNEL_MAP, l.in, tuples * n_in, l.out, tuples * n_out, bytes, size);
    *out_count = 0;
    for (int k = 0; k < tuples * n_out; k++) {
        tensor_read(d, &l.out[k], out_results + *out_count);
        *out_count += tensor_count(&l.out[k]);
        if (!in_place[k % n_out]) tensor_free(d, &l.out[k]);
    }
    for (int k = 0; k < tuples * n_in; k++)
        if (!immediate[k % n_in]) tensor_free(d, &l.in[k]);
}

Test(cpu_simd_map, gives_the_bits_of_cpu_ref_for_any_program_and_operands, .timeout = 120) {
    enum { DRAWS = 400, ROOM = MOST * MOST_TUPLES * MOST_OUTPUTS };
    double *expected = malloc(ROOM * sizeof(double)), *results = malloc(ROOM * sizeof(double));
    cr_assert(expected && results);
    const char *variants[SIMD_VARIANTS_MOST];
    int count = simd_variants(variants);
    for (int v = 0; v < count; v++) {
        driver reference = driver_open("cpu_ref"), d = driver_open(variants[v]);
        for (uint64_t seed = 1; seed <= DRAWS; seed++) {
            int64_t n, m;
            launch(&reference, seed, expected, &n);
            launch(&d, seed, results, &m);
            cr_assert_eq(n, m);
            for (int64_t i = 0; i < n; i++) {
                bool nan = isnan(expected[i]) && isnan(results[i]);
                cr_assert(nan || memcmp(&expected[i], &results[i], sizeof *results) == 0,
                          "%s, draw %d: result %d is %a, not %a", variants[v], (int)seed, (int)i,
                          results[i], expected[i]);
            }
        }
        driver_close(&d);
        driver_close(&reference);
    }
    free(expected);
    free(results);
}
