/* Attention: launches, fused against composed, derivatives, masks that hide whole rows, layouts. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tern/grad.h"
#include "tern/ops.h"
#include "tern/tern.h"

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu_ref");
}
static void close_context(void) {
    cr_assert_eq(tern_close(ctx), TERN_OK);
}
TestSuite(fused_attention, .init = open_context, .fini = close_context);

enum { L = 4, S = 6, E = 4, MOST = 1024 };

typedef enum mask_kind { NO_MASK, BOOL_MASK, FLOAT_MASK, BOOL_DEAD, FLOAT_DEAD } mask_kind;

typedef struct setting {
    const char *what;
    int q_rank, k_rank; /* leading dimensions, of the sizes below */
    int64_t q_lead[4], k_lead[4];
    int64_t width; /* of the values */
    mask_kind mask;
    bool causal, grouped;
    double scale; /* 0: the default */
} setting;

static const setting settings[] = {
    {"no batch", 0, 0, {0}, {0}, E, NO_MASK, false, false, 0},
    {"one dimension", 1, 1, {3}, {3}, E, NO_MASK, true, false, 0},
    {"two", 2, 2, {2, 3}, {2, 3}, 5, FLOAT_MASK, false, false, 0.3},
    {"bool mask", 2, 2, {2, 3}, {2, 3}, E, BOOL_MASK, false, false, 0},
    {"rows of false", 2, 2, {2, 1}, {2, 1}, E, BOOL_DEAD, false, false, 0},
    {"rows of -inf", 1, 1, {2}, {2}, E, FLOAT_DEAD, false, false, 0},
    {"three", 3, 3, {2, 1, 2}, {2, 1, 2}, 3, BOOL_MASK, false, false, 0},
    {"keys for all", 2, 2, {2, 3}, {1, 1}, E, NO_MASK, true, false, 0},
    {"one query for all", 0, 2, {0}, {2, 2}, E, NO_MASK, false, false, 0},
    {"groups", 2, 2, {2, 4}, {2, 2}, E, BOOL_MASK, false, true, 0},
    {"one group", 1, 1, {4}, {1}, E, NO_MASK, true, true, 0},
};
enum { SETTINGS = sizeof settings / sizeof settings[0] };

static tern_tensor *numbers(const int64_t *lead, int rank, int64_t n, int64_t width, double step,
                            tern_dtype dtype) {
    tern_shape shape = {rank, {0}};
    int64_t count = n * width;
    for (int d = 0; d < rank; d++) count *= shape.dim[d] = lead[d];
    shape.dim[shape.rank++] = n;
    shape.dim[shape.rank++] = width;
    tern_tensor *x = tern_sin(tern_linspace(ctx, step, step * (double)count, count));
    return tern_requires_grad(tern_detach(tern_to_dtype(tern_reshape(x, shape), dtype)), true);
}

static void operands(const setting *s, tern_dtype dtype, tern_tensor **out) {
    out[0] = numbers(s->q_lead, s->q_rank, L, E, 0.7, dtype);
    out[1] = numbers(s->k_lead, s->k_rank, S, E, 0.4, dtype);
    out[2] = numbers(s->k_lead, s->k_rank, S, s->width, 1.1, dtype);
}

/* [L, S]; dead masks hide all of row 1. */
static tern_value mask_of(const setting *s, tern_dtype dtype) {
    if (s->mask == NO_MASK) return tern_none();
    bool dead = s->mask == BOOL_DEAD || s->mask == FLOAT_DEAD;
    double data[L * S];
    for (int i = 0; i < L * S; i++) {
        bool hidden = i % 5 == 2 || (dead && i / S == 1);
        if (s->mask == BOOL_MASK || s->mask == BOOL_DEAD)
            data[i] = !hidden;
        else
            data[i] = dead && hidden ? -(double)INFINITY : 0.1 * i - 1;
    }
    tern_tensor *mask = tern_from_data(ctx, data, TERN_SHAPE(L, S), TERN_FLOAT64);
    bool is_bool = s->mask == BOOL_MASK || s->mask == BOOL_DEAD;
    return tern_tensor_value(tern_to_dtype(mask, is_bool ? TERN_BOOL : dtype));
}

static tern_tensor *attend(tern_ctx *own, tern_tensor *const *in, int count, void *user) {
    (void)count;
    const setting *s = user;
    tern_value args[] = {tern_tensor_value(in[0]),
                         tern_tensor_value(in[1]),
                         tern_tensor_value(in[2]),
                         mask_of(s, tern_dtype_of(in[0])),
                         tern_float(0),
                         tern_bool(s->causal)};
    tern_value named = tern_dict_new(own, false);
    if (s->scale != 0) tern_dict_set(named, "scale", tern_float(s->scale));
    tern_dict_set(named, "enable_gqa", tern_bool(s->grouped));
    tern_value out = tern_call(own, "nn.functional.scaled_dot_product_attention", args, 6, named);
    cr_assert_eq(tern_check(own), TERN_OK, "%s: %s", s->what, tern_error(own));
    return out.as.tensor;
}

static uint64_t launches(void) {
    return tern_stats_of(ctx).launches;
}

/* The value and the three gradients, one after the other; how many numbers. */
static size_t results(const setting *s, tern_dtype dtype, bool composed, double *out) {
    tern_tensor *in[3], *grads[3];
    size_t at = 0;
    operands(s, dtype, in);
    tern_set_composed(ctx, "attention", composed);
    tern_tensor *y = attend(ctx, in, 3, (void *)(uintptr_t)s);
    tern_tensor *seed = tern_detach(tern_cos(y));
    tern_grad(&y, 1, in, 3, &seed, 0, grads);
    tern_tensor *all[] = {y, grads[0], grads[1], grads[2]};
    for (int i = 0; i < 4; i++) {
        size_t count = (size_t)tern_numel(all[i]);
        cr_assert_leq(at + count, MOST);
        tern_to_doubles(all[i], out + at, count);
        at += count;
    }
    tern_set_composed(ctx, "attention", false);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", s->what, tern_error(ctx));
    return at;
}

Test(fused_attention, fused_equals_composed) {
    static const tern_dtype dtypes[] = {TERN_FLOAT32, TERN_FLOAT64, TERN_FLOAT16, TERN_BFLOAT16};
    static const double tolerance[] = {2e-6, 1e-14, 6e-3, 5e-2};
    static double fused[MOST], composed[MOST];
    for (int i = 0; i < 4 * SETTINGS; i++) {
        const setting *s = &settings[i / 4];
        size_t count = results(s, dtypes[i % 4], false, fused);
        cr_assert_eq(results(s, dtypes[i % 4], true, composed), count);
        for (size_t k = 0; k < count; k++)
            cr_assert_float_eq(fused[k], composed[k], tolerance[i % 4],
                               "%s, %s, number %d: %g fused, %g composed", s->what,
                               tern_dtype_name(dtypes[i % 4]), (int)k, fused[k], composed[k]);
    }
}

Test(fused_attention, is_one_launch_forward_and_one_backward) {
    for (int i = 0; i < SETTINGS; i++) {
        const setting *s = &settings[i];
        tern_tensor *in[3], *grads[3];
        operands(s, TERN_FLOAT32, in);
        mask_of(s, TERN_FLOAT32);
        uint64_t of_mask = launches();
        mask_of(s, TERN_FLOAT32);
        of_mask = launches() - of_mask;
        uint64_t before = launches();
        tern_tensor *y = attend(ctx, in, 3, (void *)(uintptr_t)s);
        cr_assert_eq(launches() - before - of_mask, 1, "%s: %d launches", s->what,
                     (int)(launches() - before - of_mask));
        tern_tensor *seed = tern_detach(tern_cos(y));
        before = launches();
        tern_grad(&y, 1, in, 3, &seed, 0, grads);
        /* what was spread over a batch is summed */
        bool spread = s->q_rank != s->k_rank || s->k_lead[0] < s->q_lead[0];
        if (!spread || s->grouped)
            cr_assert_eq(launches() - before, 1, "%s: %d launches backward", s->what,
                         (int)(launches() - before));
    }
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
}

Test(fused_attention, derivatives_and_their_own_are_right) {
    for (int i = 0; i < 2 * SETTINGS; i++) {
        setting s = settings[i / 2];
        tern_tensor *in[3];
        operands(&s, TERN_FLOAT64, in);
        tern_set_composed(ctx, "attention", i % 2);
        tern_gradcheck(ctx, attend, &s, in, 3, 1e-6, 1e-5, 1e-3);
        cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", s.what, tern_error(ctx));
        if (s.q_rank > 1) continue; /* the others have little to differentiate */
        tern_gradgradcheck(ctx, attend, &s, in, 3, 1e-6, 1e-5, 1e-3);
        cr_assert_eq(tern_check(ctx), TERN_OK, "%s, twice: %s", s.what, tern_error(ctx));
    }
}

Test(fused_attention, a_row_without_keys_is_zero_and_gives_no_gradient) {
    for (int i = 0; i < 4; i++) {
        const setting *s = &settings[4 + i / 2]; /* false, and -inf */
        tern_tensor *in[3], *grads[3];
        operands(s, TERN_FLOAT32, in);
        tern_set_composed(ctx, "attention", i % 2);
        tern_tensor *y = attend(ctx, in, 3, (void *)(uintptr_t)s);
        cr_assert_eq(tern_item(tern_sum(tern_abs(tern_select(y, -2, 1)))), 0);
        tern_tensor *sum = tern_sum(y);
        tern_grad(&sum, 1, in, 3, NULL, 0, grads);
        cr_assert_eq(tern_item(tern_sum(tern_abs(tern_select(grads[0], -2, 1)))), 0);
        for (int k = 0; k < 3; k++) cr_assert(isfinite(tern_item(tern_sum(grads[k]))));
    }
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
}

/* A key that is hidden may hold NaN: its score is -inf all the same, and no gradient reaches it. */
Test(fused_attention, what_is_hidden_may_be_nan) {
    setting s = {"causal", 0, 0, {0}, {0}, E, NO_MASK, true, false, 0};
    for (int composed = 0; composed < 2; composed++) {
        tern_tensor *in[3], *grads[3];
        operands(&s, TERN_FLOAT32, in);
        tern_set_composed(ctx, "attention", composed);
        in[1] = tern_detach(in[1]);
        tern_fill_in_place(tern_select(in[1], 0, S - 1), (double)NAN); /* later than every query */
        tern_requires_grad(in[1], true);
        tern_tensor *y = tern_sum(attend(ctx, in, 3, &s));
        tern_grad(&y, 1, in, 3, NULL, 0, grads);
        cr_assert(isfinite(tern_item(y)));
        cr_assert(isfinite(tern_item(tern_sum(grads[1]))));
        cr_assert(isfinite(tern_item(tern_sum(grads[2]))));
    }
}

/* Heads split by a view are joined by a view: out has the memory order of q. */
Test(fused_attention, heads_are_split_and_joined_without_a_copy) {
    tern_tensor *x = tern_detach(numbers((int64_t[]){2, 5}, 1, 5, 12, 0.3, TERN_FLOAT32));
    tern_tensor *heads = tern_transpose(tern_reshape(x, TERN_SHAPE(2, 5, 3, 4)), 1, 2);
    uint64_t before = launches();
    tern_tensor *y = tern_scaled_dot_product_attention(heads, heads, heads, NULL, false);
    y = tern_reshape(tern_transpose(y, 1, 2), TERN_SHAPE(2, 5, 12));
    cr_assert_eq(launches() - before, 1);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
}

static tern_tensor *with_mask(tern_ctx *own, tern_tensor *const *in, int count, void *user) {
    (void)own, (void)count, (void)user;
    return tern_scaled_dot_product_attention(in[0], in[1], in[2], in[3], false);
}

Test(fused_attention, a_mask_that_needs_a_gradient_gets_it) {
    tern_tensor *in[4];
    operands(&settings[0], TERN_FLOAT64, in);
    in[3] = numbers(NULL, 0, L, S, 0.9, TERN_FLOAT64);
    tern_gradcheck(ctx, with_mask, NULL, in, 4, 1e-6, 1e-5, 1e-3);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
}

Test(fused_attention, shapes_that_do_not_belong_together_are_refused) {
    tern_tensor *q = tern_ones(ctx, TERN_SHAPE(1, 4, 3, 2), TERN_FLOAT32);
    tern_tensor *three = tern_ones(ctx, TERN_SHAPE(1, 3, 3, 2), TERN_FLOAT32);
    tern_tensor *wide = tern_ones(ctx, TERN_SHAPE(1, 4, 3, 5), TERN_FLOAT32);
    tern_tensor *mask = tern_ones(ctx, TERN_SHAPE(7, 3), TERN_BOOL);
    tern_tensor *cases[][4] = {{q, three, three, NULL}, {q, wide, q, NULL}, {q, q, q, mask}};
    for (int i = 0; i < 3; i++) {
        tern_scaled_dot_product_attention(cases[i][0], cases[i][1], cases[i][2], cases[i][3],
                                          false);
        cr_assert_neq(tern_check(ctx), TERN_OK, "case %d", i);
        tern_error_clear(ctx);
        tern_value args[] = {tern_tensor_value(cases[i][0]), tern_tensor_value(cases[i][1]),
                             tern_tensor_value(cases[i][2])};
        tern_value named = tern_dict_new(ctx, false);
        if (cases[i][3]) tern_dict_set(named, "attn_mask", tern_tensor_value(cases[i][3]));
        tern_call(ctx, "_scaled_dot_product_flash_attention_for_cpu", args, 3, named);
        cr_assert_eq(tern_check(ctx), TERN_ERR_ARGUMENT, "case %d", i);
        tern_error_clear(ctx);
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* What a causal attention over so many tokens and its gradients need besides the inputs. */
static uint64_t needed_by(int64_t tokens) {
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_tensor *qkv[3];
    for (int i = 0; i < 3; i++) {
        qkv[i] = tern_randn(ctx, TERN_SHAPE(1, 1, tokens, 8), NULL);
        tern_requires_grad(qkv[i], true);
    }
    tern_reset_peak(ctx);
    uint64_t before = tern_stats_of(ctx).device_bytes;
    tern_tensor *out = tern_scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], NULL, true);
    tern_backward(tern_sum(out));
    uint64_t peak = tern_stats_of(ctx).device_bytes_peak;
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    tern_scope_end(scope);
    return peak - before;
}

static void check_linear(const char *device) {
    close_context();
    ctx = tern_open(device);
    uint64_t few = needed_by(256), many = needed_by(1024);
    cr_assert(few > 0 && many <= 4 * few + 4096, "%s: %llu, %llu bytes", device,
              (unsigned long long)few, (unsigned long long)many);
    cr_assert_lt(many, (uint64_t)1024 * 1024 * 4, "less than one matrix of scores");
}

Test(fused_attention, memory_grows_with_the_tokens_and_not_with_their_square) {
    check_linear("cpu_ref");
    check_linear("cpu_simd");
}
