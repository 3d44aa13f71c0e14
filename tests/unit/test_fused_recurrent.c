/* Recurrent layers over a sequence: fused and composed are the same bits, few launches, both derivatives. */
#include <math.h>
#include <stdio.h>

#include "nn_fixture.h"

TestSuite(fused_recurrent, .init = open_context, .fini = close_context, .timeout = 120);

enum { MOST = 7, RESULTS = 5 };

static const char *const kinds[] = {"lstm", "gru", "tanh", "relu"};
static const int gates_of[] = {4, 3, 1, 1};
enum { KINDS = 4, LSTM = 0 };

typedef struct setting {
    int kind;
    bool biased, reverse;
    int64_t t, n, i, h;
    tern_dtype dtype;
} setting;

typedef struct layer {
    setting s;
    int count;
    tern_tensor *operands[MOST]; /* x, h0, (c0), w, u, (b, d) */
} layer;

static tern_tensor *drawn(const setting *s, tern_shape shape) {
    tern_tensor *x = tern_sub_scalar(tern_rand(ctx, shape, NULL), 0.5);
    return tern_to_dtype(tern_mul_scalar(x, 3), s->dtype);
}

static layer layer_of(setting s) {
    layer l = {.s = s};
    int64_t rows = gates_of[s.kind] * s.h;
    tern_manual_seed(ctx, 3);
    l.operands[l.count++] = drawn(&s, TERN_SHAPE(s.t, s.n, s.i));
    l.operands[l.count++] = drawn(&s, TERN_SHAPE(s.n, s.h));
    if (s.kind == LSTM) l.operands[l.count++] = drawn(&s, TERN_SHAPE(s.n, s.h));
    l.operands[l.count++] = drawn(&s, TERN_SHAPE(rows, s.i));
    l.operands[l.count++] = drawn(&s, TERN_SHAPE(rows, s.h));
    if (s.biased) l.operands[l.count++] = drawn(&s, TERN_SHAPE(rows));
    if (s.biased) l.operands[l.count++] = drawn(&s, TERN_SHAPE(rows));
    return l;
}

/* All results of the layer: y, h, (c), and those kept for the gradient. */
static int run(const layer *l, tern_tensor *const *operands, tern_tensor **out) {
    tern_value list = tern_list_new(ctx);
    for (int k = 0; k < l->count; k++) tern_list_append(list, tern_tensor_value(operands[k]));
    const tern_value args[] = {tern_text(kinds[l->s.kind]), tern_bool(l->s.reverse), list};
    tern_value all = tern_call(ctx, "_recurrent", args, 3, tern_none());
    CHECK_CLEAN();
    int count = (int)tern_value_count(all);
    for (int k = 0; k < count; k++) out[k] = tern_value_at(all, (size_t)k).as.tensor;
    return count;
}

static int states_of(const layer *l) {
    return l->s.kind == LSTM ? 2 : 1;
}

/* ---- the same bits --------------------------------------------------------------------------- */

typedef struct outcome {
    int results, grads;
    tern_tensor *all[RESULTS + MOST];
} outcome;

/* Which gradients come in: of y, and of the last states. */
enum { OUTPUT = 1, STATES = 2 };

static outcome outcome_with(const layer *l, unsigned incoming, unsigned flags) {
    outcome o = {0};
    tern_tensor *leaves[MOST], *roots[3], *gradients[3];
    int n = 0;
    for (int k = 0; k < l->count; k++)
        leaves[k] = tern_requires_grad(tern_detach(l->operands[k]), true);
    o.results = run(l, leaves, o.all);
    for (int k = 0; k <= states_of(l); k++) {
        if (!(incoming & (k == 0 ? OUTPUT : STATES))) continue;
        tern_shape shape = tern_shape_of(o.all[k]);
        roots[n] = o.all[k];
        /* broadcast, as the gradient of a sum over the batch */
        tern_shape narrow = shape;
        narrow.dim[shape.rank - 2] = 1;
        gradients[n++] = tern_expand(drawn(&l->s, narrow), shape);
    }
    o.grads = l->count;
    tern_grad(roots, n, leaves, l->count, gradients, TERN_ALLOW_UNUSED | flags, o.all + o.results);
    CHECK_CLEAN();
    return o;
}

static outcome outcome_of(const layer *l, unsigned incoming) {
    return outcome_with(l, incoming, 0);
}

static bool same_bits(tern_tensor *a, tern_tensor *b) {
    static double x[4096], y[4096];
    size_t count = (size_t)tern_numel(a);
    cr_assert_leq(count, 4096);
    if (count != (size_t)tern_numel(b)) return false;
    tern_to_doubles(a, x, count);
    tern_to_doubles(b, y, count);
    for (size_t i = 0; i < count; i++)
        if (memcmp(&x[i], &y[i], sizeof x[i]) != 0 && !(isnan(x[i]) && isnan(y[i]))) return false;
    return true;
}

static void check_bits(const layer *l, unsigned incoming) {
    tern_manual_seed(ctx, 9);
    outcome fused = outcome_of(l, incoming);
    tern_set_composed(ctx, "recurrent", true);
    tern_manual_seed(ctx, 9);
    outcome composed = outcome_of(l, incoming);
    tern_set_composed(ctx, "map", true);
    tern_manual_seed(ctx, 9);
    outcome stepwise = outcome_of(l, incoming);
    tern_set_composed(ctx, "recurrent,map", false);
    for (int k = 0; k < fused.results + fused.grads; k++) {
        cr_assert(same_bits(fused.all[k], composed.all[k]), "%s, biased %d, reverse %d, t %d: %d",
                  kinds[l->s.kind], l->s.biased, l->s.reverse, (int)l->s.t, k);
        cr_assert(same_bits(composed.all[k], stepwise.all[k]), "%s, steps of programs: %d",
                  kinds[l->s.kind], k);
    }
}

Test(fused_recurrent, the_fused_layer_has_the_bits_of_the_composed_one) {
    static const int64_t shapes[][4] = {{5, 3, 4, 6}, {1, 1, 1, 1}, {2, 70, 3, 5}, {7, 1, 9, 2}};
    static const tern_dtype dtypes[] = {TERN_FLOAT32, TERN_FLOAT64, TERN_FLOAT16, TERN_BFLOAT16};
    for (int kind = 0; kind < KINDS; kind++)
        for (int k = 0; k < 16; k++) {
            const int64_t *shape = shapes[k / 4];
            tern_scope scope = tern_scope_begin(ctx, 0);
            layer l = layer_of((setting){kind, k % 2 == 0, k % 4 > 1, shape[0], shape[1], shape[2],
                                         shape[3], dtypes[(k + k / 4) % 4]});
            check_bits(&l, k % 3 == 0 ? OUTPUT : k % 3 == 1 ? STATES : OUTPUT | STATES);
            tern_scope_end(scope);
        }
}

static tern_tensor *turned(tern_tensor *x) {
    return tern_transpose(tern_contiguous(tern_transpose(x, 0, 1)), 0, 1);
}

Test(fused_recurrent, any_strides_give_the_same_bits) {
    for (int kind = 0; kind < KINDS; kind++) {
        layer l = layer_of((setting){kind, true, false, 4, 3, 5, 2, TERN_FLOAT32});
        outcome plain = outcome_of(&l, OUTPUT | STATES);
        for (int k = 0; k < l.count; k++)
            if (tern_rank(l.operands[k]) > 1) l.operands[k] = turned(l.operands[k]);
        cr_assert(!tern_is_contiguous(l.operands[0]));
        check_bits(&l, OUTPUT | STATES);
        tern_tensor *results[RESULTS];
        run(&l, l.operands, results);
        cr_assert(same_bits(results[0], plain.all[0]));
        l.operands[1] = tern_expand(tern_narrow(l.operands[1], 0, 0, 1), TERN_SHAPE(3, 2));
        check_bits(&l, OUTPUT);
    }
}

Test(fused_recurrent, infinities_and_nan_go_the_same_way) {
    static const float odd[] = {INFINITY, -INFINITY, NAN, -0.0f, 3e38f, 0, 1, -2};
    for (int kind = 0; kind < KINDS; kind++) {
        layer l = layer_of((setting){kind, true, false, 4, 1, 2, 2, TERN_FLOAT32});
        l.operands[0] = floats(TERN_SHAPE(4, 1, 2), odd);
        check_bits(&l, OUTPUT | STATES);
    }
}

Test(fused_recurrent, an_empty_batch_has_gradients_of_zero) {
    for (int kind = 0; kind < KINDS; kind++) {
        layer l = layer_of((setting){kind, true, false, 3, 0, 2, 4, TERN_FLOAT32});
        outcome o = outcome_of(&l, OUTPUT);
        cr_assert_eq(tern_numel(o.all[0]), 0);
        tern_tensor *bias = o.all[o.results + l.count - 1];
        cr_assert_eq(tern_numel(bias), 4 * gates_of[kind]);
        cr_assert_eq(tern_item(tern_sum(tern_abs(bias))), 0);
        l = layer_of((setting){kind, true, false, 3, 2, 0, 4, TERN_FLOAT32});
        check_bits(&l, OUTPUT);
    }
}

/* ---- derivatives ----------------------------------------------------------------------------- */

/* Everything that a program sees of the layer, in one tensor. */
static tern_tensor *seen(tern_ctx *c, tern_tensor *const *inputs, int count, void *user) {
    const layer *l = user;
    tern_tensor *results[RESULTS], *flat[3];
    (void)c, (void)count;
    run(l, inputs, results);
    for (int k = 0; k <= states_of(l); k++) flat[k] = tern_reshape(results[k], TERN_SHAPE(-1));
    return tern_cat(flat, 1 + states_of(l), 0);
}

static void check_derivatives(bool biased, bool reverse) {
    for (int kind = 0; kind < KINDS; kind++) {
        layer l = layer_of((setting){kind, biased, reverse, 3, 2, 2, 2, TERN_FLOAT64});
        for (int k = 0; k < l.count; k++) {
            l.operands[k] = tern_mul_scalar(l.operands[k], 0.5);
            tern_requires_grad(l.operands[k], true);
        }
        tern_gradcheck(ctx, seen, &l, l.operands, l.count, 1e-6, 1e-5, 1e-3);
        cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", kinds[kind], tern_error(ctx));
        tern_gradgradcheck(ctx, seen, &l, l.operands, l.count, 1e-6, 1e-5, 1e-3);
        cr_assert_eq(tern_check(ctx), TERN_OK, "%s, twice: %s", kinds[kind], tern_error(ctx));
    }
}

Test(fused_recurrent, both_derivatives_of_the_fused_layer_are_right) {
    check_derivatives(true, false);
    check_derivatives(false, true);
}

Test(fused_recurrent, both_derivatives_of_the_composed_layer_are_right) {
    tern_set_composed(ctx, "recurrent", true);
    check_derivatives(true, true);
    check_derivatives(false, false);
}

/* A gradient that is recorded is made of other operations. */
Test(fused_recurrent, a_recorded_gradient_has_the_same_values) {
    for (int k = 0; k < 4 * KINDS; k++) {
        layer l = layer_of((setting){k / 4, true, k % 2 == 0, 4, 3, 2, 5, TERN_FLOAT64});
        unsigned incoming = k % 4 < 2 ? OUTPUT | STATES : OUTPUT;
        tern_manual_seed(ctx, 9);
        outcome plain = outcome_of(&l, incoming);
        tern_manual_seed(ctx, 9);
        outcome recorded = outcome_with(&l, incoming, TERN_CREATE_GRAPH);
        for (int i = plain.results; i < plain.results + plain.grads; i++) {
            tern_tensor *difference = tern_sub(plain.all[i], recorded.all[i]);
            cr_assert_lt(tern_item(tern_max(tern_abs(difference))), 1e-12, "%s: %d", kinds[k / 4],
                         i);
        }
    }
    CHECK_CLEAN();
}

/* ---- launches -------------------------------------------------------------------------------- */

static uint64_t launches(void) {
    return tern_stats_of(ctx).launches;
}

/* Forward, the loss and backward of a module over `steps`. */
static uint64_t launches_of(const char *text, int64_t steps, uint64_t *out_backward) {
    tern_module *m = tern_nn(ctx, text);
    tern_value x = tern_tensor_value(tern_rand(ctx, TERN_SHAPE(steps, 2, 3), NULL));
    uint64_t before = launches();
    tern_value all = tern_module_call(m, &x, 1, tern_none());
    tern_tensor *loss = tern_mean(tern_value_at(all, 0).as.tensor);
    uint64_t middle = launches();
    tern_backward(loss);
    CHECK_CLEAN();
    *out_backward = launches() - middle;
    return middle - before;
}

Test(fused_recurrent, a_layer_is_one_launch_forward_and_one_backward) {
    for (int kind = 0; kind < KINDS; kind++) {
        layer l = layer_of((setting){kind, true, false, 20, 2, 3, 4, TERN_FLOAT32});
        tern_tensor *leaves[MOST], *results[RESULTS], *grads[MOST];
        for (int k = 0; k < l.count; k++)
            leaves[k] = tern_requires_grad(tern_detach(l.operands[k]), true);
        uint64_t before = launches();
        run(&l, leaves, results);
        cr_assert_eq(launches() - before, 1);
        tern_tensor *dy = tern_contiguous(drawn(&l.s, TERN_SHAPE(20, 2, 4)));
        tern_tensor *dh = drawn(&l.s, TERN_SHAPE(2, 4));
        tern_tensor *incoming[] = {dy, dh, dh};
        before = launches();
        tern_grad(results, 1 + states_of(&l), leaves, l.count, incoming, 0, grads);
        cr_assert_eq(launches() - before, 1, "%s", kinds[kind]);
    }
    CHECK_CLEAN();
}

Test(fused_recurrent, an_lstm_that_learns_over_20_steps_takes_few_launches) {
    uint64_t backward, forward = launches_of("LSTM(3, 4)", 20, &backward);
    cr_assert_leq(forward + backward, 9, "%d and %d", (int)forward, (int)backward);
}

/* What the steps cost, by the difference of two lengths. */
Test(fused_recurrent, composed_a_step_is_a_product_and_a_program_each_way) {
    static const char *const modules[] = {"LSTM(3, 4)", "GRU(3, 4)", "RNN(3, 4)"};
    tern_set_composed(ctx, "recurrent", true);
    for (int k = 0; k < 3; k++) {
        uint64_t backward[2], forward[2];
        for (int i = 0; i < 2; i++)
            forward[i] = launches_of(modules[k], 10 * (i + 1), &backward[i]);
        cr_assert_eq(forward[1] - forward[0], 20, "%s", modules[k]);
        cr_assert_eq(backward[1] - backward[0], 20, "%s", modules[k]);
    }
}

/* ---- refusals -------------------------------------------------------------------------------- */

Test(fused_recurrent, operands_that_do_not_fit_are_refused) {
    layer l = layer_of((setting){LSTM, true, false, 3, 2, 2, 4, TERN_FLOAT32});
    tern_value list = tern_list_new(ctx);
    for (int k = 0; k < l.count; k++) {
        tern_tensor *x = k == 3 ? tern_narrow(l.operands[k], 0, 0, 8) : l.operands[k];
        tern_list_append(list, tern_tensor_value(x));
    }
    tern_value args[] = {tern_text("lstm"), tern_bool(false), list};
    tern_call(ctx, "_recurrent", args, 3, tern_none());
    CHECK_ERROR_HAS("the sizes of input, states and parameters do not match");
    args[0] = tern_text("gru");
    tern_call(ctx, "_recurrent", args, 3, tern_none());
    CHECK_ERROR_HAS("got 7 tensors");
    args[0] = tern_text("mgu");
    tern_call(ctx, "_recurrent", args, 3, tern_none());
    CHECK_ERROR_HAS("unknown recurrent cell 'mgu'");
    tern_value pair[] = {tern_tensor_value(tern_zeros(ctx, TERN_SHAPE(3, 2, 3), TERN_FLOAT64))};
    tern_module_call(tern_nn(ctx, "GRU(3, 2)"), pair, 1, tern_none());
    CHECK_ERROR_HAS("must have the same floating dtype, found Double and Float");
}

/* A layer, its gradient and the gradient of that, whose n-th allocation fails; the status of it all. */
static tern_status work(int kind, const char *composed, uint64_t nth, uint64_t *out_calls) {
    open_context();
    if (*composed) tern_set_composed(ctx, composed, true);
    tern_fail_allocation(nth);
    tern_module *m = tern_nn(ctx, kind == LSTM ? "LSTM(8, 16)" : "GRU(8, 16)");
    tern_tensor *x = tern_requires_grad(tern_rand(ctx, TERN_SHAPE(3, 2, 8), NULL), true), *dx;
    tern_value input = tern_tensor_value(x);
    tern_value all = m ? tern_module_call(m, &input, 1, tern_none()) : tern_none();
    if (tern_check(ctx) == TERN_OK) {
        tern_tensor *sum = tern_sum(tern_value_at(all, 0).as.tensor);
        tern_backward_with(sum, NULL, TERN_RETAIN_GRAPH);
        tern_grad(&sum, 1, &x, 1, NULL, TERN_CREATE_GRAPH, &dx);
        tern_backward(tern_sum(tern_square(dx)));
    }
    tern_status status = tern_check(ctx);
    *out_calls = tern_fail_allocation(0);
    tern_close(ctx);
    return status;
}

TestSuite(fused_recurrent_failures, .timeout = 120);

Test(fused_recurrent_failures, every_failed_allocation_ends_in_a_clean_error) {
    static const char *const composed[] = {"", "recurrent", "recurrent,map"};
    for (int k = 0; k < 6; k++) {
        uint64_t calls, made;
        int failures = 0;
        cr_assert_eq(work(k / 3, composed[k % 3], 0, &calls), TERN_OK);
        for (uint64_t n = 1; n <= calls; n++) {
            tern_status status = work(k / 3, composed[k % 3], n, &made);
            /* a buffer that there is no memory for is asked for again, with the caches empty */
            cr_assert(status == TERN_OK || status == TERN_ERR_OUT_OF_MEMORY, "call %d of %d: %d",
                      (int)n, (int)calls, (int)status);
            failures += status != TERN_OK;
        }
        cr_assert_gt(failures, 20);
    }
}
