/* MultiheadAttention: few launches, and the same with weights as without, fused as composed. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tern/grad.h"
#include "tern/nn.h"
#include "tern/tern.h"

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu_ref");
}
static void close_context(void) {
    cr_assert_eq(tern_close(ctx), TERN_OK);
}
TestSuite(attention_layer, .init = open_context, .fini = close_context);

enum { N = 2, T = 5, WIDTH = 8, HEADS = 2, MOST = 1024 };

typedef enum attention_mask { NONE, FLAT, FLAT_FLOAT, BY_HEAD } attention_mask;

typedef struct setting {
    bool batched, batch_first, cross, padding;
    attention_mask mask;
    bool bias_kv, zero_attn;
} setting;

static const setting settings[] = {
    {true, false, false, false, NONE, false, false},
    {true, true, false, true, NONE, false, false},
    {true, true, false, true, FLAT, false, false},
    {true, false, true, true, FLAT_FLOAT, false, false},
    {true, true, true, false, BY_HEAD, false, false},
    {true, true, false, true, BY_HEAD, true, true},
    {true, false, true, false, FLAT, true, false},
    {false, true, false, true, NONE, false, false},
    {false, false, true, false, FLAT, false, true},
};
enum { SETTINGS = sizeof settings / sizeof settings[0] };

static tern_tensor *numbers(const setting *s, double step) {
    tern_shape shape = !s->batched      ? TERN_SHAPE(T, WIDTH)
                       : s->batch_first ? TERN_SHAPE(N, T, WIDTH)
                                        : TERN_SHAPE(T, N, WIDTH);
    int64_t count = (s->batched ? N : 1) * T * WIDTH;
    tern_tensor *x = tern_sin(tern_linspace(ctx, step, step * (double)count, count));
    return tern_requires_grad(tern_detach(tern_reshape(x, shape)), true);
}

/* A pattern of 0 and 1 without a row of ones; true hides. */
static tern_value pattern(tern_shape shape, tern_dtype dtype) {
    double data[N * HEADS * T * T];
    int64_t count = 1;
    for (int d = 0; d < shape.rank; d++) count *= shape.dim[d];
    for (int64_t i = 0; i < count; i++) data[i] = i % 5 == 3 || i % 7 == 1;
    tern_tensor *mask = tern_from_data(ctx, data, shape, TERN_FLOAT64);
    return tern_tensor_value(tern_to_dtype(mask, dtype));
}

static tern_value mask_of(const setting *s) {
    int64_t batch = s->batched ? N : 1;
    switch (s->mask) {
    case FLAT: return pattern(TERN_SHAPE(T, T), TERN_BOOL);
    case FLAT_FLOAT: return pattern(TERN_SHAPE(T, T), TERN_FLOAT32);
    case BY_HEAD: return pattern(TERN_SHAPE(batch * HEADS, T, T), TERN_BOOL);
    default: return tern_none();
    }
}

static tern_module *layer(const setting *s) {
    tern_attention_options o = TERN_ATTENTION_OPTIONS;
    o.batch_first = s->batch_first;
    o.add_bias_kv = s->bias_kv;
    o.add_zero_attn = s->zero_attn;
    tern_manual_seed(ctx, 7);
    return tern_nn_multihead_attention(ctx, WIDTH, HEADS, &o);
}

static tern_tensor *forward(const setting *s, tern_module *m, tern_tensor *query, tern_tensor *key,
                            bool weights) {
    tern_value padding = !s->padding  ? tern_none()
                         : s->batched ? pattern(TERN_SHAPE(N, T), TERN_BOOL)
                                      : pattern(TERN_SHAPE(T), TERN_BOOL);
    tern_value args[] = {tern_tensor_value(query), tern_tensor_value(key),
                         tern_tensor_value(key),   padding,
                         tern_bool(weights),       mask_of(s)};
    return tern_value_at(tern_module_call(m, args, 6, tern_none()), 0).as.tensor;
}

/* The output and the gradients of query and in_proj_weight; how many numbers. */
static size_t results(const setting *s, bool weights, bool composed, double *out) {
    tern_set_composed(ctx, "attention", composed);
    tern_module *m = layer(s);
    tern_tensor *query = numbers(s, 0.7), *key = s->cross ? numbers(s, 0.4) : query;
    tern_tensor *y = forward(s, m, query, key, weights), *grads[2];
    tern_tensor *in[] = {query, tern_module_tensor(m, "in_proj_weight")};
    tern_tensor *seed = tern_detach(tern_cos(y));
    tern_grad(&y, 1, in, 2, &seed, 0, grads);
    tern_tensor *all[] = {y, grads[0], grads[1]};
    size_t at = 0;
    for (int i = 0; i < 3; i++) {
        size_t count = (size_t)tern_numel(all[i]);
        cr_assert_leq(at + count, MOST);
        tern_to_doubles(all[i], out + at, count);
        at += count;
    }
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    return at;
}

Test(attention_layer, gives_the_same_with_weights_without_and_composed) {
    static double with[MOST], without[MOST], composed[MOST];
    for (int i = 0; i < SETTINGS; i++) {
        size_t count = results(&settings[i], true, false, with);
        cr_assert_eq(results(&settings[i], false, false, without), count);
        cr_assert_eq(results(&settings[i], false, true, composed), count);
        for (size_t k = 0; k < count; k++) {
            cr_assert_float_eq(with[k], without[k], 2e-6, "setting %d, number %d: %g and %g", i,
                               (int)k, with[k], without[k]);
            cr_assert_float_eq(with[k], composed[k], 2e-6, "setting %d, number %d: %g and %g", i,
                               (int)k, with[k], composed[k]);
        }
    }
}

static tern_tensor *packed(tern_ctx *own, tern_tensor *const *in, int count, void *user) {
    (void)count, (void)user;
    tern_value args[] = {tern_tensor_value(in[0])};
    return tern_value_at(tern_call(own, "_packed_attention", args, 1, tern_none()), 0).as.tensor;
}

Test(attention_layer, packed_attention_can_be_differentiated_twice) {
    tern_tensor *x = tern_sin(tern_linspace(ctx, 0.3, 15, 3 * 2 * 2 * 3 * 2));
    x = tern_reshape(tern_to_dtype(x, TERN_FLOAT64), TERN_SHAPE(3, 2, 2, 3, 2));
    x = tern_requires_grad(tern_detach(x), true);
    for (int composed = 0; composed < 2; composed++) {
        tern_set_composed(ctx, "attention", composed);
        tern_gradcheck(ctx, packed, NULL, &x, 1, 1e-6, 1e-5, 1e-3);
        tern_gradgradcheck(ctx, packed, NULL, &x, 1, 1e-6, 1e-5, 1e-3);
        cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    }
}

/* Three products, of which two are of parameters; the second time, when parameters are there. */
Test(attention_layer, attends_to_itself_in_three_launches_and_seven_backward) {
    for (int first = 0; first < 2; first++) {
        setting s = {true, first, false, false, NONE, false, false};
        tern_module *m = layer(&s);
        tern_tensor *x = numbers(&s, 0.7), *grads[3];
        tern_tensor *in[] = {x, tern_module_tensor(m, "in_proj_weight"),
                             tern_module_tensor(m, "in_proj_bias")};
        tern_tensor *seed = tern_detach(tern_cos(forward(&s, m, x, x, false)));
        uint64_t before = tern_stats_of(ctx).launches;
        tern_tensor *y = forward(&s, m, x, x, false);
        uint64_t middle = tern_stats_of(ctx).launches;
        tern_grad(&y, 1, in, 3, &seed, 0, grads);
        cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
        cr_assert_eq(middle - before, 3, "%d launches", (int)(middle - before));
        cr_assert_leq(tern_stats_of(ctx).launches - middle, 7, "%d launches backward",
                      (int)(tern_stats_of(ctx).launches - middle));
    }
}

/* As in PyTorch: is_causal takes the place of a mask where no weights are shown, and is a hint without a mask. */
Test(attention_layer, is_causal_needs_a_mask_and_takes_its_place) {
    setting s = {true, false, false, false, NONE, false, false};
    tern_module *m = layer(&s);
    tern_tensor *x = numbers(&s, 0.7);
    tern_tensor *later = tern_triu(tern_ones(ctx, TERN_SHAPE(T, T), TERN_BOOL), 1);
    tern_value args[] = {tern_tensor_value(x), tern_tensor_value(x), tern_tensor_value(x),
                         tern_none(),          tern_bool(false),     tern_tensor_value(later),
                         tern_bool(true),      tern_bool(false)};
    tern_tensor *masked = tern_value_at(tern_module_call(m, args, 8, tern_none()), 0).as.tensor;
    args[7] = tern_bool(true);
    args[5] = tern_tensor_value(tern_zeros_like(later));
    tern_tensor *hinted = tern_value_at(tern_module_call(m, args, 8, tern_none()), 0).as.tensor;
    cr_assert(tern_allclose(masked, hinted, 1e-5, 1e-6, false));
    args[4] = tern_bool(true); /* weights are those of the mask */
    tern_tensor *all = tern_value_at(tern_module_call(m, args, 8, tern_none()), 0).as.tensor;
    cr_assert(!tern_allclose(all, hinted, 1e-5, 1e-6, false));
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    args[5] = tern_none();
    tern_module_call(m, args, 8, tern_none());
    cr_assert(strstr(tern_error(ctx), "is_causal is a hint about attn_mask"), "%s",
              tern_error(ctx));
    tern_error_clear(ctx);
}

/* Every layer that has an argument of the kind passes it on: a mask of nothing becomes a causal one. */
Test(attention_layer, transformers_pass_is_causal_on) {
    tern_module *m =
        tern_nn(ctx, "Transformer(d_model=8, nhead=2, num_encoder_layers=1, num_decoder_layers=1, "
                     "dim_feedforward=8, dropout=0.0)");
    setting s = {true, false, false, false, NONE, false, false};
    tern_tensor *x = numbers(&s, 0.7), *y = numbers(&s, 0.4);
    tern_value none = tern_none(), out[4];
    tern_tensor *nothing = tern_zeros(ctx, TERN_SHAPE(T, T), TERN_BOOL);
    tern_tensor *later = tern_triu(tern_ones_like(nothing), 1);
    tern_value masks[] = {tern_tensor_value(nothing), tern_tensor_value(later)};
    for (int which = 0; which < 3; which++) {
        for (int way = 0; way < 3; way++) { /* nothing hidden, a mask, the hint */
            tern_value args[] = {tern_tensor_value(x),
                                 tern_tensor_value(y),
                                 masks[0],
                                 masks[0],
                                 masks[0],
                                 none,
                                 none,
                                 none,
                                 none,
                                 none,
                                 tern_bool(false)};
            if (way == 1) args[2 + which] = masks[1];
            if (way == 2) args[8 + which] = tern_bool(true);
            out[way] = tern_module_call(m, args, 11, none);
            cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
        }
        cr_assert(tern_allclose(out[1].as.tensor, out[2].as.tensor, 1e-5, 1e-6, false), "%d",
                  which);
        cr_assert(!tern_allclose(out[0].as.tensor, out[2].as.tensor, 1e-5, 1e-6, false), "%d",
                  which);
    }
}

Test(attention_layer, keys_of_another_batch_are_refused) {
    setting s = {true, true, false, false, NONE, false, false};
    tern_module *m = layer(&s);
    tern_tensor *x = numbers(&s, 0.7);
    forward(&s, m, x, tern_narrow(x, 0, 0, 1), false);
    cr_assert_eq(tern_check(ctx), TERN_ERR_ARGUMENT);
    cr_assert(strstr(tern_error(ctx), "query's batch size (2)"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
}
