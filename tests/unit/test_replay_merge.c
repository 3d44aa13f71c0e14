/* Replays: launches that become one, which do not, and that the bits stay those of the body. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include "replay_fixture.h"
#include "tern/formula.h"

TestSuite(replay_merge, .init = replay_begin, .fini = replay_end);

static const char *const devices[] = {"cpu_ref", "discrete", "delaying", "cpu_simd"};
enum { DEVICES = sizeof devices / sizeof devices[0], SIDE = 8, RUNS = 3 };

static void open_device(const char *name) {
    close_context();
    ctx = tern_open(name);
    CHECK_CLEAN();
    tern_manual_seed(ctx, 5);
}

static tern_tensor *square(void) {
    return tern_randn(ctx, TERN_SHAPE(SIDE, SIDE), NULL);
}

/* ---- bodies of which the number of launches is known ----------------------------------------- */

typedef tern_tensor *(*body)(tern_tensor *x, tern_tensor *w);

static tern_tensor *chain(tern_tensor *x, tern_tensor *w) {
    return tern_relu(tern_sub_scalar(tern_mul(x, w), 0.25));
}
static tern_tensor *epilogue(tern_tensor *x, tern_tensor *w) {
    return tern_add(x, tern_relu(tern_matmul(x, w)));
}
static tern_tensor *of_another_shape(tern_tensor *x, tern_tensor *w) {
    tern_tensor *product = tern_matmul(x, w);
    return tern_relu(tern_view(product, TERN_SHAPE(2, SIDE / 2, SIDE)));
}
static tern_tensor *beside_a_row(tern_tensor *x, tern_tensor *w) {
    tern_tensor *product = tern_view(tern_matmul(x, w), TERN_SHAPE(2, SIDE / 2, SIDE));
    return tern_add(product, tern_select(w, 0, 1));
}
static tern_tensor *masked(tern_tensor *x, tern_tensor *w) {
    return tern_where(tern_le_scalar(x, 0), w, x);
}
static tern_tensor *of_images(tern_tensor *x, tern_tensor *w) {
    tern_tensor *image = tern_reshape(x, TERN_SHAPE(1, 1, SIDE, SIDE));
    tern_tensor *taps = tern_reshape(w, TERN_SHAPE(SIDE, 1, 2, 4));
    return tern_relu(tern_conv2d(image, taps, NULL, 1, 0));
}
static tern_tensor *read_twice(tern_tensor *x, tern_tensor *w) {
    tern_tensor *e = tern_exp(x);
    return tern_matmul(e, tern_relu(tern_matmul(e, w)));
}
static tern_tensor *squared(tern_tensor *x, tern_tensor *w) {
    tern_tensor *e = tern_add(x, w);
    return tern_mul(e, e);
}
static tern_tensor *transposed(tern_tensor *x, tern_tensor *w) {
    return tern_add(tern_transpose(tern_exp(x), 0, 1), w);
}
static tern_tensor *widened(tern_tensor *x, tern_tensor *w) {
    return tern_add(tern_exp(tern_slice(x, 0, 0, 1, 1)), w);
}
/* 0.1 is another number in float32 */
static tern_tensor *by_a_factor(tern_tensor *x, tern_tensor *w) {
    return tern_relu(tern_add_alpha(x, w, 0.1));
}
static tern_tensor *by_a_float(tern_tensor *x, tern_tensor *w) {
    return tern_relu(tern_add_alpha(x, w, 0.5));
}
/* in 16 bits each result is rounded */
static tern_tensor *narrow(tern_tensor *x, tern_tensor *w) {
    tern_tensor *a = tern_to_dtype(x, TERN_BFLOAT16), *b = tern_to_dtype(w, TERN_BFLOAT16);
    return tern_to_dtype(tern_relu(tern_mul(a, b)), TERN_FLOAT32);
}
static tern_tensor *formulas(tern_tensor *x, tern_tensor *w) {
    tern_value values = tern_dict_new(ctx, false);
    tern_dict_set(values, "x", tern_tensor_value(tern_relu(x)));
    tern_dict_set(values, "w", tern_tensor_value(w));
    return tern_tanh(tern_map(ctx, "2 - x * w", values));
}
/* a program of many steps stays the program that it is: a device may know it */
static tern_tensor *long_epilogue(tern_tensor *x, tern_tensor *w) {
    return tern_neg(tern_neg(tern_gelu(tern_matmul(x, w))));
}
static tern_tensor *long_beside_others(tern_tensor *x, tern_tensor *w) {
    return tern_sub(tern_gelu(tern_neg(x)), w);
}
static tern_tensor *long_chain(tern_tensor *x, tern_tensor *w) {
    return tern_gelu(tern_add(x, w));
}
static tern_tensor *overwritten(tern_tensor *x, tern_tensor *w) {
    tern_tensor *y = tern_matmul(x, w), *e = tern_exp(y);
    tern_add_in_place(y, w); /* after e was made of it */
    return tern_matmul(tern_mul(e, w), y);
}

static const struct {
    const char *name;
    body body;
    size_t launches;
} bodies[] = {
    {"chain", chain, 1},
    {"epilogue", epilogue, 1},
    {"of another shape", of_another_shape, 1},
    {"beside a row", beside_a_row, 2},
    {"masked", masked, 1},
    {"of images", of_images, 1},
    {"read twice", read_twice, 3},
    {"squared", squared, 1},
    {"transposed", transposed, 2},
    {"widened", widened, 2},
    {"by a factor", by_a_factor, 2},
    {"by a float", by_a_float, 1},
    {"narrow", narrow, 5},
    {"formulas", formulas, 1},
    {"long epilogue", long_epilogue, 2},
    {"long beside others", long_beside_others, 3},
    {"long chain", long_chain, 2},
    {"overwritten", overwritten, 5},
};
enum { BODIES = sizeof bodies / sizeof bodies[0] };

static void check_body(const char *device, int which, tern_tensor *w) {
    tern_tensor *x = square();
    capture(x);
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_tensor *out = bodies[which].body(x, w);
    tern_replay *replay = tern_capture_end(ctx, &out, 1);
    CHECK_CLEAN();
    size_t launches = tern_replay_describe(replay).launches;
    cr_assert_eq(launches, bodies[which].launches, "%s, %s: %zu launches", device,
                 bodies[which].name, launches);
    for (int run = 0; run < RUNS; run++) {
        x = square();
        tern_replay_run(replay, &x, 1);
        CHECK_CLEAN();
        cr_assert(tern_equal(tern_replay_output(replay, 0), bodies[which].body(x, w)), "%s, %s",
                  device, bodies[which].name);
    }
    tern_scope_end(scope);
}

Test(replay_merge, what_one_launch_reads_alone_is_a_part_of_it) {
    for (int d = 0; d < DEVICES; d++) {
        open_device(devices[d]);
        tern_tensor *w = square();
        for (int i = 0; i < BODIES; i++) check_body(devices[d], i, w);
    }
}

/* A family that is switched off stays so. */
Test(replay_merge, nothing_is_merged_where_programs_are_composed) {
    tern_set_composed(ctx, "all", true);
    tern_tensor *x = square(), *w = square();
    capture(x);
    tern_tensor *out = epilogue(x, w);
    tern_replay *replay = tern_capture_end(ctx, &out, 1);
    cr_assert_eq(tern_replay_describe(replay).launches, 3);
    CHECK_CLEAN();
}

/* ---- bodies at random ------------------------------------------------------------------------ */

enum { POOL = 5, STEPS = 24, PROGRAMS = 40 };

static uint32_t below(uint32_t *state, uint32_t n) {
    *state = *state * UINT32_C(1664525) + UINT32_C(1013904223);
    return (*state >> 16) % n;
}

static tern_tensor *formula(const char *text, tern_tensor *a, tern_tensor *b) {
    tern_value values = tern_dict_new(ctx, false);
    tern_dict_set(values, "a", tern_tensor_value(a));
    tern_dict_set(values, "b", tern_tensor_value(b));
    return tern_map(ctx, text, values);
}

/* None that makes numbers larger without end. */
static tern_tensor *step_of(uint32_t *state, tern_tensor *a, tern_tensor *b, tern_tensor *c) {
    switch (below(state, 18)) {
    case 0: return tern_add(a, b);
    case 1: return tern_sub(a, b);
    case 2: return tern_tanh(tern_mul(a, b));
    case 3: return tern_relu(a);
    case 4: return tern_neg(tern_abs(a));
    case 5: return tern_where(tern_gt(a, b), b, c);
    case 6: return tern_tanh(tern_matmul(a, b));
    case 7: return tern_matmul(tern_sigmoid(a), tern_mul_scalar(b, 0.125));
    case 8: return tern_transpose(tern_neg(a), 0, 1);
    case 9: return tern_mul_scalar(a, 0.3);
    case 10: return tern_gelu(a);
    case 11: return tern_maximum(a, tern_mean_dims(b, TERN_SHAPE(0), true));
    case 12:
        return tern_view(tern_view(tern_exp(tern_neg(tern_abs(a))), TERN_SHAPE(2, -1)),
                         TERN_SHAPE(SIDE, SIDE));
    case 13: return tern_gelu(tern_matmul(a, tern_tanh(b)));
    case 14: return formula("0.25 - a * b", tern_tanh(a), tern_relu(b));
    case 15: return formula("where(b > 0.5, a, 2 - b)", tern_matmul(a, tern_tanh(b)), c);
    case 16: return tern_relu(formula("a - 0.5 * b", a, b));
    default: return tern_add_alpha(a, b, 0.25);
    }
}

/* A pool of tensors, of which each step replaces one or changes it. */
static tern_tensor *at_random(uint32_t seed, tern_tensor *x, tern_tensor *w) {
    tern_tensor *pool[POOL] = {x, w, tern_exp(tern_neg(tern_abs(x))), tern_add(x, w), tern_tanh(w)};
    uint32_t state = seed;
    for (int i = 0; i < STEPS; i++) {
        uint32_t to = 2 + below(&state, POOL - 2);
        tern_tensor *a = pool[below(&state, POOL)], *b = pool[below(&state, POOL)];
        tern_tensor *c = pool[below(&state, POOL)];
        tern_tensor *next = step_of(&state, tern_contiguous(a), tern_contiguous(b), c);
        if (below(&state, 8) == 0) tern_mul_in_place(pool[to], tern_tanh(a));
        pool[to] = next;
    }
    for (int i = 3; i < POOL; i++) pool[2] = tern_add(pool[2], tern_sum(pool[i]));
    return pool[2];
}

static size_t check_at_random(const char *device, uint32_t seed, tern_tensor *w) {
    tern_tensor *x = square();
    capture(x);
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_tensor *out = at_random(seed, x, w);
    tern_replay *replay = tern_capture_end(ctx, &out, 1);
    CHECK_CLEAN();
    for (int run = 0; run < RUNS; run++) {
        x = square();
        tern_tensor *wanted = at_random(seed, x, w);
        tern_replay_run(replay, &x, 1);
        CHECK_CLEAN();
        cr_assert(tern_equal(tern_isnan(wanted), tern_zeros_like(tern_isnan(wanted))));
        cr_assert(tern_equal(tern_replay_output(replay, 0), wanted), "%s, %u", device,
                  (unsigned)seed);
    }
    tern_replay_info info = tern_replay_describe(replay);
    tern_scope_end(scope);
    return info.captured_launches - info.launches;
}

Test(replay_merge, bodies_at_random_have_their_bits) {
    size_t fewer = 0;
    for (int d = 0; d < DEVICES; d++) {
        open_device(devices[d]);
        tern_tensor *w = square();
        for (uint32_t seed = 0; seed < PROGRAMS; seed++)
            fewer += check_at_random(devices[d], seed, w);
    }
    cr_assert_gt(fewer, (size_t)DEVICES * PROGRAMS * 4, "%zu", fewer);
}
