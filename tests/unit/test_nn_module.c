/* Modules: registering, forward, walks, modes, moving, lifetimes. */
#include "nn_fixture.h"

TestSuite(nn_module, .init = open_context, .fini = close_context);

/* ---- a user's module ------------------------------------------------------------------------- */

typedef struct line {
    tern_module module;
    tern_tensor *weights, *bias;
} line;

static tern_status line_init(tern_module *self) {
    line *m = (line *)self;
    m->weights = tern_module_parameter(self, "weights", tern_randn(ctx, TERN_SHAPE(1), NULL));
    m->bias = tern_module_parameter(self, "bias", tern_randn(ctx, TERN_SHAPE(1), NULL));
    return TERN_OK;
}

static tern_tensor *line_forward(tern_module *self, tern_tensor *x) {
    line *m = (line *)self;
    return tern_add(tern_mul(m->weights, x), m->bias);
}

static const tern_module_class line_class = {TERN_MODULE_CLASS("LinearRegressionModel()", line),
                                             .init = line_init, .forward = line_forward};

Test(nn_module, a_users_module_has_the_tutorials_parameters) {
    tern_manual_seed(ctx, 42);
    tern_module *model = tern_module_new(ctx, &line_class, NULL);
    CHECK_CLEAN();
    cr_assert_str_eq(repr_of(tern_module_state_dict(model)),
                     "OrderedDict({'weights': tensor([0.3367]), 'bias': tensor([0.1288])})");
    cr_assert_str_eq(tern_module_repr_text(model), "LinearRegressionModel()");
    tern_tensor *y = tern_forward(model, tern_ones(ctx, TERN_SHAPE(2, 1), TERN_FLOAT32));
    cr_assert_float_eq(at(y, 1), 0.33669036 + 0.12880940, 1e-6);
    tern_backward(tern_sum(y));
    cr_assert_float_eq(at(tern_grad_of(tern_module_tensor(model, "bias")), 0), 2, 0);
    CHECK_CLEAN();
}

/* ---- trees ----------------------------------------------------------------------------------- */

typedef struct tree {
    tern_module module;
    tern_tensor *scale;
    tern_module *left, *right;
} tree;

/* left and right share their weight. */
static tern_status tree_init(tern_module *self) {
    tree *m = (tree *)self;
    m->left = tern_module_child(self, "left", tern_nn(ctx, "Linear(2, 2, bias=False)"));
    m->right = tern_module_child(self, "right", tern_nn(ctx, "Sequential(ReLU())"));
    m->scale = tern_module_parameter(self, "scale", tern_ones(ctx, TERN_SHAPE(2), TERN_FLOAT32));
    tern_module_parameter(m->right, "tied", tern_module_tensor(m->left, "weight"));
    tern_module_parameter(self, "absent", NULL);
    tern_module_buffer(self, "steps", tern_zeros(ctx, TERN_SCALAR_SHAPE, TERN_INT64), true);
    tern_module_buffer(self, "cache", tern_zeros(ctx, TERN_SHAPE(3), TERN_FLOAT32), false);
    return TERN_OK;
}

static tern_tensor *tree_forward(tern_module *self, tern_tensor *x) {
    tree *m = (tree *)self;
    return tern_mul(tern_forward(m->right, tern_forward(m->left, x)), m->scale);
}

static const tern_module_class tree_class = {TERN_MODULE_CLASS("Tree()", tree), .init = tree_init,
                                             .forward = tree_forward};

static tern_module *new_tree(void) {
    return tern_module_new(ctx, &tree_class, NULL);
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

Test(nn_module, walks_go_depth_first_and_take_tied_weights_once) {
    tern_module *m = new_tree();
    CHECK_CLEAN();
    cr_assert_str_eq(keys_of(tern_module_named_parameters(m)), "scale left.weight ");
    cr_assert_str_eq(keys_of(tern_module_named_buffers(m)), "steps cache ");
    cr_assert_eq(tern_value_count(tern_module_parameters(m)), 2);
    cr_assert_eq(tern_module_count_parameters(m), 6);
    cr_assert_str_eq(keys_of(tern_module_state_dict(m)), "scale steps left.weight right.tied ");
    tern_value metadata =
        tern_dict_get(tern_dict_attributes(tern_module_state_dict(m)), "_metadata");
    cr_assert_str_eq(repr_of(metadata), "OrderedDict({'': {'version': 1}, 'left': {'version': 1}, "
                                        "'right': {'version': 1}, 'right.0': {'version': 1}})");
}

static bool note_name(void *user, const char *name, tern_module *module) {
    strcat(user, name);
    strcat(user, "=");
    strcat(user, tern_module_name(module));
    strcat(user, " ");
    return true;
}

Test(nn_module, each_names_every_module_once) {
    char text[256] = "";
    tern_module_each(new_tree(), note_name, text);
    cr_assert_str_eq(text, "=Tree left=Linear right=Sequential right.0=ReLU ");
}

static void note_applied(tern_module *module, void *user) {
    strcat(user, tern_module_name(module));
    strcat(user, " ");
}

Test(nn_module, apply_takes_children_first) {
    char text[256] = "";
    tern_module_apply(new_tree(), note_applied, text);
    cr_assert_str_eq(text, "Linear ReLU Sequential Tree ");
}

Test(nn_module, paths_find_modules_and_tensors) {
    tern_module *m = new_tree();
    cr_assert_str_eq(tern_module_name(tern_module_get(m, "right.0")), "ReLU");
    cr_assert_eq(tern_module_get(m, ""), m);
    cr_assert_eq(tern_numel(tern_module_tensor(m, "cache")), 3);
    CHECK_CLEAN();
    cr_assert_null(tern_module_get(m, "right.1"));
    CHECK_ERROR("Tree has no submodule 'right.1'");
    cr_assert(tern_is_nil(tern_module_tensor(m, "left.bias")));
    CHECK_ERROR("Tree has no parameter or buffer 'left.bias'");
    cr_assert(tern_is_nil(tern_module_tensor(m, "absent")));
    tern_error_clear(ctx);
}

/* ---- refusals -------------------------------------------------------------------------------- */

Test(nn_module, names_follow_pytorchs_rules) {
    tern_module *m = new_tree();
    tern_scope scope = tern_module_begin(m);
    tern_tensor *t = tern_ones(ctx, TERN_SHAPE(1), TERN_FLOAT32);
    tern_module_parameter(m, "a.b", t);
    CHECK_ERROR("Tree: parameter name can't contain \".\", got: a.b");
    tern_module_buffer(m, "", t, true);
    CHECK_ERROR("Tree: buffer name can't be empty string \"\"");
    tern_module_parameter(m, "left", t);
    CHECK_ERROR(
        "Tree: attribute 'left' already exists and is not a parameter: remove it first with "
        "tern_module_remove");
    tern_module_child(m, "steps", tern_nn_relu(ctx));
    CHECK_ERROR_HAS("Tree: attribute 'steps' already exists and is not a module");
    tern_scope_end(scope);
    cr_assert_str_eq(keys_of(tern_module_state_dict(m)), "scale steps left.weight right.tied ");
}

Test(nn_module, a_parameter_is_a_floating_leaf) {
    tern_module *m = new_tree();
    tern_tensor *x = tern_requires_grad(tern_ones(ctx, TERN_SHAPE(1), TERN_FLOAT32), true);
    cr_assert(tern_is_nil(tern_module_parameter(m, "p", tern_mul_scalar(x, 2))));
    CHECK_ERROR_HAS("cannot assign non-leaf Tensor to parameter 'p'");
    tern_module_parameter(m, "p", tern_zeros(ctx, TERN_SHAPE(1), TERN_INT64));
    CHECK_ERROR_HAS("floating point");
}

Test(nn_module, cycles_and_deep_trees_are_refused) {
    tern_module *top = tern_nn_sequential(ctx, NULL, 0), *m = top;
    cr_assert_null(tern_module_child(top, "x", top));
    CHECK_ERROR_HAS("contains the module itself");
    int depth = 1;
    for (; depth < 200; depth++) {
        tern_module *child = tern_nn_sequential(ctx, NULL, 0);
        if (!tern_module_child(m, "0", child)) break;
        m = child;
    }
    cr_assert_eq(depth, 64);
    CHECK_ERROR_HAS("nested deeper than 64");
    cr_assert_null(tern_module_child(m, "up", top));
    CHECK_ERROR_HAS("contains the module itself");
}

static tern_status failing_init(tern_module *self) {
    tern_module_parameter(self, "weight", tern_ones(ctx, TERN_SHAPE(4), TERN_FLOAT32));
    return TERN_ERR_STATE;
}

Test(nn_module, an_init_that_fails_makes_no_module) {
    static const tern_module_class cls = {TERN_MODULE_CLASS("Broken()", tern_module),
                                          .init = failing_init};
    cr_assert_null(tern_module_new(ctx, &cls, NULL));
    CHECK_ERROR_HAS("Broken: its init failed");
    static const tern_module_class empty = {.size = 0};
    cr_assert_null(tern_module_new(ctx, &empty, NULL));
    CHECK_ERROR_HAS("TERN_MODULE_CLASS");
}

Test(nn_module, null_modules_are_refused) {
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(1), TERN_FLOAT32);
    cr_assert(tern_is_nil(tern_forward(NULL, x)));
    CHECK_ERROR("tern_forward: the module is NULL");
    cr_assert(tern_is_nil(tern_forward2(NULL, x, x)));
    CHECK_ERROR("tern_forward2: the module is NULL");
    cr_assert_eq(tern_module_zero_grad(NULL), TERN_ERR_ARGUMENT);
    cr_assert_eq(tern_module_to(NULL, "cpu_ref"), TERN_ERR_ARGUMENT);
    cr_assert_eq(tern_value_count(tern_module_state_dict(NULL)), 0);
    cr_assert_str_eq(tern_module_repr_text(NULL), "");
    cr_assert_null(tern_module_child_at(NULL, 0, NULL));
    cr_assert_null(tern_optim_new(NULL, "SGD()"));
    tern_module_free(NULL);
    CHECK_CLEAN();
}

/* ---- forward --------------------------------------------------------------------------------- */

Test(nn_module, a_module_without_forward_says_so) {
    tern_module *list = tern_nn_module_list(ctx, NULL, 0);
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(1), TERN_FLOAT32);
    cr_assert(tern_is_nil(tern_forward(list, x)));
    CHECK_ERROR("Module [ModuleList] is missing the required \"forward\" function");
}

Test(nn_module, calls_by_name_bind_their_arguments) {
    tern_module *loss = tern_nn_mse_loss(ctx, TERN_SUM);
    const float a[] = {1, 2}, b[] = {3, 5};
    tern_value named = tern_dict_new(ctx, false);
    tern_dict_set(named, "target", tern_tensor_value(floats(TERN_SHAPE(2), b)));
    tern_value input = tern_tensor_value(floats(TERN_SHAPE(2), a));
    tern_value result = tern_module_call(loss, &input, 1, named);
    cr_assert_eq(result.kind, TERN_VALUE_TENSOR);
    cr_assert_float_eq(tern_item(result.as.tensor), 13, 0);
    tern_module_call(loss, &input, 1, tern_none());
    CHECK_ERROR_HAS("MSELoss.forward: missing argument 'target'");
    tern_value both[] = {input, input};
    tern_module_call(tern_nn_relu(ctx), both, 2, tern_none());
    CHECK_ERROR("ReLU.forward: takes at most 1 positional argument (input), but 2 given");
    tern_module_call(tern_nn_flatten(ctx, 0, -1), both, 2, tern_none());
    CHECK_ERROR("Flatten.forward takes one tensor, input; 2 arguments were given");
}

static uint64_t peak_of(int layers) {
    tern_module *model = tern_nn_sequential(ctx, NULL, 0);
    for (int i = 0; i < layers; i++) tern_module_append(model, tern_nn_relu(ctx));
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(1000), TERN_FLOAT32);
    tern_reset_peak(ctx);
    tern_forward(model, x);
    uint64_t peak = tern_stats_of(ctx).device_bytes_peak;
    tern_scope_end(scope);
    return peak;
}

Test(nn_module, the_peak_of_a_no_grad_forward_does_not_grow_with_its_layers) {
    uint64_t few = peak_of(3), many = peak_of(40);
    CHECK_CLEAN();
    cr_assert_eq(few, many, "%llu bytes and %llu", (unsigned long long)few,
                 (unsigned long long)many);
}

Test(nn_module, a_sequential_may_return_what_is_not_its_own) {
    tern_module *model = tern_nn(ctx, "Sequential(Identity(), Identity())");
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(2), TERN_FLOAT32);
    cr_assert_eq(tern_forward(model, x), x);
    cr_assert_eq(tern_forward(tern_nn(ctx, "Sequential()"), x), x);
    cr_assert_float_eq(at(x, 1), 1, 0);
    CHECK_CLEAN();
}

/* ---- modes, gradients, moving ---------------------------------------------------------------- */

Test(nn_module, train_and_eval_reach_the_children) {
    tern_module *m = new_tree();
    cr_assert(tern_module_is_training(m));
    tern_module_eval(m);
    cr_assert_not(tern_module_is_training(tern_module_get(m, "right.0")));
    tern_module_train(m, true);
    cr_assert(tern_module_is_training(tern_module_get(m, "right.0")));
}

Test(nn_module, gradients_reset_and_freeze) {
    tern_module *m = new_tree();
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(3, 2), TERN_FLOAT32);
    tern_backward(tern_sum(tern_forward(m, x)));
    cr_assert_not_null(tern_grad_of(tern_module_tensor(m, "scale")));
    cr_assert_eq(tern_module_zero_grad(m), TERN_OK);
    cr_assert_null(tern_grad_of(tern_module_tensor(m, "scale")));
    cr_assert_eq(tern_module_requires_grad(m, false), TERN_OK);
    cr_assert_not(tern_has_grad_required(tern_forward(m, x)));
    CHECK_CLEAN();
}

Test(nn_module, to_dtype_converts_floats_gradients_and_ties) {
    tern_module *m = new_tree();
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(3, 2), TERN_FLOAT32);
    tern_backward(tern_sum(tern_forward(m, x)));
    tern_tensor *weight = tern_module_tensor(m, "left.weight"), *grad = tern_grad_of(weight);
    double before = at(grad, 0);
    cr_assert_eq(tern_module_to_dtype(m, TERN_FLOAT64), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(tern_module_tensor(m, "left.weight"), weight);
    cr_assert_eq(tern_dtype_of(weight), TERN_FLOAT64);
    cr_assert_eq(tern_dtype_of(tern_grad_of(weight)), TERN_FLOAT64);
    cr_assert_float_eq(at(tern_grad_of(weight), 0), before, 0);
    cr_assert_eq(tern_dtype_of(tern_module_tensor(m, "steps")), TERN_INT64);
    cr_assert_eq(tern_dtype_of(tern_module_tensor(m, "cache")), TERN_FLOAT64);
    cr_assert(tern_has_grad_required(weight));
    tern_tensor *y = tern_forward(m, tern_ones(ctx, TERN_SHAPE(3, 2), TERN_FLOAT64));
    cr_assert_eq(tern_backward(tern_sum(y)), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(tern_module_to_dtype(m, TERN_INT32), TERN_ERR_ARGUMENT);
    tern_error_clear(ctx);
    cr_assert_eq(tern_module_to(m, "no_such_device"), tern_error_clear(ctx));
    cr_assert_eq(tern_module_to(m, "cpu_ref"), TERN_OK);
}

Test(nn_module, a_module_dies_with_its_scope_and_gives_its_memory_back) {
    uint64_t before = tern_stats_of(ctx).device_bytes;
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_module *m = tern_nn(ctx, "Sequential(Linear(50, 50), ReLU(), Linear(50, 1))");
    cr_assert_eq(tern_module_count_parameters(m), 50 * 50 + 50 + 51);
    cr_assert_gt(tern_stats_of(ctx).device_bytes, before);
    tern_scope_end(scope);
    cr_assert_eq(tern_stats_of(ctx).device_bytes, before);
    tern_module_free(tern_nn(ctx, "Linear(50, 50)"));
    cr_assert_eq(tern_stats_of(ctx).device_bytes, before);
    CHECK_CLEAN();
}

Test(nn_module, parameters_made_in_a_step_live_in_the_module) {
    tern_module *m = new_tree();
    tern_scope step = tern_scope_begin(ctx, 0);
    tern_scope owner = tern_module_begin(m);
    tern_module_parameter(m, "late", tern_full(ctx, TERN_SHAPE(2), 7, TERN_FLOAT32));
    tern_scope_end(owner);
    tern_scope_end(step);
    cr_assert_float_eq(at(tern_module_tensor(m, "late"), 1), 7, 0);
    CHECK_CLEAN();
}
