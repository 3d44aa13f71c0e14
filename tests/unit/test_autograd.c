/* Gradients: leaves, graphs, in-place writes, views, gradients of gradients, and their errors. */
#include <criterion/criterion.h>
#include <string.h>

#include "tern/grad.h"
#include "tern/ops.h"

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu");
}
static void close_context(void) {
    tern_close(ctx);
    ctx = NULL;
}

TestSuite(autograd, .init = open_context, .fini = close_context);

static tern_tensor *leaf(double a, double b, double c) {
    double data[] = {a, b, c};
    return tern_requires_grad(tern_from_data(ctx, data, TERN_SHAPE(3), TERN_FLOAT64), true);
}

static double at(tern_tensor *tensor, int64_t index) {
    return tern_item(tern_select(tern_reshape(tensor, TERN_SHAPE(-1)), 0, index));
}

static bool error_has(const char *text) {
    return strstr(tern_error(ctx), text) != NULL;
}

Test(autograd, a_product_has_the_other_factor_as_gradient) {
    tern_tensor *x = leaf(1, 2, 3), *y = leaf(4, 5, 6);
    tern_backward(tern_sum(tern_mul(x, y)));
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert_float_eq(at(tern_grad_of(x), 1), 5, 0);
    cr_assert_float_eq(at(tern_grad_of(y), 2), 3, 0);
}

Test(autograd, gradients_accumulate_until_they_are_reset) {
    tern_tensor *x = leaf(1, 2, 3);
    tern_backward(tern_sum(x));
    tern_backward(tern_sum(x));
    cr_assert_float_eq(at(tern_grad_of(x), 0), 2, 0);
    tern_set_grad(x, NULL);
    cr_assert_null(tern_grad_of(x));
    tern_backward(tern_sum(x));
    cr_assert_float_eq(at(tern_grad_of(x), 0), 1, 0);
}

Test(autograd, a_value_used_twice_gets_both_gradients) {
    tern_tensor *x = leaf(1, 2, 3);
    tern_tensor *y = tern_mul(x, x);
    tern_backward(tern_sum(tern_add(y, tern_mul(y, x)))); /* x^2 + x^3 */
    cr_assert_float_eq(at(tern_grad_of(x), 1), 2 * 2 + 3 * 4, 1e-12);
}

Test(autograd, a_broadcast_input_gets_the_sum) {
    tern_tensor *x = leaf(1, 2, 3);
    tern_tensor *s = tern_requires_grad(tern_scalar_tensor(ctx, 2, TERN_FLOAT64), true);
    tern_backward(tern_sum(tern_mul(x, s)));
    cr_assert_eq(tern_rank(tern_grad_of(s)), 0);
    cr_assert_float_eq(tern_item(tern_grad_of(s)), 6, 0);
}

Test(autograd, a_graph_serves_once_unless_it_is_retained) {
    tern_tensor *x = leaf(1, 2, 3);
    tern_tensor *y = tern_sum(tern_mul(x, x));
    cr_assert_eq(tern_backward_with(y, NULL, TERN_RETAIN_GRAPH), TERN_OK);
    cr_assert_eq(tern_backward(y), TERN_OK);
    cr_assert_float_eq(at(tern_grad_of(x), 2), 12, 0);
    cr_assert_neq(tern_backward(y), TERN_OK);
    cr_assert(error_has("Trying to backward through the graph a second time"), "%s",
              tern_error(ctx));
}

Test(autograd, a_gradient_can_be_differentiated) {
    tern_tensor *x = leaf(1, 2, 3), *first, *second;
    tern_tensor *y = tern_sum(tern_mul(tern_mul(x, x), x));
    tern_grad(&y, 1, &x, 1, NULL, TERN_CREATE_GRAPH, &first);
    tern_tensor *total = tern_sum(first);
    tern_grad(&total, 1, &x, 1, NULL, 0, &second);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert_float_eq(at(first, 1), 12, 1e-12);
    cr_assert_float_eq(at(second, 1), 12, 1e-12);
    cr_assert_null(tern_grad_of(x), "tern_grad leaves no trace");
}

Test(autograd, an_unused_input_is_an_error_unless_allowed) {
    tern_tensor *x = leaf(1, 2, 3), *z = leaf(0, 0, 0), *g;
    tern_tensor *y = tern_sum(x);
    cr_assert_eq(tern_grad(&y, 1, &z, 1, NULL, TERN_RETAIN_GRAPH | TERN_ALLOW_UNUSED, &g), TERN_OK);
    cr_assert_null(g);
    cr_assert_neq(tern_grad(&y, 1, &z, 1, NULL, 0, &g), TERN_OK);
    cr_assert(error_has("appears to not have been used in the graph"), "%s", tern_error(ctx));
}

Test(autograd, no_grad_and_inference_scopes_record_nothing) {
    tern_tensor *x = leaf(1, 2, 3);
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_tensor *plain = tern_mul(x, x);
    cr_assert_not(tern_has_grad_required(plain));
    cr_assert_not(tern_is_inference(plain));
    tern_scope_end(scope);
    scope = tern_scope_begin(ctx, TERN_INFERENCE);
    tern_tensor *frozen = tern_keep(tern_mul(x, x));
    cr_assert(tern_is_inference(frozen));
    tern_scope_end(scope);
    cr_assert(tern_is_grad_enabled(ctx));
    tern_mul(x, frozen);
    cr_assert(error_has("Inference tensors cannot be saved for backward"), "%s", tern_error(ctx));
}

Test(autograd, a_leaf_that_requires_a_gradient_is_not_written_in_place) {
    tern_tensor *x = leaf(1, 2, 3);
    tern_add_scalar_in_place(x, 1);
    cr_assert(
        error_has("a leaf Variable that requires grad is being used in an in-place operation"));
    tern_error_clear(ctx);
    tern_add_scalar_in_place(tern_select(x, 0, 0), 1);
    cr_assert(error_has("a view of a leaf Variable that requires grad"), "%s", tern_error(ctx));
    cr_assert_eq(tern_version(x), 0, "nothing was written");
}

Test(autograd, a_saved_tensor_that_changed_is_an_error) {
    tern_tensor *x = leaf(1, 2, 3);
    tern_tensor *y = tern_mul_scalar(x, 2);
    tern_tensor *z = tern_sum(tern_mul(y, y));
    tern_add_scalar_in_place(y, 1);
    cr_assert_neq(tern_backward(z), TERN_OK);
    cr_assert(error_has("has been modified by an inplace operation: [torch.DoubleTensor [3]]"),
              "%s", tern_error(ctx));
}

Test(autograd, an_in_place_call_has_a_gradient) {
    tern_tensor *x = leaf(1, 2, 3);
    tern_tensor *y = tern_mul_scalar(x, 2);
    tern_mul_scalar_in_place(y, 5);
    tern_backward(tern_sum(y));
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert_float_eq(at(tern_grad_of(x), 0), 10, 0);
}

Test(autograd, a_write_through_a_view_is_in_the_history_of_the_base) {
    tern_tensor *x = leaf(1, 2, 3);
    tern_tensor *y = tern_mul_scalar(x, 2);
    tern_mul_scalar_in_place(tern_select(y, 0, 1), 10);
    tern_backward(tern_sum(y));
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert_float_eq(at(tern_grad_of(x), 0), 2, 0);
    cr_assert_float_eq(at(tern_grad_of(x), 1), 20, 0);
}

Test(autograd, a_write_to_the_base_is_in_the_history_of_its_views) {
    tern_tensor *x = leaf(1, 2, 3), *w = leaf(1, 1, 1);
    tern_tensor *y = tern_mul_scalar(x, 2);
    tern_tensor *view = tern_narrow(y, 0, 1, 2);
    tern_mul_in_place(y, w);
    tern_backward(tern_sum(view));
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert_float_eq(at(tern_grad_of(x), 0), 0, 0);
    cr_assert_float_eq(at(tern_grad_of(x), 2), 2, 0);
    cr_assert_float_eq(at(tern_grad_of(w), 2), 6, 0);
}

Test(autograd, copying_into_a_view_splits_the_gradient) {
    tern_tensor *x = leaf(1, 2, 3), *v = leaf(7, 8, 9);
    tern_tensor *y = tern_mul_scalar(x, 3);
    tern_copy_in_place(tern_narrow(y, 0, 0, 2), tern_narrow(v, 0, 1, 2));
    tern_backward(tern_sum(tern_mul(y, y)));
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert_float_eq(at(tern_grad_of(x), 0), 0, 0);
    cr_assert_float_eq(at(tern_grad_of(x), 2), 2 * 9 * 3, 0);
    cr_assert_float_eq(at(tern_grad_of(v), 1), 16, 0);
    cr_assert_float_eq(at(tern_grad_of(v), 0), 0, 0);
}

Test(autograd, a_value_with_a_history_cannot_outlive_its_graph) {
    tern_tensor *x = leaf(1, 2, 3);
    tern_tensor *outer = tern_zeros(ctx, TERN_SHAPE(3), TERN_FLOAT64);
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_keep(tern_mul_scalar(x, 2));
    cr_assert(error_has("tern_detach"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
    tern_add_in_place(outer, tern_mul_scalar(x, 2));
    cr_assert(error_has("tern_detach"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
    tern_tensor *kept = tern_keep(tern_detach(tern_mul_scalar(x, 2)));
    tern_scope_end(scope);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert_float_eq(at(kept, 2), 6, 0);
}

Test(autograd, a_scope_returns_a_value_with_a_history_only_where_its_graph_lives_on) {
    tern_tensor *x = leaf(1, 2, 3);
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_tensor *y = tern_scope_return(scope, tern_mul_scalar(x, 2));
    cr_assert(error_has("tern_scope_return: a tensor with a history (MulBackward0)"), "%s",
              tern_error(ctx));
    cr_assert(tern_is_nil(y));
    tern_error_clear(ctx);
    scope = tern_scope_begin(ctx, 0);
    tern_value both = tern_tuple_new(ctx);
    tern_list_append(both, tern_tensor_value(x));
    tern_list_append(both, tern_tensor_value(tern_mul_scalar(x, 2)));
    tern_scope_return_value(scope, both);
    cr_assert(error_has("tern_detach"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
    scope = tern_scope_begin(ctx, 0);
    y = tern_scope_return(scope, tern_detach(tern_mul_scalar(x, 2)));
    cr_assert_float_eq(at(y, 2), 6, 0);
    scope = tern_scope_inner(ctx);
    y = tern_scope_return(scope, tern_mul_scalar(x, 2));
    tern_backward(tern_sum(y));
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert_float_eq(at(tern_grad_of(x), 0), 2, 0);
}

Test(autograd, a_graph_does_not_reach_a_value_that_came_after_it) {
    tern_tensor *w = leaf(1, 2, 3);
    tern_tensor *before = tern_sum(w), *part = tern_sum(tern_select(w, 0, 1));
    double later[] = {4, 5};
    tern_update(&w, tern_from_data(ctx, later, TERN_SHAPE(2), TERN_FLOAT64));
    tern_backward(before);
    tern_backward(part);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert_null(tern_grad_of(w));
    tern_backward(tern_sum(tern_mul(w, w)));
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert_float_eq(at(tern_grad_of(w), 1), 10, 0);
}

/* Parts of x [4, 4] that overlap, before and after uses of the whole; `x` may have a history. */
static tern_tensor *use_of_parts(tern_tensor *x) {
    tern_tensor *start = tern_scalar_tensor(ctx, 1, TERN_INT64);
    tern_value narrow[] = {tern_tensor_value(x), tern_int(0), tern_tensor_value(start),
                           tern_int(2)};
    tern_value diagonal[] = {tern_tensor_value(x), tern_int(1)};
    tern_tensor *parts[] = {
        tern_select(x, 0, 1),
        tern_select(x, 1, -1),
        tern_t(x),
        tern_narrow(x, 1, -3, 2),
        tern_slice(x, 1, 0, 4, 3),
        tern_call(ctx, "narrow", narrow, 4, tern_none()).as.tensor,
        tern_select(x, 0, 1),
        tern_call(ctx, "diagonal", diagonal, 2, tern_none()).as.tensor,
        tern_select(tern_narrow(x, 0, 2, 2), 1, 0),
    };
    tern_tensor *sum = tern_scalar_tensor(ctx, 0, TERN_FLOAT32);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        tern_tensor *wide = tern_to_dtype(parts[i], TERN_FLOAT32);
        sum = tern_add(sum, tern_sum(tern_mul_scalar(tern_mul(wide, wide), 0.1 + (double)i)));
    }
    return sum;
}

/* The engine adds gradients of parts in place, or goes by their formulas where the gradient gets a
 * history: the bits are the same. */
Test(autograd, gradients_of_parts_are_added_in_place_with_the_bits_of_the_formulas) {
    const tern_dtype dtypes[] = {TERN_FLOAT32, TERN_FLOAT16};
    for (int d = 0; d < 2; d++) {
        for (int derived = 0; derived < 2; derived++) {
            tern_manual_seed(ctx, 7);
            tern_tensor *x = tern_to_dtype(tern_randn(ctx, TERN_SHAPE(4, 4), NULL), dtypes[d]);
            tern_requires_grad(x, true);
            tern_tensor *loss = use_of_parts(derived ? tern_mul_scalar(tern_t(x), 3) : x);
            tern_tensor *in_place, *by_formula;
            tern_grad(&loss, 1, &x, 1, NULL, TERN_RETAIN_GRAPH, &in_place);
            tern_grad(&loss, 1, &x, 1, NULL, TERN_CREATE_GRAPH, &by_formula);
            cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
            cr_assert(tern_item(tern_sum(tern_abs(by_formula))) > 1);
            cr_assert(tern_item(tern_all(tern_eq(in_place, by_formula))) == 1);
            tern_backward_with(loss, NULL, TERN_RETAIN_GRAPH);
            tern_backward(loss);
            tern_tensor *twice = tern_add(by_formula, by_formula);
            cr_assert(tern_item(tern_all(tern_eq(tern_grad_of(x), twice))) == 1);
            cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
        }
    }
}

Test(autograd, a_gradient_that_others_hold_is_not_added_to_in_place) {
    tern_tensor *x = leaf(1, 2, 3), *y = tern_mul_scalar(x, 1);
    double ones[] = {1, 1, 1};
    tern_tensor *given = tern_from_data(ctx, ones, TERN_SHAPE(3), TERN_FLOAT64);
    tern_tensor *outputs[] = {y, tern_select(y, 0, 1)}, *grad;
    tern_tensor *seeds[] = {given, tern_scalar_tensor(ctx, 5, TERN_FLOAT64)};
    tern_grad(outputs, 2, &x, 1, seeds, 0, &grad);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert_float_eq(at(grad, 1), 6, 0);
    cr_assert_float_eq(at(given, 1), 1, 0, "the program's tensor has changed");
}

Test(autograd, a_retained_gradient_of_a_value_in_between) {
    tern_tensor *x = leaf(1, 2, 3);
    tern_tensor *y = tern_mul_scalar(x, 2);
    tern_retain_grad(y);
    tern_backward(tern_sum(tern_mul(y, y)));
    cr_assert_not_null(tern_grad_of(y));
    cr_assert_float_eq(at(tern_grad_of(y), 2), 12, 0);
}

Test(autograd, backward_needs_a_scalar_and_a_history) {
    tern_tensor *x = leaf(1, 2, 3);
    tern_backward(tern_mul(x, x));
    cr_assert(error_has("grad can be implicitly created only for scalar outputs"));
    tern_error_clear(ctx);
    tern_backward(tern_ones(ctx, TERN_SCALAR_SHAPE, TERN_FLOAT32));
    cr_assert(error_has("does not require grad and does not have a grad_fn"));
    tern_error_clear(ctx);
    tern_backward_with(tern_mul(x, x), tern_ones(ctx, TERN_SHAPE(2), TERN_FLOAT64), 0);
    cr_assert(error_has("Mismatch in shape: grad_output[0] has a shape of torch.Size([2])"), "%s",
              tern_error(ctx));
}

Test(autograd, only_floating_leaves_require_gradients) {
    tern_requires_grad(tern_arange_i64(ctx, 3), true);
    cr_assert(error_has("floating point and complex dtype can require gradients"));
}

Test(autograd, a_result_names_its_node_as_pytorch_does) {
    tern_tensor *x = leaf(1, 2, 3);
    cr_assert_str_eq(tern_grad_fn_name(x), "");
    cr_assert_str_eq(tern_grad_fn_name(tern_mul(x, x)), "MulBackward0");
    cr_assert_str_eq(tern_grad_fn_name(tern_log_softmax(x, 0)), "LogSoftmaxBackward0");
    cr_assert_str_eq(tern_repr_text(tern_sum(x)),
                     "tensor(6., dtype=torch.float64, grad_fn=<SumBackward0>)");
}

Test(autograd, a_graph_of_many_nodes_is_walked_without_recursion) {
    tern_tensor *x = tern_requires_grad(tern_ones(ctx, TERN_SHAPE(1), TERN_FLOAT32), true);
    tern_tensor *y = x;
    for (int i = 0; i < 100000; i++) y = tern_neg(y);
    tern_backward(tern_sum(y));
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert_float_eq(at(tern_grad_of(x), 0), 1, 0);
}

Test(autograd, a_steady_training_loop_makes_no_heap_call) {
    tern_tensor *w = leaf(1, 2, 3), *x = tern_ones(ctx, TERN_SHAPE(3), TERN_FLOAT64);
    uint64_t before = 0;
    for (int step = 0; step < 20; step++) {
        if (step == 10) before = tern_stats_of(ctx).host_allocations;
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_tensor *loss = tern_mean(tern_abs(tern_sub(tern_mul(w, x), x)));
        tern_set_grad(w, NULL);
        tern_backward(loss);
        tern_scope update = tern_scope_begin(ctx, TERN_NO_GRAD);
        tern_add_alpha_in_place(w, tern_grad_of(w), -0.01);
        tern_scope_end(update);
        tern_scope_end(scope);
    }
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(tern_stats_of(ctx).host_allocations, before);
}
