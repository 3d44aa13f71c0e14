/* Modules that change: children, parameters and buffers replaced, removed and tied. */
#include "nn_fixture.h"

TestSuite(nn_change, .init = open_context, .fini = close_context);

static tern_module *sequence(void) {
    tern_manual_seed(ctx, 0);
    return tern_nn(ctx, "Sequential(Linear(4, 4), ReLU(), Linear(4, 10))");
}

static const char *keys_of(tern_value dict) {
    static char text[512];
    tern_value key, item;
    text[0] = '\0';
    for (size_t i = 0; tern_dict_at(dict, i, &key, &item); i++) {
        strcat(text, key.as.s);
        strcat(text, " ");
    }
    return text;
}

static tern_tensor *ones(int64_t rows, int64_t columns) {
    return tern_ones(ctx, TERN_SHAPE(rows, columns), TERN_FLOAT32);
}

/* ---- a module of the program's own, with members --------------------------------------------- */

typedef struct net {
    tern_module module;
    tern_module *body, *head;
    tern_tensor *scale, *shift;
} net;

static tern_status net_init(tern_module *self) {
    net *m = (net *)self;
    m->body = tern_module_child(self, "body", tern_nn(ctx, "Linear(4, 4)"));
    m->head = tern_module_child(self, "head", tern_nn(ctx, "Linear(4, 10)"));
    m->scale = tern_module_parameter(self, "scale", tern_ones(ctx, TERN_SHAPE(1), TERN_FLOAT32));
    m->shift =
        tern_module_buffer(self, "shift", tern_zeros(ctx, TERN_SHAPE(1), TERN_FLOAT32), true);
    return TERN_OK;
}

static tern_tensor *net_forward(tern_module *self, tern_tensor *x) {
    net *m = (net *)self;
    tern_tensor *y = tern_forward(m->head, tern_forward(m->body, x));
    return tern_add(tern_mul(y, m->scale), m->shift);
}

static const tern_module_class net_class = {TERN_MODULE_CLASS("Net()", net), .init = net_init,
                                            .forward = net_forward};

/* ---- replacing ------------------------------------------------------------------------------- */

Test(nn_change, a_child_is_replaced_in_its_place) {
    tern_module *m = sequence();
    tern_module *fresh = tern_nn(ctx, "Linear(4, 3)");
    cr_assert_eq(tern_module_child(m, "2", fresh), fresh);
    cr_assert_eq(tern_module_child(m, "1", tern_nn_gelu(ctx, NULL)), tern_module_get(m, "1"));
    CHECK_CLEAN();
    cr_assert_str_eq(keys_of(tern_module_state_dict(m)), "0.weight 0.bias 2.weight 2.bias ");
    cr_assert_eq(tern_module_count_parameters(m), 20 + 15);
    cr_assert_eq(tern_size(tern_forward(m, ones(2, 4)), 1), 3);
    CHECK_CLEAN();
}

Test(nn_change, members_of_the_struct_follow) {
    net *m = (net *)tern_module_new(ctx, &net_class, NULL);
    tern_module *self = &m->module;
    tern_scope scope = tern_module_begin(self);
    tern_module *head = tern_module_child(self, "head", tern_nn(ctx, "Linear(4, 3)"));
    tern_tensor *scale =
        tern_module_parameter(self, "scale", tern_full(ctx, TERN_SHAPE(1), 0, TERN_FLOAT32));
    tern_tensor *shift =
        tern_module_buffer(self, "shift", tern_full(ctx, TERN_SHAPE(1), 5, TERN_FLOAT32), false);
    tern_scope_end(scope);
    CHECK_CLEAN();
    cr_assert(m->head == head && m->scale == scale && m->shift == shift);
    tern_tensor *y = tern_forward(self, ones(1, 4));
    cr_assert_eq(tern_size(y, 1), 3);
    cr_assert_float_eq(at(y, 0), 5, 0);
    cr_assert_str_eq(keys_of(tern_module_state_dict(self)),
                     "scale body.weight body.bias head.weight head.bias ");
    CHECK_CLEAN();
}

Test(nn_change, the_weights_of_a_layer_are_replaced_by_value_and_by_none) {
    tern_module *m = tern_nn(ctx, "Linear(2, 2)");
    tern_module_parameter(m, "weight", tern_full(ctx, TERN_SHAPE(2, 2), 3, TERN_FLOAT32));
    cr_assert_null(tern_module_parameter(m, "bias", NULL));
    cr_assert_float_eq(at(tern_forward(m, ones(1, 2)), 0), 6, 0);
    tern_module_parameter(m, "bias", tern_full(ctx, TERN_SHAPE(2), 1, TERN_FLOAT32));
    cr_assert_float_eq(at(tern_forward(m, ones(1, 2)), 0), 7, 0);
    tern_module_remove(m, "bias");
    cr_assert_float_eq(at(tern_forward(m, ones(1, 2)), 0), 6, 0);
    tern_module_parameter(m, "bias", tern_full(ctx, TERN_SHAPE(2), 2, TERN_FLOAT32));
    cr_assert_float_eq(at(tern_forward(m, ones(1, 2)), 0), 8, 0);
    CHECK_CLEAN();
    tern_module *bare = tern_nn(ctx, "Conv1d(1, 1, 1, bias=False)");
    tern_module_parameter(bare, "bias", tern_full(ctx, TERN_SHAPE(1), 9, TERN_FLOAT32));
    tern_module_parameter(bare, "weight", tern_zeros(ctx, TERN_SHAPE(1, 1, 1), TERN_FLOAT32));
    cr_assert_float_eq(at(tern_forward(bare, ones(1, 1)), 0), 9, 0);
    CHECK_CLEAN();
}

Test(nn_change, weights_in_arrays_follow) {
    tern_module *m = tern_nn(ctx, "GRU(2, 3, num_layers=2)");
    for (size_t i = 0; i < 8; i++) {
        const char *const names[] = {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0",
                                     "weight_ih_l1", "weight_hh_l1", "bias_ih_l1", "bias_hh_l1"};
        tern_tensor *old = tern_module_tensor(m, names[i]);
        tern_module_parameter(m, names[i], tern_zeros_like(tern_detach(old)));
    }
    tern_value x = tern_tensor_value(tern_ones(ctx, TERN_SHAPE(5, 1, 2), TERN_FLOAT32));
    tern_value result = tern_module_call(m, &x, 1, tern_none());
    cr_assert_float_eq(at(tern_value_at(result, 0).as.tensor, 14), 0, 0);
    CHECK_CLEAN();
}

Test(nn_change, an_optimizer_keeps_what_it_was_made_with) {
    tern_module *m = tern_nn(ctx, "Linear(2, 2, bias=False)");
    tern_tensor *old = tern_module_tensor(m, "weight");
    tern_optim *sgd = tern_optim_new(m, "SGD(lr=1.0)");
    tern_tensor *fresh =
        tern_module_parameter(m, "weight", tern_ones(ctx, TERN_SHAPE(2, 2), TERN_FLOAT32));
    tern_backward(tern_sum(tern_forward(m, ones(1, 2))));
    tern_optim_step(sgd);
    cr_assert_eq(tern_optim_parameter(sgd, 0), old);
    cr_assert_float_eq(at(fresh, 0), 1, 0);
    tern_optim_step(tern_optim_new(m, "SGD(lr=1.0)"));
    cr_assert_float_eq(at(fresh, 0), 0, 0);
    CHECK_CLEAN();
}

Test(nn_change, a_submodule_is_set_by_its_path) {
    tern_module *m = tern_nn(ctx, "Sequential(Sequential(Linear(2, 2)), ReLU())");
    cr_assert_not_null(tern_module_set(m, "0.0", tern_nn(ctx, "Linear(2, 5)")));
    cr_assert_not_null(tern_module_set(m, "0.1", tern_nn(ctx, "Linear(5, 1)")));
    cr_assert_eq(tern_size(tern_forward(m, ones(3, 2)), 1), 1);
    CHECK_CLEAN();
    cr_assert_null(tern_module_set(m, "2.0", tern_nn_relu(ctx)));
    CHECK_ERROR("tern_module_set: Sequential has no submodule '2'");
}

Test(nn_change, refused_changes_leave_the_model_as_it_was) {
    tern_module *m = sequence();
    tern_module *last = tern_module_get(m, "2");
    tern_tensor *weight = tern_module_tensor(m, "2.weight");
    cr_assert_null(tern_module_child(m, "2", m));
    CHECK_ERROR_HAS("contains the module itself");
    cr_assert_null(tern_module_child(m, "2", NULL));
    tern_error_clear(ctx);
    tern_tensor *ints = tern_zeros(ctx, TERN_SHAPE(2), TERN_INT64);
    cr_assert(tern_is_nil(tern_module_parameter(last, "weight", ints)));
    CHECK_ERROR_HAS("floating point");
    cr_assert(tern_is_nil(tern_module_buffer(last, "weight", ints, true)));
    CHECK_ERROR(
        "Linear: attribute 'weight' already exists and is not a buffer: remove it first with "
        "tern_module_remove");
    cr_assert_eq(tern_module_get(m, "2"), last);
    cr_assert_eq(tern_module_tensor(m, "2.weight"), weight);
    CHECK_CLEAN();
}

/* ---- removing -------------------------------------------------------------------------------- */

Test(nn_change, a_list_closes_its_gap) {
    tern_module *m = sequence();
    tern_module *last = tern_module_get(m, "2");
    cr_assert_eq(tern_module_remove(m, "1"), TERN_OK);
    cr_assert_eq(tern_module_get(m, "1"), last);
    cr_assert_str_eq(keys_of(tern_module_state_dict(m)), "0.weight 0.bias 1.weight 1.bias ");
    cr_assert_eq(tern_module_remove(m, "2"), TERN_ERR_NOT_FOUND);
    CHECK_ERROR("Sequential has no parameter, buffer or child '2'");
    tern_module_append(m, tern_nn_relu(ctx));
    cr_assert_str_eq(tern_module_name(tern_module_get(m, "2")), "ReLU");
    CHECK_CLEAN();
}

Test(nn_change, what_is_removed_leaves_the_struct) {
    net *m = (net *)tern_module_new(ctx, &net_class, NULL);
    cr_assert_eq(tern_module_remove(&m->module, "head.bias"), TERN_OK);
    cr_assert_eq(tern_module_remove(&m->module, "shift"), TERN_OK);
    cr_assert_eq(tern_module_remove(&m->module, "body"), TERN_OK);
    cr_assert(!m->shift && !m->body);
    cr_assert_str_eq(keys_of(tern_module_state_dict(&m->module)), "scale head.weight ");
    tern_module_buffer(&m->module, "body", tern_ones(ctx, TERN_SHAPE(1), TERN_FLOAT32), true);
    CHECK_CLEAN();
}

/* ---- tying ----------------------------------------------------------------------------------- */

static tern_module *tied(void) {
    tern_manual_seed(ctx, 3);
    tern_module *m = tern_nn(ctx, "Sequential(Embedding(10, 4), Linear(4, 10, bias=False))");
    cr_assert_eq(tern_module_tie(m, "1.weight", "0.weight"), TERN_OK, "%s", tern_error(ctx));
    return m;
}

static tern_tensor *two_words(void) {
    const int64_t words[] = {1, 2};
    return tern_from_data(ctx, words, TERN_SHAPE(2), TERN_INT64);
}

Test(nn_change, tied_weights_are_one_parameter) {
    tern_module *m = tied();
    tern_tensor *weight = tern_module_tensor(m, "1.weight");
    cr_assert_eq(weight, tern_module_tensor(m, "0.weight"));
    cr_assert_eq(tern_module_count_parameters(m), 40);
    cr_assert_str_eq(keys_of(tern_module_named_parameters(m)), "0.weight ");
    cr_assert_str_eq(keys_of(tern_module_state_dict(m)), "0.weight 1.weight ");
    tern_optim *sgd = tern_optim_new(m, "SGD(lr=0.1)");
    double before = at(weight, 4);
    tern_backward(tern_sum(tern_square(tern_forward(m, two_words()))));
    double slope = at(tern_grad_of(weight), 4);
    tern_optim_step(sgd);
    cr_assert_float_eq(at(weight, 4), before - 0.1 * slope, 1e-6);
    cr_assert_eq(tern_module_to_dtype(m, TERN_FLOAT64), TERN_OK);
    cr_assert_eq(tern_module_tensor(m, "1.weight"), weight);
    CHECK_CLEAN();
}

Test(nn_change, a_frozen_weight_stays_frozen_when_it_is_tied) {
    tern_module *m = tern_nn(ctx, "Sequential(Embedding(10, 4), Linear(4, 10))");
    tern_module_requires_grad(tern_module_get(m, "0"), false);
    cr_assert_eq(tern_module_tie(m, "1.weight", "0.weight"), TERN_OK);
    cr_assert_not(tern_has_grad_required(tern_module_tensor(m, "1.weight")));
    CHECK_CLEAN();
}

Test(nn_change, weights_that_share_memory_are_tied_once_a_module_has_both) {
    tern_module *e = tern_nn(ctx, "Embedding(10, 4)"),
                *h = tern_nn(ctx, "Linear(4, 10, bias=False)");
    tern_module_assign_state_dict(h, tern_module_state_dict(e), true);
    tern_module *both = TERN_SEQUENTIAL(ctx, e, h);
    cr_assert_eq(tern_module_count_parameters(both), 40);
    tern_backward(tern_sum(tern_square(tern_forward(both, two_words()))));
    tern_tensor *weight = tern_module_tensor(both, "0.weight");
    cr_assert_eq(tern_module_tensor(both, "1.weight"), weight);
    /* A row that was not looked up has the head's gradient alone. */
    cr_assert_neq(at(tern_grad_of(weight), 0), 0);
    CHECK_CLEAN();
}

Test(nn_change, ties_are_refused_with_a_reason) {
    tern_module *m = tern_nn(ctx, "Sequential(Embedding(10, 4), Linear(4, 9, bias=False))");
    cr_assert_eq(tern_module_tie(m, "1.weight", "0.weight"), TERN_ERR_ARGUMENT);
    CHECK_ERROR_HAS("'1.weight' and '0.weight' have different shapes");
    cr_assert_eq(tern_module_tie(m, "1.w", "0.weight"), TERN_ERR_NOT_FOUND);
    CHECK_ERROR("tern_module_tie: Sequential has no parameter '1.w'");
    cr_assert_eq(tern_module_tie(m, "0.weight", "1.bias"), TERN_ERR_ARGUMENT);
    CHECK_ERROR("tern_module_tie: '1.bias' is None");
    cr_assert_eq(tern_module_count_parameters(m), 76);
}

typedef struct twins {
    tern_module module;
    tern_tensor *a, *b;
} twins;

static tern_status twins_init(tern_module *self) {
    twins *m = (twins *)self;
    m->a = m->b = tern_ones(ctx, TERN_SHAPE(1), TERN_FLOAT32);
    tern_module_parameter(self, "a", m->a);
    tern_module_parameter(self, "b", m->b);
    return TERN_OK;
}

static const tern_module_class twins_class = {TERN_MODULE_CLASS("Twins()", twins),
                                              .init = twins_init};

Test(nn_change, twins_in_one_struct_need_their_members_told) {
    twins *m = (twins *)tern_module_new(ctx, &twins_class, NULL);
    tern_tensor *old = m->a, *fresh = tern_zeros(ctx, TERN_SHAPE(1), TERN_FLOAT32);
    cr_assert(tern_is_nil(tern_module_parameter(&m->module, "a", fresh)));
    CHECK_ERROR_HAS("Twins: 'a' and 'b' are the same object");
    cr_assert(m->a == old && tern_module_tensor(&m->module, "a") == old);
    tern_module_member(&m->module, "a", &m->a);
    tern_module_member(&m->module, "b", &m->b);
    tern_module_parameter(&m->module, "a", fresh);
    cr_assert(m->a == fresh && m->b == old);
    CHECK_CLEAN();
}

/* ---- without memory -------------------------------------------------------------------------- */

Test(nn_change, a_change_without_memory_changes_nothing) {
    for (uint64_t n = 1;; n++) {
        tern_module *m = sequence();
        tern_module *head = tern_nn(ctx, "Linear(4, 3)");
        tern_fail_allocation(n);
        tern_module *got = tern_module_child(m, "more", head);
        tern_fail_allocation(0);
        if (got) break;
        tern_error_clear(ctx);
        cr_assert_str_eq(keys_of(tern_module_state_dict(m)), "0.weight 0.bias 2.weight 2.bias ");
        cr_assert_lt(n, 1000);
    }
    CHECK_CLEAN();
}
